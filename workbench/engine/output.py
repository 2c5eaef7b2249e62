"""The output of an environment's processes: one pipe, read into lines by the engine itself.

Because the engine reads the pipe, it can empty it at the moment a runtime posts its response: every line written before
belongs to that invocation, with no protocol between the two (docs/decisions). A flood is taken in small turns: the pipe
fills up meanwhile and slows its writer, and no other environment waits.
"""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Callable

#: A longer line is cut into pieces of this size (CloudWatch Logs' event size).
MAX_LINE = 256 * 1024
_CHUNK = 64 * 1024
#: Lines that are handed on in one turn of the loop.
_TURN = 200
#: Lines and bytes that are taken in at once when a response is posted.
_DRAIN_LINES, _DRAIN_BYTES = 2_000, 1024 * 1024


class Output:
    """The read end of a pipe; `on_line` gets each line without its end, on the engine's loop."""

    def __init__(self, on_line: Callable[[str], None]) -> None:
        self._read, self.write_end = os.pipe()
        os.set_blocking(self._read, False)
        self._on_line = on_line
        self._lines: deque[bytes] = deque()
        self._partial = bytearray()
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._read, self._turn)
        self._open = True
        self._reading = True

    def started(self) -> None:
        """The process has its copy of the write end; close ours, so that the last writer's end is the end of file."""
        if self.write_end >= 0:
            os.close(self.write_end)
            self.write_end = -1

    def hand_over(self, on_line: Callable[[str], None]) -> None:
        """Give the lines from now on to somebody else."""
        self._on_line = on_line

    def drain(self) -> None:
        """Take in everything written up to now, within bounds; an unfinished line counts as a line."""
        lines, room = _DRAIN_LINES, _DRAIN_BYTES
        while lines > 0 and room > 0:
            if not self._lines:
                taken = self._take()
                room -= taken
                if not taken and not self._lines:
                    break
            lines -= self._hand_on(lines)
        if not self._lines and self._partial:
            self._emit(bytes(self._partial))
            self._partial.clear()

    def close(self) -> None:
        """Take in what is left, within bounds, and let go."""
        self.drain()
        self._lines.clear()
        self._close()
        self.started()

    def _turn(self) -> None:
        """One turn of the loop: hand on what is waiting, and read again only when nothing is."""
        if not self._lines:
            self._take()
        self._hand_on(_TURN)
        if self._lines:
            if self._reading:
                self._reading = False
                self._loop.remove_reader(self._read)
            self._loop.call_soon(self._turn)
        elif self._open and not self._reading:
            self._reading = True
            self._loop.add_reader(self._read, self._turn)

    def _take(self) -> int:
        """Read once; the number of bytes."""
        if not self._open:
            return 0
        try:
            chunk = os.read(self._read, _CHUNK)
        except BlockingIOError:
            return 0
        if not chunk:
            self._close()
            if self._partial:  # nobody is left to finish the line
                self._lines.append(bytes(self._partial))
                self._partial.clear()
            return 0
        size = len(chunk)
        if self._partial:
            chunk = bytes(self._partial) + chunk
            self._partial.clear()
        *lines, rest = chunk.split(b"\n")
        self._lines.extend(lines)
        while len(rest) > MAX_LINE:
            self._lines.append(rest[:MAX_LINE])
            rest = rest[MAX_LINE:]
        self._partial += rest
        return size

    def _hand_on(self, budget: int) -> int:
        count = min(budget, len(self._lines))
        for _ in range(count):
            self._emit(self._lines.popleft())
        return count

    def _emit(self, line: bytes) -> None:
        self._on_line(line.decode("utf-8", "replace"))

    def _close(self) -> None:
        if self._open:
            self._open = False
            if self._reading:
                self._reading = False
                self._loop.remove_reader(self._read)
            os.close(self._read)
