"""What others wrote reaches a terminal without its control sequences, and a pipe as it is."""

from __future__ import annotations

import io
import sys

import pytest

from workbench.cli import app
from workbench.cli.output import echo, say
from workbench.model.errors import UsageError

EVIL = "a\x1b]0;title\x07b\x1b[31mc"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_no_control_sequence(monkeypatch: pytest.MonkeyPatch) -> None:
    out, err = Terminal(), Terminal()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    echo(EVIL)
    say(EVIL)
    assert (out.getvalue(), err.getvalue()) == ("abc\n", "workbench: abc\n")


def test_an_error_message_is_harmless_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise UsageError(EVIL)

    err = Terminal()
    codes: list[int] = []
    monkeypatch.setattr(sys, "stderr", err)
    monkeypatch.setattr(app, "app", fail)
    monkeypatch.setattr(app, "_leave", codes.append)
    app.run()
    assert (err.getvalue(), codes) == ("workbench: abc\n", [2])


def test_a_pipe_gets_a_message_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    say(EVIL)
    assert capsys.readouterr().err == f"workbench: {EVIL}\n"
