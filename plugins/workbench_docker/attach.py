"""The stdin, stdout and stderr of a container, over one connection to its daemon.

Source: Docker Engine API, "Attach to a container": the connection is upgraded; what comes is in pieces with a header of
eight bytes (stream, three zeros, length), what goes is as it is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from workbench.model.errors import BackendError
from workbench_docker import daemon
from workbench_docker.calls import PATIENCE
from workbench_docker.daemon import Daemon

_STDOUT = 1
#: No message of a relay is longer.
_MOST = 4 << 20


class Attached:
    """An open connection. `frame` gets each message of the container's relay, `complaint` what it writes on stderr."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        frame: Callable[[bytes], None],
        complaint: Callable[[bytes], None],
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._frame = frame
        self._complaint = complaint
        self._buffer = bytearray()

    def send(self, *fields: bytes) -> None:
        """One message to the relay."""
        body = b"\0".join(fields)
        if not self._writer.is_closing():
            self._writer.write(len(body).to_bytes(4, "big") + body)

    async def read(self) -> bool:
        """Take the next piece of what comes; False at the end."""
        try:
            header = await self._reader.readexactly(8)
            piece = await self._reader.readexactly(int.from_bytes(header[4:], "big"))
        except (asyncio.IncompleteReadError, OSError):
            return False
        if header[0] != _STDOUT:
            self._complaint(piece)
            return True
        self._buffer += piece
        while len(self._buffer) >= 4:
            size = int.from_bytes(self._buffer[:4], "big")
            if size > _MOST:
                return False
            if len(self._buffer) < 4 + size:
                break
            body = bytes(self._buffer[4 : 4 + size])
            del self._buffer[: 4 + size]
            self._frame(body)
        return True

    def close(self) -> None:
        """End it: the container's stdin ends, too."""
        self._writer.close()


async def attach(
    to: Daemon, container: str, frame: Callable[[bytes], None], complaint: Callable[[bytes], None]
) -> Attached:
    """Attach to a container that was made to have an open stdin.

    Raises:
        BackendError: the daemon does not answer, or would not.
    """
    writer: asyncio.StreamWriter | None = None
    try:
        async with asyncio.timeout(PATIENCE):
            if "://" in to.path:
                host, port = daemon.place(to.path)
                reader, writer = await asyncio.open_connection(host, port, ssl=daemon.tls())
            else:
                reader, writer = await asyncio.open_unix_connection(to.path)
            query = "stream=1&stdin=1&stdout=1&stderr=1"
            writer.write(
                f"POST /v{to.api}/containers/{container}/attach?{query} HTTP/1.1\r\nHost: docker\r\n"
                "Connection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: 0\r\n\r\n".encode()
            )
            head = await reader.readuntil(b"\r\n\r\n")
        if head.split(b" ", 2)[1] not in (b"101", b"200"):
            said = head.split(b"\r\n", 1)[0].decode("utf-8", "replace")
            raise BackendError(f"Docker cannot attach to a container: {said}")
    except BaseException as error:
        if writer is not None:
            writer.close()
        if isinstance(error, OSError | ValueError | asyncio.IncompleteReadError | asyncio.LimitOverrunError):
            raise BackendError(
                f"Docker cannot attach to a container: no daemon answers at {to.path} ({error})", mend=to.start_command
            ) from error
        raise
    return Attached(reader, writer, frame, complaint)
