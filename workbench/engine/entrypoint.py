"""The command that starts a runtime inside a sandbox.

Source of the places of a bootstrap and of what is said when there is none: Lambda Developer Guide, "Building a custom
runtime", and AWS's runtime interface emulator. Source of wrapper scripts: the same guide, "Modifying the runtime
environment"; of what is said when there is none, the bootstrap of AWS's managed runtimes.
"""

from __future__ import annotations

import os
from pathlib import Path

from workbench.backends.api import ImageSettings, Layout
from workbench.model.functions import FunctionConfiguration
from workbench.model.runtimes import RuntimeVersion

_BOOTSTRAP = "bootstrap"
#: The variable in which a function names a wrapper script.
_WRAPPER = "AWS_LAMBDA_EXEC_WRAPPER"
#: $0 is the wrapper as the function names it, $1 where it is, the rest the runtime's own command. It looks from inside,
#: where the function's user, mounts and working directory are.
_THROUGH_WRAPPER = """\
[ -f "$1" ] || { echo "$0: does not exist"; exit 127; }
[ -x "$1" ] || { echo "$0: is not an executable"; exit 126; }
exec "$@"
"""


class NoEntrypoint(Exception):
    """The function brings its own program, and has none that can be started."""


def command(
    runtime: RuntimeVersion, configuration: FunctionConfiguration, layout: Layout, task: Path, opt: Path | None
) -> tuple[str, ...]:
    """The runtime's command with everything filled in. `task` and `opt` are the host's folders.

    A function of a managed runtime may have it started through a wrapper script.

    Raises:
        NoEntrypoint: it needs a bootstrap, and neither the code nor a layer has one.
    """
    names = {
        **_places(layout),
        "task": layout.task,
        "opt": layout.opt,
        "handler": configuration.handler,
        **_shares(configuration),
    }
    if "{bootstrap}" in runtime.command:
        names["bootstrap"] = _bootstrap(layout, task, opt)
    words = tuple(word.format_map(names) for word in runtime.command)
    wrapper = (configuration.environment or {}).get(_WRAPPER)
    if not wrapper or runtime.interpreter is None:
        return words
    return "/bin/sh", "-c", _THROUGH_WRAPPER, wrapper, _inside(wrapper, layout), *words


def _inside(path: str, layout: Layout) -> str:
    """A path of the function, as AWS has it, where it is on a backend that has no mounts."""
    for place, inside in (("/var/task", layout.task), ("/opt", layout.opt)):
        if path.startswith(f"{place}/"):
            return f"{inside or place}{path.removeprefix(place)}"
    return path


def image_command(image: ImageSettings, configuration: FunctionConfiguration) -> tuple[tuple[str, ...], str]:
    """The command of a container image and the folder that it starts in. What ImageConfig says replaces what the image
    says, each by itself (Lambda Developer Guide, "Create a Lambda function using a container image").

    Raises:
        NoEntrypoint: neither has a command.
    """
    given = configuration.settings.get("ImageConfig", {})
    words = (*(given.get("EntryPoint") or image.entry_point), *(given.get("Command") or image.command))
    if not words:
        raise NoEntrypoint("neither the image nor ImageConfig has an entry point or a command")
    return words, given.get("WorkingDirectory") or image.working_directory or "/"


def ahead_of(runtime: RuntimeVersion, configuration: FunctionConfiguration) -> tuple[str, ...]:
    """The command that boots a runtime ahead of such a function. The places are still to be filled in, by `ahead`."""
    names = {"interpreter": "{interpreter}", "runtime": "{runtime}", **_shares(configuration)}
    return tuple(word.format_map(names) for word in runtime.ahead)


def ahead(command: tuple[str, ...], layout: Layout) -> tuple[str, ...]:
    """What `ahead_of` has made, with the places filled in."""
    return tuple(word.format_map(_places(layout)) for word in command)


def _places(layout: Layout) -> dict[str, str]:
    return {"interpreter": layout.interpreter, "runtime": layout.runtime}


def _shares(configuration: FunctionConfiguration) -> dict[str, str]:
    size = configuration.memory_size
    return {"old_space": str(size * 90 // 100), "semi_space": str(max(1, size * 5 // 100))}


def _bootstrap(layout: Layout, task: Path, opt: Path | None) -> str:
    for outside, inside in ((task, layout.task), (opt, layout.opt)):
        if outside is not None:
            file = outside / _BOOTSTRAP
            if file.is_file() and os.access(file, os.X_OK):
                return f"{inside}/{_BOOTSTRAP}"
    # As on AWS, whatever the places are called here.
    raise NoEntrypoint(f"Couldn't find valid bootstrap(s): [/var/task/{_BOOTSTRAP} /opt/{_BOOTSTRAP}]")
