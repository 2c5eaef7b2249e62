"""`workbench web`: the terminal UI in a browser of this machine, by textual-serve."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import socket
from typing import Annotated

import typer

from workbench.model.errors import UsageError

DEFAULT_PORT = 8000


def web(
    port: Annotated[
        int, typer.Option("--port", help="On 127.0.0.1; 0 picks a free one.", min=0, max=65535)
    ] = DEFAULT_PORT,
) -> None:
    """Show the terminal UI in a browser of this machine; the address that it prints is the key to it."""
    from workbench.client.project import find_project

    if importlib.util.find_spec("textual_serve") is None:
        raise UsageError(
            "textual-serve, which brings the terminal UI to a browser, is not installed",
            mend="pip install textual-serve",
        )
    find_project()  # a mistake in workbench.toml is said here, not in the browser
    from workbench.cli.browser import HOST, Browser

    try:
        listener = socket.create_server((HOST, port))
    except OSError as error:
        why = os.strerror(error.errno or 0)
        raise UsageError(f"cannot listen on port {port}: {why}", mend="--port names another") from error
    with listener:
        asyncio.run(Browser(listener).run())
