"""Runtimes: an identifier such as `python3.12`, and the runtime versions that realise it on this machine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar


@dataclass(frozen=True, slots=True, kw_only=True)
class InstalledRuntime:
    """A runtime version that this machine can run: the language's own version such as `3.11.7`, and its program."""

    runtime: str
    version: str
    arn: str
    interpreter: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeRollout:
    """The runtime version that functions of a runtime take, by its ARN.

    It was published at `since`, in epoch seconds. With `done`, phase two is over: every function in Auto has it.
    """

    kind: ClassVar[str] = "runtime"

    id: str
    published: str
    since: float
    done: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeOverview:
    """One runtime as people are shown it. `versions` are oldest to newest; the dates are those of the catalogue.

    `published` is the ARN that functions take, None where nothing here realises the runtime. `moves` is when a roll-out
    that is under way reaches the functions in Auto that nobody touched, in epoch seconds.
    """

    id: str
    versions: tuple[InstalledRuntime, ...]
    published: str | None = None
    moves: float | None = None
    deprecation: str | None = None
    deprecated: bool = False
    blocked: bool = False
    #: What would bring it, where nothing here realises it.
    mend: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeVersion:
    """One real runtime version, of whatever language.

    `label` and `arn` are what INIT_START prints. `client` is the host folder shown at /var/runtime. `interpreter` is
    the host path of the language's program and `prefix` the tree that it needs (`/usr` for a distribution's own); both
    are None where the function brings its own program.

    `command` is what runs inside, word by word. In a word, `{interpreter}`, `{runtime}`, `{task}` and `{opt}` stand for
    these places as the sandbox's layout has them, `{handler}` for the function's handler, `{old_space}` and
    `{semi_space}` for the shares of its memory in MB that AWS gives V8, and `{bootstrap}` for the function's own
    program: the first of `bootstrap` in its code and in its layers that can be executed.

    `ahead` is the command, in the same words but those of the function's own, that boots the runtime before there is a
    function: it asks `GET /_workbench/assignment` on the Runtime API and goes on as `command` does. Without one, of a
    spare nothing but its sandbox is made ahead.

    Where `image` names a container image, that is all there is: nothing is shown at /var/runtime or /var/task, and the
    command is the image's.
    """

    runtime: str
    label: str
    arn: str
    client: Path
    command: tuple[str, ...]
    interpreter: Path | None = None
    prefix: Path | None = None
    ahead: tuple[str, ...] = ()
    image: str | None = None

    @classmethod
    def of_image(cls, image: str) -> RuntimeVersion:
        """A container image, by its name, in place of a runtime: it brings everything itself."""
        return cls(runtime="", label="", arn="", client=Path("/var/runtime"), command=(), image=image)

    @property
    def is_python(self) -> bool:
        """Can the interpreter run programs in Python?"""
        return self.runtime.startswith("python")

    @property
    def language_version(self) -> str:
        """Python's version as `3.12`; empty for other languages."""
        return self.runtime.removeprefix("python") if self.is_python else ""
