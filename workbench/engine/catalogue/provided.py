"""OS-only runtimes: the function brings its own program, `bootstrap`. All that they need here is an empty folder."""

from __future__ import annotations

from pathlib import Path

from workbench.engine.catalogue.languages import Entry, Realisation, prepared


class Provided:
    """The language `provided`."""

    def look(self, entry: Entry) -> tuple[str, str]:
        return "the function's own bootstrap", ""

    def realise(self, entry: Entry, cache: Path) -> Realisation:
        label = f"provided:{entry['os']}.v1"
        return Realisation(
            label=label,
            identity=label,
            client=prepared(cache / "provided", lambda folder: None, "provided"),
            command=("{bootstrap}",),
        )
