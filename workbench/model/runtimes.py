"""Runtimes: an identifier such as `python3.12`, and the runtime versions that realise it on this machine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


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
    """

    runtime: str
    label: str
    arn: str
    client: Path
    command: tuple[str, ...]
    interpreter: Path | None = None
    prefix: Path | None = None

    @property
    def is_python(self) -> bool:
        """Can the interpreter run programs in Python?"""
        return self.runtime.startswith("python")
