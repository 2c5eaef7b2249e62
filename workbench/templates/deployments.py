"""What a template has brought to an engine: kept in mind, compared with the template, and taken away again."""

from __future__ import annotations

from collections.abc import Iterable

from workbench.client.port import EnginePort
from workbench.model.errors import ResourceNotFound, UsageError
from workbench.model.names import FunctionRef
from workbench.model.records import Deployment
from workbench.templates.deploy import deploy_routes
from workbench.templates.layers import DesiredLayer
from workbench.templates.sam import DesiredFunction


async def remember(
    port: EnginePort, source: str, functions: Iterable[DesiredFunction], layers: Iterable[DesiredLayer] = ()
) -> None:
    """Keep in mind that the template named by `source` has brought these, as far as the engine has them."""
    there = {version.name for version in await port.list_functions()}
    published = []
    for layer in layers:
        versions = await port.list_layer_versions(layer.name)
        published += [f"{layer.name}:{versions[0].version}"] if versions else []
    await port.add_deployment(
        Deployment(
            id=source,
            functions=tuple(wanted.name for wanted in functions if wanted.name in there),
            layers=tuple(published),
        )
    )


async def left(port: EnginePort, source: str, names: Iterable[str]) -> list[str]:
    """The functions that an earlier deployment of a template has brought, and that it, with these, no longer has."""
    return sorted({*(await _brought(port, source)).functions} - {*names})


async def destroy(port: EnginePort, source: str) -> list[str]:
    """Delete the routes, functions and layer versions that a template has brought; what was done, a line each.

    Raises:
        UsageError: there is nothing of it.
    """
    brought = await _brought(port, source)
    done = await deploy_routes(port, source, [])
    for name in brought.functions:
        try:
            await port.delete_function(FunctionRef(name))
        except ResourceNotFound:  # somebody else was faster
            continue
        done.append(f"deleted {name}")
    for version in brought.layers:
        name, _, number = version.rpartition(":")
        await port.delete_layer_version(name, int(number))
        done.append(f"deleted version {number} of layer {name}")
    await port.delete_deployment(source)
    if not done:
        others = [deployment.id for deployment in await port.list_deployments()]
        raise UsageError(
            f"nothing here was deployed from {source}",
            mend=f"deployed from: {', '.join(others)}" if others else "workbench list says what there is",
        )
    return done


async def _brought(port: EnginePort, source: str) -> Deployment:
    return next((one for one in await port.list_deployments() if one.id == source), Deployment(id=source))
