"""What commands print. Text that others wrote reaches a terminal only without its control sequences."""

from __future__ import annotations

import math
import sys
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


def dollars(amount: float) -> str:
    """An amount in US dollars, as small as those of single invocations are: three digits that count."""
    if not amount or amount >= 0.1:
        return f"${amount:.2f}"
    return f"${amount:.{2 - math.floor(math.log10(amount))}f}"


def _harmless(text: str, stream: TextIO) -> str:
    if not stream.isatty():
        return text
    from workbench.model.text import sanitize

    return sanitize(text)
