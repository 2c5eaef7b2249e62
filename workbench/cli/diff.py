"""`workbench diff`: what differs between two versions of a function."""

from __future__ import annotations

import json
import zipfile
from typing import TYPE_CHECKING, Annotated, Any

import typer

from workbench.cli.output import echo
from workbench.model.errors import StateError

if TYPE_CHECKING:
    from workbench.client.version_diff import CodeDiff, SettingChange
    from workbench.model.functions import FunctionVersion

Reference = Annotated[str, typer.Argument(help="A version or an alias; $LATEST counts too.", metavar="VERSION")]


def diff(
    name: Annotated[str, typer.Argument(help="The function.")],
    before: Reference,
    after: Annotated[str, typer.Argument(help="The one to compare it with.", metavar="[VERSION]")] = "$LATEST",
    as_json: Annotated[bool, typer.Option("--json", help="As one JSON object.")] = False,
) -> None:
    """Compare two versions of a function: configuration, files, and the lines of small text files."""
    from workbench.cli.engines import attach
    from workbench.cli.loop import run
    from workbench.client import version_diff
    from workbench.client.project import find_project
    from workbench.model.names import FunctionRef

    async def main() -> None:
        async with attach(find_project()) as attached:
            port = attached.port
            old, new = [await port.get_function(FunctionRef(name, ref)) for ref in (before, after)]
            archives = [b"" if one.code.image else await port.code(one.code.sha256) for one in (old, new)]
        settings = version_diff.settings(old, new)
        try:
            code = version_diff.files(*archives)
        except zipfile.BadZipFile as error:
            raise StateError(f"the code of {name} cannot be read: {error}") from error
        lines = {change.path: version_diff.lines(change, *archives) for change in code.files}
        if as_json:
            echo(json.dumps(_as_json(old, new, settings, code, lines)))
        else:
            _print(old, new, settings, code, lines)

    run(main())


def _print(
    old: FunctionVersion,
    new: FunctionVersion,
    settings: list[SettingChange],
    code: CodeDiff,
    lines: dict[str, list[str]],
) -> None:
    echo(f"{old.name} {old.version} → {new.version}")
    if not settings and not code.files:
        echo("nothing differs")
    for setting in settings:
        values = (text if text is not None else "not set" for text in (setting.before, setting.after))
        echo(f"{setting.change.value} {setting.name}: {' → '.join(values)}")
    for change in code.files:
        echo(f"{change.change.value} {change.path} ({change.before} → {change.after} bytes)")
        for line in lines[change.path]:
            echo(f"    {line}")
    if code.note:
        echo(code.note)


def _as_json(
    old: FunctionVersion,
    new: FunctionVersion,
    settings: list[SettingChange],
    code: CodeDiff,
    lines: dict[str, list[str]],
) -> dict[str, Any]:
    return {
        "function": old.name,
        "before": old.version,
        "after": new.version,
        "configuration": [
            {"name": setting.name, "before": setting.before, "after": setting.after} for setting in settings
        ],
        "files": [
            {
                "path": change.path,
                "change": change.change.name.lower(),
                "before": change.before,
                "after": change.after,
                "lines": lines[change.path],
            }
            for change in code.files
        ],
        "unchangedFiles": code.same,
        "note": code.note,
    }
