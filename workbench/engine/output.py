"""The output of an environment's processes: one pipe, read into lines by the engine itself.

Because the engine reads the pipe, it can empty it at the moment a runtime posts its response: every line written before
belongs to that invocation, with no protocol between the two (docs/decisions).
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

#: A longer line is cut into pieces of this size (CloudWatch Logs' event size).
MAX_LINE = 256 * 1024
_CHUNK = 64 * 1024
#: At most this much is read at once when a response is posted, so that a flood cannot hold the loop.
_DRAIN = 1024 * 1024


class Output:
    """The read end of a pipe; `on_line` gets each line without its end, on the engine's loop."""

    def __init__(self, on_line: Callable[[str], None]) -> None:
        self._read, self.write_end = os.pipe()
        os.set_blocking(self._read, False)
        self._on_line = on_line
        self._partial = bytearray()
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._read, self._readable)
        self._open = True

    def started(self) -> None:
        """The process has its copy of the write end; close ours, so that the last writer's end is the end of file."""
        if self.write_end >= 0:
            os.close(self.write_end)
            self.write_end = -1

    def drain(self) -> None:
        """Take in everything written up to now; an unfinished line counts as a line."""
        taken = 0
        while self._open and taken < _DRAIN:
            size = self._readable()
            if not size:
                break
            taken += size
        if self._partial:
            self._emit(bytes(self._partial))
            self._partial.clear()

    def close(self) -> None:
        """Take in what is left and let go."""
        if self._open:
            self.drain()
        self._close()
        self.started()

    def _readable(self) -> int:
        try:
            chunk = os.read(self._read, _CHUNK)
        except BlockingIOError:
            return 0
        if not chunk:
            self._close()
            return 0
        self._split(chunk)
        return len(chunk)

    def _split(self, chunk: bytes) -> None:
        if self._partial:
            chunk = bytes(self._partial) + chunk
            self._partial.clear()
        *lines, rest = chunk.split(b"\n")
        for line in lines:
            self._emit(line)
        while len(rest) > MAX_LINE:
            self._emit(rest[:MAX_LINE])
            rest = rest[MAX_LINE:]
        self._partial += rest

    def _emit(self, line: bytes) -> None:
        self._on_line(line.decode("utf-8", "replace"))

    def _close(self) -> None:
        if self._open:
            self._open = False
            self._loop.remove_reader(self._read)
            os.close(self._read)
