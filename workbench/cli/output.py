"""What commands print. Text that others wrote reaches a terminal only without its control sequences."""

from __future__ import annotations

import math
import sys
import time
from typing import TextIO

import typer


def echo(text: str, end: str = "\n") -> None:
    """A line of output."""
    typer.echo(_harmless(text, sys.stdout) + end, nl=False)


def write_bytes(content: bytes) -> None:
    """Output that is a program's: byte for byte, but harmless and as a line on a terminal."""
    if sys.stdout.isatty():
        echo(content.decode("utf-8", "replace"))
    else:
        sys.stdout.flush()
        sys.stdout.buffer.write(content)
        sys.stdout.flush()


def say(message: str) -> None:
    """A word to the person, beside the output."""
    sys.stderr.write(f"workbench: {_harmless(message, sys.stderr)}\n")


class Progress:
    """Says how something goes on: on a terminal each word over the one before, elsewhere a line now and then."""

    def __init__(self, seconds: float = 10.0) -> None:
        self._seconds = seconds
        self._last = -math.inf
        self._begun = False

    def __call__(self, text: str, over: bool) -> None:
        """One word of it, from any thread; `over` with the last."""
        if sys.stderr.isatty():
            # Back to the beginning, and clear the line.
            start, end = ("\r\x1b[2K" if self._begun else ""), ("\n" if over else "")
            sys.stderr.write(f"{start}workbench: {_harmless(text, sys.stderr)}{end}")
            sys.stderr.flush()
            self._begun = not over
        elif over or time.monotonic() - self._last >= self._seconds:
            say(text)
            self._last = -math.inf if over else time.monotonic()


def _harmless(text: str, stream: TextIO) -> str:
    if not stream.isatty():
        return text
    from workbench.model.text import sanitize

    return sanitize(text)
