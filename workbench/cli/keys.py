"""`workbench keys`: the commands of the terminal UI and the keys that they have here."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from workbench.cli.output import echo


def keys(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a command.")] = False,
) -> None:
    """List the commands of the terminal UI, their keys, and what they do; [keys] of workbench.toml changes keys."""
    from workbench.client.project import find_project
    from workbench.tui.commands.base import shown
    from workbench.tui.keymap import commands, keymap, keys_of

    project = find_project()
    changed = keymap(project.keys, str(project.root / "workbench.toml"))
    for name, command in commands().items():
        have = keys_of(command, changed)
        if as_json:
            echo(json.dumps({"name": name, "keys": have, "changed": name in changed, "help": command.help()}))
        else:
            mark = "*" if name in changed else " "
            echo(f"{mark} {name:<24} {shown(have):<18} {command.help()}")
