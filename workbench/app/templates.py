"""Templates and an engine: what is in one is brought to the other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from datetime import date
from pathlib import Path

from workbench.app.backends import AUTO
from workbench.backends import registry
from workbench.client.port import EnginePort
from workbench.client.project import Project, cache_folder
from workbench.engine.catalogue import Catalogue
from workbench.model import file_systems
from workbench.model.errors import DeployError, EFSMountFailure
from workbench.model.layers import NewLayerVersion, layer_arn
from workbench.model.names import Account
from workbench.templates.deploy import deploy as bring_functions
from workbench.templates.deploy import deploy_routes, publish_aliases, source_of
from workbench.templates.deployments import destroy as destroy_source
from workbench.templates.deployments import left, remember
from workbench.templates.layers import archive_of
from workbench.templates.sam import function_names, read_layers, read_template


async def deploy(port: EnginePort, project: Project, template: Path) -> list[str]:
    """Bring a template's functions to the engine; what was done, a line each.

    Raises:
        DeployError: some cannot run; all the rest was still done.
    """
    account = await port.account()
    source = source_of(template)
    wanted = read_template(template, project.parameters, account)
    layers = read_layers(template, project.parameters, account)
    failure: DeployError | None = None
    try:
        done = await bring_functions(port, wanted, layers)
    except DeployError as error:
        failure, done = error, list(error.done)
    failed = {line.partition(":")[0] for line in (failure.failed if failure else ())}
    done += await publish_aliases(port, [function for function in wanted if function.name not in failed])
    done += await deploy_routes(port, source, wanted)
    await remember(port, source, wanted, layers)
    if failure is not None:
        raise DeployError(failure.message, failed=failure.failed, done=done)
    return done


async def left_template(port: EnginePort, project: Project, template: Path) -> list[str]:
    """The functions of earlier deployments that a template no longer has."""
    return await left(port, source_of(template), function_names(template, project.parameters, await port.account()))


async def destroy(port: EnginePort, template: Path) -> list[str]:
    """Delete what a template has brought; what was done, a line each.

    Raises:
        UsageError: there is nothing of it.
    """
    return await destroy_source(port, source_of(template))


async def bring_function(port: EnginePort, project: Project, template: Path, name: str) -> list[str]:
    """Bring one function of a template to the engine, if the template has it; what was done, a line each."""
    account = await port.account()
    wanted = read_template(template, project.parameters, account, only=name)
    try:
        return await bring_functions(port, wanted)
    finally:
        await remember(port, source_of(template), wanted, [layer for one in wanted for layer in one.layers])


def template_functions(project: Project, template: Path) -> list[str]:
    """The names of a template's functions."""
    return sorted(function_names(template, project.parameters, Account(project.region, project.account)))


async def publish_layer(port: EnginePort, content: Path, new: Callable[[bytes], NewLayerVersion]) -> str:
    """Publish what a folder or a zip archive holds as a layer version; its ARN."""
    version = await port.publish_layer_version(new(archive_of(content)))
    return layer_arn(await port.account(), version.name, version.version)


async def lacking(port: EnginePort, names: Iterable[str], project: Project) -> list[str]:
    """What keeps deployed functions from running, here or in the long run, a line for each."""
    catalogue = Catalogue(project.region, cache_folder(), project.runtimes)
    backend = (await port.status()).backend
    lines = []
    for version in await port.list_functions():
        if version.name not in names:
            continue
        if version.code.image is not None:
            able = project.backend == AUTO or registry.create(backend).capabilities.images
            lines += [] if able else [f"{version.name} cannot run on {backend}, which runs no images: docker does"]
            continue
        runtime = version.configuration.runtime
        found = await asyncio.to_thread(catalogue.look, runtime)
        if found is None:
            lines.append(f"{version.name} cannot run here: {runtime} is not among what workbench doctor lists")
        elif found[1]:
            lines.append(f"{version.name} cannot run yet: {found[0]} ({found[1]})")
        if (note := catalogue.deprecated(runtime, date.today())) is not None:
            lines.append(f"{version.name}: {note}")
        settings = version.configuration.settings
        if file_systems.file_systems(settings) and not registry.create(backend).capabilities.file_systems:
            lines.append(f"{version.name} cannot run on {backend}, which mounts no file systems: bubblewrap does")
        try:
            file_systems.shown(settings, project.file_systems)
        except EFSMountFailure as error:
            lines.append(f"{version.name} cannot run yet: {error}")
    return lines
