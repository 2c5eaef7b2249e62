"""The terminal UI. It talks to an engine through `workbench.client.port` and nothing else.

Importing this package is cheap; Textual is loaded by `run`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.tui.saved import SavedEvent, read_saved_events

if TYPE_CHECKING:
    from workbench.client.recording import Player
    from workbench.tui.app import Outcome
    from workbench.tui.link import Connect

#: How often a second Textual may draw, in its own setting.
DRAWINGS = "500"
_FPS = "TEXTUAL_FPS"

__all__ = ["SavedEvent", "read_saved_events", "run"]


def run(
    connect: Connect,
    saved_events: Sequence[SavedEvent] = (),
    *,
    events_folder: Path | None = None,
    deploy: Callable[[], Awaitable[str]] | None = None,
    start: Callable[[], Awaitable[None]] | None = None,
    doctor: Callable[[], Awaitable[str]] | None = None,
    replay: Player | None = None,
    keys: Mapping[str, Any] | None = None,
    settings: Path | None = None,
) -> Outcome:
    """Run the terminal UI until the person leaves; the outcome says what became of the engine.

    `saved_events` are those of `events_folder`, where others can be saved. `connect` is awaited on the app's own event
    loop, first when the screen is up and again whenever the engine was lost; a `WorkbenchError` or `OSError` from it is
    shown and it is tried again. `start` starts an engine where one was lost. `deploy`, if there is something to deploy,
    answers with a sentence, `doctor` with what this machine offers. `replay` is the recording behind `connect`, if it
    is one. `keys` is the table of that name in `settings`, the project's workbench.toml. After a crash of the UI itself
    the traceback is on stderr.

    Raises:
        UsageError: `keys` names a command or a key that there is not, or gives two commands the same key.
    """
    import gc
    import os

    # Textual reads this once, when it is imported. After one that took long, the next drawing waits for one to two of
    # these periods: at the usual sixtieth of a second a key would wait longer for that than for anything else.
    ours = os.environ.setdefault(_FPS, DRAWINGS) is DRAWINGS
    from workbench.tui.app import Outcome, WorkbenchApp
    from workbench.tui.keymap import keymap

    if ours:
        del os.environ[_FPS]  # for what is started from here

    # What deltas bring has no cycles, and comes by the thousand: looking for cycles after every 700 objects would cost
    # twice as much as reading them.
    gc.freeze()
    gc.set_threshold(100_000, 20, 20)
    app = WorkbenchApp(
        connect,
        saved_events,
        events_folder=events_folder,
        deploy=deploy,
        start=start,
        doctor=doctor,
        replay=replay,
        keys=keymap(keys, str(settings)) if keys else None,
    )
    outcome = app.run()
    return outcome or (Outcome.CRASHED if app.return_code else Outcome.QUIT)
