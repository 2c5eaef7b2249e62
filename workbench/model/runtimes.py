"""Runtimes: an identifier such as `python3.12`, and the runtime versions that realise it on this machine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeVersion:
    """One real runtime version.

    `label` and `arn` are what INIT_START prints. `interpreter` is its host path and `prefix` the tree that it needs
    (`/usr` for a distribution's own). `client` is the host folder shown at /var/runtime: the runtime interface client
    and `boot`, the program in it that the interpreter runs, with `flags` before it.
    """

    runtime: str
    label: str
    arn: str
    interpreter: Path
    prefix: Path
    client: Path
    boot: str
    flags: tuple[str, ...] = ()
