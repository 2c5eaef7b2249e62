"""Notices when an event loop stands still, and where."""

from __future__ import annotations

import asyncio
import sys
import threading
import traceback
from types import TracebackType

_EVERY = 0.02


class Watchdog:
    """A context in which a thread watches the running loop. `where` is the line that held it up, empty if none did.

    It counts its own wakings, so that a machine that lets neither run is not taken for a loop that is blocked.
    """

    def __init__(self, seconds: float) -> None:
        self.where = ""
        self._limit = int(seconds / _EVERY)
        self._missed = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)

    def __enter__(self) -> Watchdog:
        self._loop = asyncio.get_running_loop()
        self._watched = threading.get_ident()
        self._beat()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()
        self._timer.cancel()

    def _beat(self) -> None:
        self._missed = 0
        self._timer = self._loop.call_later(_EVERY, self._beat)

    def _watch(self) -> None:
        while not self._over.wait(_EVERY):
            self._missed += 1
            if self._missed >= self._limit and not self.where:
                frame = sys._current_frames()[self._watched]
                line = traceback.extract_stack(frame)[-1]
                self.where = f"{line.filename}:{line.lineno} ({line.name}: {line.line})"
