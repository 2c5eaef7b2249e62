"""The command that starts a runtime inside a sandbox.

Source of the places of a bootstrap and of what is said when there is none: Lambda Developer Guide, "Building a custom
runtime", and AWS's runtime interface emulator.
"""

from __future__ import annotations

import os
from pathlib import Path

from workbench.backends.api import Layout
from workbench.model.functions import FunctionConfiguration
from workbench.model.runtimes import RuntimeVersion

_BOOTSTRAP = "bootstrap"


class NoEntrypoint(Exception):
    """The function brings its own program, and has none that can be started."""


def command(
    runtime: RuntimeVersion, configuration: FunctionConfiguration, layout: Layout, task: Path, opt: Path | None
) -> tuple[str, ...]:
    """The runtime's command with everything filled in. `task` and `opt` are the host's folders.

    Raises:
        NoEntrypoint: it needs a bootstrap, and neither the code nor a layer has one.
    """
    names = {
        "interpreter": layout.interpreter,
        "runtime": layout.runtime,
        "task": layout.task,
        "opt": layout.opt,
        "handler": configuration.handler,
        "old_space": str(configuration.memory_size * 90 // 100),
        "semi_space": str(max(1, configuration.memory_size * 5 // 100)),
    }
    if "{bootstrap}" in runtime.command:
        names["bootstrap"] = _bootstrap(layout, task, opt)
    return tuple(word.format_map(names) for word in runtime.command)


def _bootstrap(layout: Layout, task: Path, opt: Path | None) -> str:
    for outside, inside in ((task, layout.task), (opt, layout.opt)):
        if outside is not None:
            file = outside / _BOOTSTRAP
            if file.is_file() and os.access(file, os.X_OK):
                return f"{inside}/{_BOOTSTRAP}"
    # As on AWS, whatever the places are called here.
    raise NoEntrypoint(f"Couldn't find valid bootstrap(s): [/var/task/{_BOOTSTRAP} /opt/{_BOOTSTRAP}]")
