"""What others wrote reaches a terminal without its control sequences, and a pipe as it is."""

from __future__ import annotations

import io
import sys

import pytest

from workbench.cli import app
from workbench.cli.output import Progress, echo, say
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


def test_progress_goes_over_itself_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    err = Terminal()
    monkeypatch.setattr(sys, "stderr", err)
    progress = Progress()
    for text, over in ((f"1 {EVIL}", False), ("2", False), ("done", True), ("next", False)):
        progress(text, over)
    clear = "\r\x1b[2K"
    assert err.getvalue() == f"workbench: 1 abc{clear}workbench: 2{clear}workbench: done\nworkbench: next"


def test_elsewhere_progress_is_a_line_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    err = io.StringIO()
    monkeypatch.setattr(sys, "stderr", err)
    progress = Progress(seconds=3600)
    for text, over in (("1", False), ("2", False), ("done", True), ("next", False)):
        progress(text, over)
    assert err.getvalue() == "workbench: 1\nworkbench: done\nworkbench: next\n"


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
