"""`workbench layers`: what functions share, one archive a version."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from workbench.cli.output import echo
from workbench.model.errors import UsageError

if TYPE_CHECKING:
    from workbench.model.layers import LayerVersion

app = typer.Typer(help="Publish, list and delete layers.", rich_markup_mode=None, no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="The layer.", metavar="NAME")]


@app.command("publish")
def publish(
    name: Name,
    content: Annotated[Path, typer.Argument(help="What functions see at /opt.", metavar="FOLDER|ZIP")],
    runtime: Annotated[
        list[str] | None, typer.Option("--runtime", "-r", help="A runtime that it goes with; may be repeated.")
    ] = None,
    architecture: Annotated[
        list[str] | None, typer.Option("--architecture", help="x86_64 or arm64; may be repeated.")
    ] = None,
    description: Annotated[str, typer.Option("--description", "-d", help="Of the new version.")] = "",
    license_info: Annotated[str | None, typer.Option("--license", help="Its licence: a name, a URL or text.")] = None,
) -> None:
    """Publish a folder or a zip archive as the layer's next version; its ARN goes to stdout."""
    from workbench.app.templates import publish_layer
    from workbench.cli.engines import attach
    from workbench.cli.loop import run
    from workbench.client.project import find_project
    from workbench.model.layers import LAYER_NAME_PATTERN, NewLayerVersion

    if not LAYER_NAME_PATTERN.fullmatch(name):
        raise UsageError(f"'{name}' is no layer name: letters, digits, - and _, 140 at most")

    def new(code: bytes) -> NewLayerVersion:
        return NewLayerVersion(
            name=name,
            code=code,
            description=description,
            license_info=license_info,
            runtimes=tuple(runtime or ()),
            architectures=tuple(architecture or ()),
        )

    async def main() -> None:
        async with attach(find_project()) as attached:
            echo(await publish_layer(attached.port, content, new))

    run(main())


@app.command("list")
def list_layers(
    name: Annotated[str | None, typer.Argument(help="Every version of this layer.", metavar="NAME")] = None,
) -> None:
    """List the layers with their newest version, or the versions of one, newest first."""
    from workbench.cli.engines import attach
    from workbench.cli.loop import run
    from workbench.client.project import find_project
    from workbench.model.layers import layer_arn

    async def main() -> None:
        async with attach(find_project()) as attached:
            account = await attached.port.account()
            seen: set[str] = set()
            versions = await attached.port.list_layer_versions(name)
            if name is not None and not versions:
                there = sorted({version.name for version in await attached.port.list_layer_versions(None)})
                raise UsageError(f"there is no layer '{name}'; there are: {', '.join(there) or 'none'}")
            if not versions:
                typer.echo("no layers yet: `workbench layers publish NAME FOLDER` makes one", err=True)
            for version in versions:
                if name is not None or version.name not in seen:
                    echo(describe(version, layer_arn(account, version.name, version.version)))
                seen.add(version.name)

    run(main())


@app.command("delete")
def delete(name: Name, version: Annotated[int, typer.Argument(help="The version.", min=1)]) -> None:
    """Delete a version; functions that have it keep it, and its number is not used again."""
    from workbench.cli.engines import attach
    from workbench.cli.loop import run
    from workbench.client.project import find_project

    async def main() -> None:
        async with attach(find_project()) as attached:
            await attached.port.delete_layer_version(name, version)
        echo(f"deleted version {version} of {name}")

    run(main())


def describe(version: LayerVersion, arn: str) -> str:
    """`arn:…:layer:greetings:2  1.2 kB  python3.12`."""
    words = [arn, f"{version.code.size / 1000:.1f} kB", *version.runtimes, *version.architectures, version.description]
    return "  ".join(word for word in words if word)
