"""`workbench logs`: what the functions of a running engine said."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, Annotated

import typer

from workbench.model.errors import EngineGone, UsageError

if TYPE_CHECKING:
    from workbench.live.view import LogView

#: Seconds between two looks for new lines.
_PAUSE = 0.1


def logs(
    name: Annotated[str | None, typer.Argument(help="Only of this function.")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with new lines until interrupted.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Print the log lines that the running engine still holds; with -f, new ones as they come."""
    import asyncio

    from workbench.cli.engines import running
    from workbench.client.project import find_project
    from workbench.model.codec import encode

    project = find_project()
    port = running(project)
    if port is None:
        raise EngineGone(f"no engine is running for {project.root}", mend="workbench serve starts one")

    async def main() -> None:
        since, seen = 0, 0
        while True:
            delta = await port.changes(since)
            if since == 0 and name is not None and name not in (there := [view.name for view in delta.functions]):
                raise UsageError(f"there is no function '{name}'; there are: {', '.join(sorted(there)) or 'none'}")
            since = delta.seq
            for line in delta.logs:
                if line.n <= seen or name not in (None, line.function):
                    continue
                sys.stdout.write((json.dumps(encode(line)) if as_json else _text(line)) + "\n")
            seen = max(seen, *(line.n for line in delta.logs[-1:]), 0)
            sys.stdout.flush()
            if not follow:
                return
            await asyncio.sleep(_PAUSE)

    asyncio.run(main())


def _text(line: LogView) -> str:
    moment = time.strftime("%H:%M:%S", time.localtime(line.wall))
    text = line.text.replace("\r", "\n")
    if sys.stdout.isatty():
        from workbench.model.text import sanitize

        text = sanitize(text)
    return f"{moment}.{int(line.wall * 1000) % 1000:03d} {line.environment} {line.function}:{line.version}  {text}"
