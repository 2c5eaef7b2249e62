"""Makes the engine have what a template wants: creates what is missing, updates what differs, touches nothing else."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from workbench.client.port import EnginePort
from workbench.model.errors import DeployError, ResourceNotFound, UsageError, WorkbenchError
from workbench.model.functions import FunctionState, FunctionVersion, NewFunction, UpdateStatus
from workbench.model.names import FunctionRef
from workbench.model.routes import Route
from workbench.templates.layers import DesiredLayer, filled, publish
from workbench.templates.pack import pack
from workbench.templates.sam import DesiredFunction


async def deploy(port: EnginePort, functions: list[DesiredFunction], layers: Iterable[DesiredLayer] = ()) -> list[str]:
    """Bring the functions to the engine and wait until they can be invoked; what was done, a line each.

    Layers come first: those given, and those that the functions refer to.

    Raises:
        DeployError: a function was refused or did not become ready; the others were still brought.
    """
    done: list[str] = []
    failed: list[str] = []
    needed = {layer.logical_id: layer for layer in (*layers, *itertools.chain(*(one.layers for one in functions)))}
    arns: dict[str, str] = {}
    for logical_id, layer in needed.items():
        arns[logical_id], lines = await publish(port, layer)
        done += lines
    functions = [replace(wanted, configuration=filled(wanted.configuration, arns)) for wanted in functions]
    outcomes = await asyncio.gather(*(_bring(port, wanted) for wanted in functions), return_exceptions=True)
    for wanted, outcome in zip(functions, outcomes, strict=True):
        if isinstance(outcome, WorkbenchError):
            failed.append(f"{wanted.name}: {outcome}")
        elif isinstance(outcome, BaseException):
            raise outcome
        else:
            done += outcome
    if failed:
        raise DeployError("; ".join(failed), failed=failed, done=done)
    return done


def source_of(template: Path) -> str:
    """The name by which a template's routes are known."""
    return str(template.resolve())


async def publish_aliases(port: EnginePort, functions: list[DesiredFunction]) -> list[str]:
    """Lead each alias that a template keeps (AutoPublishAlias) to a version of what is there; what was done.

    Nothing is published when `$LATEST` is as it was. Source: AWS SAM specification, "AWS::Serverless::Function".
    """
    done = []
    for function in functions:
        alias = function.auto_publish_alias
        if alias is None:
            continue
        version = (await port.publish_version(function.name)).version
        try:
            current = await port.get_alias(function.name, alias)
        except ResourceNotFound:
            await port.create_alias(function.name, alias, version)
        else:
            if current.version == version and not current.weights:
                continue
            await port.update_alias(function.name, alias, version=version, weights={})
        done.append(f"published version {version} of {function.name} for its alias {alias}")
    return done


async def deploy_routes(port: EnginePort, source: str, functions: list[DesiredFunction]) -> list[str]:
    """Make the routes of a template, named by `source`, those of its functions; what was done, a line each."""
    before = await port.list_routes()
    wanted = tuple(route for function in functions for route in function.routes)
    await port.put_routes(source, wanted)
    after = await port.list_routes()
    had, has = {_name(route) for route in before}, {_name(route) for route in after}
    new = [route for route in after if route not in before]
    done = [f"{'changed the route' if _name(route) in had else 'routed'} {route} to {route.function}" for route in new]
    gone = [route for route in before if _name(route) not in has]
    return done + [f"took away the route {route} to {route.function}" for route in gone]


def _name(route: Route) -> tuple[str, str, str, str]:
    return (route.api, route.method, route.path, route.function)


async def _bring(port: EnginePort, wanted: DesiredFunction) -> list[str]:
    archive = pack(wanted.folder) if wanted.folder is not None else b""
    try:
        current, ready = await _leave_progress(port, wanted.name)
    except ResourceNotFound:
        await port.create_function(
            NewFunction(
                name=wanted.name,
                configuration=wanted.configuration,
                code=archive,
                image=wanted.image,
                tags=wanted.tags,
            )
        )
        await _settled(port, wanted.name)
        return [f"created {wanted.name}", *wanted.notes]
    if (current.code.image is None) is not (wanted.image is None):
        raise UsageError(
            f"{wanted.name} is {'a zip archive' if wanted.image else 'a container image'}, and the PackageType of a "
            "function cannot be changed",
            mend=f"workbench delete {wanted.name}",
        )
    done = []
    if current.configuration != wanted.configuration:
        await port.update_function_configuration(wanted.name, wanted.configuration)
        await _settled(port, wanted.name)
        done.append(f"updated the configuration of {wanted.name}")
        ready = True
    # What had failed to become ready is brought again, the same or not.
    if not ready or await _differs(port, current, archive, wanted.image):
        await port.update_function_code(wanted.name, archive, image=wanted.image)
        await _settled(port, wanted.name)
        done.append(f"updated the code of {wanted.name}")
    return done


async def _differs(port: EnginePort, current: FunctionVersion, archive: bytes, image: str | None) -> bool:
    """Is the code another one? The image of a name may have been built anew: the engine knows its digest."""
    if image is None:
        return current.code.sha256 != hashlib.sha256(archive).hexdigest()
    return (await port.update_function_code(current.name, b"", image=image, dry_run=True)).code != current.code


async def _settled(port: EnginePort, name: str) -> None:
    """Wait until a function can be invoked.

    Raises:
        WorkbenchError: it did not become ready.
    """
    version, ready = await _leave_progress(port, name)
    if not ready:
        raise WorkbenchError(version.state_reason or version.update_reason or "it did not become ready")


async def _leave_progress(port: EnginePort, name: str) -> tuple[FunctionVersion, bool]:
    """Wait until a function has left Pending and InProgress, and say whether it did well."""
    pause = 0.001
    while True:
        version = await port.get_function(FunctionRef(name))
        if version.state is FunctionState.FAILED or version.update_status is UpdateStatus.FAILED:
            return version, False
        if version.state is FunctionState.ACTIVE and version.update_status is UpdateStatus.SUCCESSFUL:
            return version, True
        await asyncio.sleep(pause)
        pause = min(pause * 2, 0.1)
