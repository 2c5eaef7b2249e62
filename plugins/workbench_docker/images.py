"""Which image a runtime runs on: the user's choice, one made for Workbench, or AWS's own."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from typing import IO, Any, cast

from workbench.backends.api import ImageSettings
from workbench.model.errors import BackendError
from workbench_docker.calls import PULL_PATIENCE, Calls, Refused, patience

#: Names the image of every function: for trying out one of your own.
VARIABLE = "WORKBENCH_DOCKER_IMAGE"
#: Seconds between two words about a fetch.
_PAUSE = 0.5
#: Takes a word about it, and whether that is the last.
Report = Callable[[str, bool], None]
REGISTRY = "public.ecr.aws/lambda"


@dataclass(frozen=True, slots=True)
class Image:
    """An image that is on this machine. `digest` is that of its registry, where it came from one."""

    name: str
    id: str
    digest: str
    settings: ImageSettings


def names(runtime: str) -> tuple[str, ...]:
    """The images to look for, the first that is there being it; the last is what is fetched when none is."""
    if chosen := os.environ.get(VARIABLE):
        return (chosen,)
    return (f"workbench/{runtime}", published(runtime))


def published(runtime: str) -> str:
    """The name of AWS's image: `python3.12` is `python:3.12`, `nodejs22.x` is `nodejs:22`."""
    language, version = re.fullmatch(r"([a-z]+)\.?(.*?)(?:\.x)?", runtime).groups()  # type: ignore[union-attr]
    return f"{REGISTRY}/{language}:{version or 'latest'}"


async def find(calls: Calls, runtime: str, report: Report) -> Image:
    """The image of a runtime; fetched, if it must be, and then `report` hears how that goes on.

    Raises:
        BackendError: there is none, or it is not one to use.
    """
    wanted = names(runtime)
    for name in wanted:
        if (image := await look(calls, name)) is not None:
            return image
    name = wanted[-1]
    mend = f"docker pull {name}, or set {VARIABLE} to an image that has {runtime} in /var/lang"
    return await _fetch(calls, name, f"there is no image for {runtime}", mend, report)


async def find_named(calls: Calls, name: str, report: Report) -> Image:
    """The image of a function that is one; fetched, if it must be.

    Raises:
        BackendError: there is none, or it is not one to use.
    """
    if (image := await look(calls, name)) is not None:
        return image
    mend = f"docker build -t {name} FOLDER; or docker login, for a registry that asks who you are"
    return await _fetch(calls, name, f"there is no image {name}", mend, report)


def missing(tags: Collection[str]) -> str | None:
    """What is to be said of the images that zip functions run on, where these tags are there; None: there are some."""
    chosen = os.environ.get(VARIABLE)
    if chosen:
        there = {chosen, f"{chosen}:latest"} & set(tags)
        return None if there else f"{VARIABLE} names {chosen}, which is not here yet: docker pull {chosen}"
    if any(tag.startswith((f"{REGISTRY}/", "workbench/")) for tag in tags):
        return None
    return (
        "no image of a runtime is here yet; one is fetched when it is first needed, if its registry can be reached: "
        f"docker pull {published('python3.13')}"
    )


async def _fetch(calls: Calls, name: str, missing: str, mend: str, report: Report) -> Image:
    progress = Progress(name, report)
    try:
        await calls(f"fetch the image {name}", lambda client: _pull(client, name, progress))
    except BackendError as error:
        progress.end("failed")
        raise BackendError(f"{missing}: {error.message}", mend=mend) from error
    progress.end("done")
    image = await look(calls, name)
    if image is None:
        raise BackendError(f"{missing}, although it was fetched", mend=mend)
    return image


async def look(calls: Calls, name: str) -> Image | None:
    """The image of this name, if it is here.

    Raises:
        BackendError: it is not one to use.
    """
    try:
        found: dict[str, Any] = await calls(f"look at the image {name}", lambda client: client.inspect_image(name))
    except Refused as error:
        if error.status == 404:
            return None
        raise
    says = found.get("Config") or {}
    if volumes := says.get("Volumes"):
        # A volume is writable whatever the container's flags are, and outlives it.
        raise BackendError(
            f"the image {name} declares volumes ({', '.join(volumes)}), which would be writable",
            mend="build it without VOLUME",
        )
    digests = [digest.partition("@sha256:")[2] for digest in found.get("RepoDigests") or ()]
    settings = ImageSettings(
        entry_point=tuple(says.get("Entrypoint") or ()),
        command=tuple(says.get("Cmd") or ()),
        working_directory=says.get("WorkingDir") or "",
        environment=dict(variable.split("=", 1) for variable in says.get("Env") or () if "=" in variable),
    )
    return Image(name, found["Id"], next(iter(digests), found["Id"].removeprefix("sha256:")), settings)


def with_extensions(settings: ImageSettings, names: tuple[str, ...]) -> ImageSettings:
    """What an image says, and the extensions that were found in it."""
    return replace(settings, extensions=names)


def extensions(client: Any, container: str) -> tuple[str, ...]:
    """The names of the programs in /opt/extensions of a container that was made of an image."""
    import tarfile

    from docker.errors import NotFound

    try:
        stream, _ = client.get_archive(container, "/opt/extensions")
    except NotFound:
        return ()
    with tarfile.open(fileobj=cast(IO[bytes], _Pieces(stream)), mode="r|") as tar:
        entries = [entry for entry in tar if not entry.isdir() and entry.name.count("/") == 1]
        return tuple(sorted(entry.name.partition("/")[2] for entry in entries))


class _Pieces:
    """What arrives in pieces, to be read."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self._left = b""

    def read(self, size: int) -> bytes:
        while len(self._left) < size and (piece := next(self._pieces, b"")):
            self._left += piece
        taken, self._left = self._left[:size], self._left[size:]
        return taken


class Progress:
    """Adds up how far the layers of an image are."""

    def __init__(self, name: str, report: Report) -> None:
        self._name = name
        self._report = report
        self._layers: dict[str, tuple[int, int]] = {}
        self._last = 0.0
        self._said = False

    def take(self, line: dict[str, Any]) -> None:
        """One line of what the daemon says."""
        detail = line.get("progressDetail") or {}
        if line.get("status") == "Downloading" and detail.get("total"):
            self._layers[line["id"]] = (detail["current"], detail["total"])
        elif line.get("status") == "Download complete" and line.get("id") in self._layers:
            total = self._layers[line["id"]][1]
            self._layers[line["id"]] = (total, total)
        if time.monotonic() - self._last >= _PAUSE:
            self._last = time.monotonic()
            self._say(str(line.get("status", "")).lower(), over=False)

    def end(self, how: str) -> None:
        if self._said:
            self._say(how, over=True)

    def _say(self, status: str, *, over: bool) -> None:
        self._said = True
        done, total = (
            (sum(sizes) >> 20 for sizes in zip(*self._layers.values(), strict=True)) if self._layers else (0, 0)
        )
        figures = f" {done} of {total} MB," if total else ""
        self._report(f"fetching {self._name}:{figures} {status}", over)


def _pull(client: Any, name: str, progress: Progress) -> None:
    from docker.errors import APIError
    from docker.utils import parse_repository_tag

    repository, tag = parse_repository_tag(name)
    with patience(client, PULL_PATIENCE):
        for line in client.pull(repository, tag=tag or "latest", stream=True, decode=True):
            if "error" in line:
                raise APIError(line["error"], explanation=line["error"])
            progress.take(line)
