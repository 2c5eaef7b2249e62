"""The engine's end of what is carried to and from a container on another machine: see `relay`. One loop, no thread."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable
from contextlib import suppress

from workbench_docker.relay import CHUNK, ENOUGH


class Stream:
    """A descriptor of this machine. `say(data)` carries what is read from it, None at its end; `taken` is told of bytes
    that have been written to it, and `gone` called when it is closed.
    """

    def __init__(
        self,
        descriptor: int,
        say: Callable[[bytes | None], None],
        taken: Callable[[int], None],
        gone: Callable[[], None],
        *,
        readable: bool,
    ) -> None:
        self._descriptor = descriptor
        self._say = say
        self._taken = taken
        self._under_way = 0
        self._gone = gone
        self._pending = bytearray()
        self._last = False
        self._reading = readable
        self._writing = True
        self._loop = asyncio.get_running_loop()
        os.set_blocking(descriptor, False)
        if readable:
            self._loop.add_reader(descriptor, self._read)

    def take(self, data: bytes) -> None:
        """Write what has come from the other side."""
        if self._writing:
            self._pending += data
            self._write()

    def arrived(self, count: int) -> None:
        """So many bytes that were read from it are where they belong."""
        full, self._under_way = self._under_way >= ENOUGH, self._under_way - count
        if full and self._reading and self._under_way < ENOUGH:
            self._loop.add_reader(self._descriptor, self._read)

    def end(self) -> None:
        """The other side sends no more."""
        self._last = True
        if self._writing:
            self._write()

    def close(self) -> None:
        """Let go of it, whatever is left."""
        if self._descriptor >= 0:
            self._loop.remove_reader(self._descriptor)
            self._loop.remove_writer(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = -1
            self._gone()

    def _read(self) -> None:
        try:
            data = os.read(self._descriptor, CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data, self._writing = b"", False
        if data:
            self._under_way += len(data)
            if self._under_way >= ENOUGH:
                self._loop.remove_reader(self._descriptor)
            self._say(data)
            return
        self._loop.remove_reader(self._descriptor)
        self._reading = False
        self._say(None)
        self._done()

    def _write(self) -> None:
        try:
            while self._pending:
                count = os.write(self._descriptor, self._pending[:CHUNK])
                del self._pending[:count]
                self._taken(count)
        except BlockingIOError:
            self._loop.add_writer(self._descriptor, self._write)
            return
        except OSError:  # nobody reads it any more
            self._pending.clear()
            self._writing = False
        self._loop.remove_writer(self._descriptor)
        if self._last:
            self._writing = False
            if self._reading:
                with suppress(OSError), socket.socket(fileno=os.dup(self._descriptor)) as half:
                    half.shutdown(socket.SHUT_WR)
        self._done()

    def _done(self) -> None:
        if not self._reading and not self._writing:
            self.close()
