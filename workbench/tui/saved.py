"""Saved events: JSON that a person keeps beside a function, to fire it with."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class SavedEvent:
    """An event by its file's name without `.json`: `crash` and `crash-exit` both belong to the function `crash`."""

    name: str
    text: str

    def fits(self, function: str) -> bool:
        return self.name == function or self.name.startswith((f"{function}-", f"{function}."))


def read_saved_events(folder: Path) -> tuple[SavedEvent, ...]:
    """Every `*.json` of a folder, by name; none if there is no such folder. What is not UTF-8 is passed over."""
    events = []
    for path in sorted(folder.glob("*.json")):
        try:
            events.append(SavedEvent(path.stem, path.read_text("utf-8")))
        except (OSError, UnicodeDecodeError):
            continue
    return tuple(events)


def write_saved_event(folder: Path, event: SavedEvent) -> None:
    """Write an event to its file, in one step; the folder is made if need be. Raises OSError."""
    folder.mkdir(exist_ok=True)
    beside = folder / f".{event.name}.json.new"
    beside.write_text(event.text, "utf-8")
    beside.replace(folder / f"{event.name}.json")


def problem_of_name(name: str) -> str:
    """What is wrong with this as an event's name; nothing if it may be one."""
    if not name:
        return "it needs a name"
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}", name):
        return "letters, digits, - . and _ only, 100 at most"
    return ""


def events_for(function: str, events: Iterable[SavedEvent], functions: Sequence[str] = ()) -> list[SavedEvent]:
    """The events of a function, its namesake first. `hello-world` is not `hello`'s while a `hello-world` exists."""
    others = [name for name in functions if name != function and len(name) > len(function)]
    mine = [event for event in events if event.fits(function) and not any(event.fits(name) for name in others)]
    return sorted(mine, key=lambda event: (event.name != function, event.name))
