"""What commands print. Text that others wrote reaches a terminal only without its control sequences."""

from __future__ import annotations

import sys
from typing import TextIO

import typer


def echo(text: str) -> None:
    """A line of output."""
    typer.echo(_harmless(text, sys.stdout))


def say(message: str) -> None:
    """A word to the person, beside the output."""
    sys.stderr.write(f"workbench: {_harmless(message, sys.stderr)}\n")


def _harmless(text: str, stream: TextIO) -> str:
    if not stream.isatty():
        return text
    from workbench.model.text import sanitize

    return sanitize(text)
