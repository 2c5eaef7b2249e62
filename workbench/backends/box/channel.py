"""The engine's end of the socket to a sandbox's init. What arrives comes from inside: nothing of it is trusted."""

from __future__ import annotations

import array
import asyncio
import os
import socket
from collections.abc import Callable, Sequence

from workbench.model.errors import BackendError

#: The largest message: a start request with the function's variables. AWS allows 4 KB of those.
MAX_MESSAGE = 1 << 20
#: A message from init has a name, a few numbers and an error text.
MAX_ANSWER = 4096

OnMessage = Callable[[list[bytes], list[int]], None]


class Channel:
    """Sends requests with descriptors, and calls back on the loop for every answer.

    `connection` is the engine's end when the sandbox has connected to it; without one, a pair is made and `theirs` is
    for the sandbox to inherit.
    """

    def __init__(self, on_message: OnMessage, connection: socket.socket | None = None) -> None:
        self._theirs: socket.socket | None = None
        if connection is None:
            connection, self._theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._ours = connection
        self._ours.setblocking(False)
        self._ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, MAX_MESSAGE)
        self._on_message = on_message
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._ours.fileno(), self._readable)

    @property
    def theirs(self) -> int:
        """The descriptor that the sandbox inherits."""
        assert self._theirs is not None
        return self._theirs.fileno()

    def handed_over(self) -> None:
        """The sandbox has its end: close this process's copy."""
        if self._theirs is not None:
            self._theirs.close()
            self._theirs = None

    def send(self, fields: Sequence[bytes], descriptor: int | None = None) -> None:
        """Send one request.

        Raises:
            BackendError: the sandbox is gone, or the message too large.
        """
        if any(b"\0" in field for field in fields):
            raise BackendError("an argument or a variable holds a NUL")
        rights = [] if descriptor is None else [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [descriptor]))]
        try:
            self._ours.sendmsg([b"\0".join(fields)], rights)
        except OSError as error:
            raise BackendError(f"the sandbox does not take a request: {error.strerror}") from error

    def close(self) -> None:
        """Read what is left, then close: init ends when it sees that."""
        self.handed_over()
        if self._ours.fileno() >= 0:
            self._readable()
        if self._ours.fileno() >= 0:
            self._close()

    def _close(self) -> None:
        self._loop.remove_reader(self._ours.fileno())
        self._ours.close()

    def _readable(self) -> None:
        while self._ours.fileno() >= 0:
            try:
                message, rights, _, _ = self._ours.recvmsg(MAX_ANSWER, 256, socket.MSG_CMSG_CLOEXEC)
            except BlockingIOError:
                return
            except OSError:  # reset: the other end is gone with requests unread
                message, rights = b"", []
            descriptors = [number for level, kind, data in rights for number in _descriptors(level, kind, data)]
            if not message:
                for descriptor in descriptors:
                    os.close(descriptor)
                self._close()
                return
            self._on_message(message.split(b"\0"), descriptors)


def socket_from(descriptors: list[int]) -> socket.socket | None:
    """The TCP socket among received descriptors; all others are closed."""
    found = sockets_from(descriptors)
    for unexpected in found[1:]:
        unexpected.close()
    return found[0] if found else None


def sockets_from(descriptors: list[int]) -> list[socket.socket]:
    """The TCP sockets among received descriptors; all others are closed."""
    found: list[socket.socket] = []
    for descriptor in descriptors:
        try:
            received = socket.socket(fileno=descriptor)
        except OSError:  # no socket at all
            os.close(descriptor)
            continue
        if received.family == socket.AF_INET and received.type == socket.SOCK_STREAM:
            found.append(received)
        else:
            received.close()
    return found


def _descriptors(level: int, kind: int, data: bytes) -> list[int]:
    if (level, kind) != (socket.SOL_SOCKET, socket.SCM_RIGHTS):
        return []
    numbers = array.array("i")
    numbers.frombytes(data[: len(data) - len(data) % numbers.itemsize])
    return list(numbers)
