"""Which image a runtime runs on: the user's choice, one made for Workbench, or AWS's own."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import Any

from workbench.model.errors import BackendError
from workbench_docker.calls import Calls, Refused

#: Names the image of every function: for trying out one of your own.
VARIABLE = "WORKBENCH_DOCKER_IMAGE"
REGISTRY = "public.ecr.aws/lambda"


@dataclass(frozen=True, slots=True)
class Image:
    """An image that is on this machine."""

    name: str
    id: str


def names(runtime: str) -> tuple[str, ...]:
    """The images to look for, the first that is there being it; the last is what is fetched when none is."""
    if chosen := os.environ.get(VARIABLE):
        return (chosen,)
    return (f"workbench/{runtime}", published(runtime))


def published(runtime: str) -> str:
    """The name of AWS's image: `python3.12` is `python:3.12`, `nodejs22.x` is `nodejs:22`."""
    language, version = re.fullmatch(r"([a-z]+)\.?(.*?)(?:\.x)?", runtime).groups()  # type: ignore[union-attr]
    return f"{REGISTRY}/{language}:{version or 'latest'}"


async def find(calls: Calls, runtime: str) -> Image:
    """The image of a runtime; fetched, if it must be.

    Raises:
        BackendError: there is none, or it is not one to use.
    """
    wanted = names(runtime)
    for name in wanted:
        if (image := await _look(calls, name)) is not None:
            return image
    name = wanted[-1]
    mend = f"docker pull {name}, or set {VARIABLE} to an image that has {runtime} in /var/lang"
    try:
        await calls(f"fetch the image {name}", lambda client: _pull(client, name))
    except BackendError as error:
        raise BackendError(f"there is no image for {runtime}: {error.message}", mend=mend) from error
    image = await _look(calls, name)
    if image is None:
        raise BackendError(f"there is no image {name}, although it was fetched", mend=mend)
    return image


async def _look(calls: Calls, name: str) -> Image | None:
    try:
        found: dict[str, Any] = await calls(f"look at the image {name}", lambda client: client.inspect_image(name))
    except Refused as error:
        if error.status == 404:
            return None
        raise
    if volumes := (found.get("Config") or {}).get("Volumes"):
        # A volume is writable whatever the container's flags are, and outlives it.
        raise BackendError(
            f"the image {name} declares volumes ({', '.join(volumes)}), which would be writable",
            mend="build it without VOLUME",
        )
    return Image(name, found["Id"])


def _pull(client: Any, name: str) -> None:
    from docker.errors import APIError
    from docker.utils import parse_repository_tag

    repository, tag = parse_repository_tag(name)
    for line in client.pull(repository, tag=tag or "latest", stream=True, decode=True):
        if "error" in line:
            raise APIError(line["error"], explanation=line["error"])
