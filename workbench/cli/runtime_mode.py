"""`workbench runtime-mode`: how the runtime version of a function is chosen."""

from __future__ import annotations

from typing import Annotated

import typer

from workbench.cli.output import echo

_MODES = {"auto": "Auto", "functionupdate": "FunctionUpdate", "function-update": "FunctionUpdate", "manual": "Manual"}


def runtime_mode(
    name: Annotated[str, typer.Argument(help="The function.")],
    mode: Annotated[str | None, typer.Argument(help="Auto, FunctionUpdate or Manual; without it, show.")] = None,
    qualifier: Annotated[str | None, typer.Option("--qualifier", "-q", help="A published version.")] = None,
    arn: Annotated[str | None, typer.Option("--arn", help="The runtime version, with Manual.")] = None,
) -> None:
    """Choose when a function, or one of its versions, takes another runtime version; or show what is chosen."""
    from workbench.cli.engines import attach
    from workbench.cli.loop import run
    from workbench.client.project import find_project
    from workbench.model.attached import RuntimeManagement, UpdateRuntimeOn
    from workbench.model.errors import UsageError
    from workbench.model.names import FunctionRef

    chosen = _MODES.get(mode.lower()) if mode is not None else None
    if mode is not None and chosen is None:
        raise UsageError(f"a runtime mode is Auto, FunctionUpdate or Manual, not '{mode}'")
    if chosen is None and arn is not None:
        raise UsageError("--arn goes with the mode Manual")

    async def main() -> None:
        async with attach(find_project()) as attached:
            ref = FunctionRef(name, qualifier)
            if chosen is not None:
                wanted = RuntimeManagement(update_runtime_on=UpdateRuntimeOn(chosen), runtime_version_arn=arn)
                await attached.port.put_runtime_management(ref, wanted)
            config = await attached.port.get_runtime_management(ref)
        echo(" ".join(filter(None, (config.update_runtime_on.value, config.runtime_version_arn))))

    run(main())
