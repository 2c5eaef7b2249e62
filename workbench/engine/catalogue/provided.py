"""OS-only runtimes: the function brings its own program, `bootstrap`. All that they need here is an empty folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from workbench.engine.catalogue.languages import Entry, Program, Programs, Realisation, prepared


class Provided:
    """The language `provided`."""

    def look(self, entry: Entry, added: Sequence[Path]) -> tuple[str, str]:
        return "the function's own bootstrap", ""

    def own(self, entry: Entry) -> Program | None:
        return None

    def programs(self, entry: Entry, added: Sequence[Path]) -> Programs:
        return {"1": None}

    def realise(self, entry: Entry, version: str, program: Program | None, cache: Path) -> Realisation:
        return Realisation(
            label=f"provided:{entry['os']}.v{version}",
            client=prepared(cache / "provided", lambda folder: None, "provided"),
            command=("{bootstrap}",),
        )
