"""The road to an engine in another process: the port's calls over `/_workbench/v1/call` with the endpoint's key."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from workbench.client.calls import Method, methods
from workbench.client.port import EnginePort
from workbench.client.project import Endpoint
from workbench.model import errors
from workbench.model.codec import decode_json
from workbench.model.errors import ApiError, EngineGone, WorkbenchError, api_error


class RemoteEngine:
    """Connections to one engine, kept open and reused. Use `connect`, which types it as the port."""

    def __init__(self, endpoint: Endpoint) -> None:
        parts = urlsplit(endpoint.url)
        self._host, self._port = parts.hostname or "127.0.0.1", parts.port or 80
        self._key = endpoint.key
        self._free: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = methods().get(name)
        if method is None:
            raise AttributeError(name)

        def call(*args: Any, **kwargs: Any) -> Any:
            return self._call(method, method.pack(args, kwargs))

        return call

    async def aclose(self) -> None:
        for _, writer in self._free:
            writer.close()
        self._free.clear()

    async def _call(self, method: Method, arguments: dict[str, Any]) -> Any:
        path = f"/_workbench/v1/call/{method.name}"
        status, body = await self._post(path, json.dumps(arguments).encode(), method.repeatable)
        try:
            if status == 200:
                return decode_json(method.answer, body)
            data = json.loads(body)
            if not isinstance(data, dict):
                raise ValueError("an error without a message")
        except ValueError as error:
            raise EngineGone(
                f"what answers at {self._host}:{self._port} is no engine of this version: {error}"
            ) from error
        raise _error(data)

    async def _post(self, path: str, body: bytes, repeatable: bool) -> tuple[int, bytes]:
        """Send one request; a kept connection that the engine has closed meanwhile is replaced.

        One that breaks after the request was sent is too, but only for what may be carried out twice.
        """
        head = (
            f"POST {path} HTTP/1.1\r\nhost: {self._host}:{self._port}\r\nauthorization: Bearer {self._key}\r\n"
            f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        while True:
            connection = self._kept()
            try:
                reader, writer = connection or await asyncio.open_connection(self._host, self._port)
            except OSError as error:
                raise EngineGone(f"the engine at {self._host}:{self._port} does not answer: {error}") from error
            whole = False
            try:
                writer.write(head.encode("latin-1") + body)
                await writer.drain()
                answer = await _read(reader)
                whole = True
            except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, IndexError, ValueError) as error:
                if connection is None or not repeatable:
                    raise EngineGone(f"the engine at {self._host}:{self._port} went away: {error}") from error
                continue
            finally:
                if whole:
                    self._free.append((reader, writer))
                else:
                    writer.close()
            return answer

    def _kept(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        """An open connection from an earlier call."""
        while self._free:
            reader, writer = self._free.pop()
            if not (reader.at_eof() or reader.exception() or writer.is_closing()):
                return reader, writer
            writer.close()
        return None


def connect(endpoint: Endpoint) -> EnginePort:
    """The engine behind an endpoint, as the port. No connection is made before the first call."""
    remote: Any = RemoteEngine(endpoint)
    port: EnginePort = remote
    return port


async def _read(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    status = int((await reader.readuntil(b"\r\n")).split(b" ", 2)[1])
    length = 0
    while (line := await reader.readuntil(b"\r\n")) != b"\r\n":
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    return status, await reader.readexactly(length)


def _error(data: dict[str, Any]) -> WorkbenchError:
    """The error as the engine raised it."""
    if "code" in data:
        return api_error(data["code"], data["message"], **data.get("members", {}))
    kind = getattr(errors, data.get("kind", ""), WorkbenchError)
    if not (isinstance(kind, type) and issubclass(kind, WorkbenchError)) or issubclass(kind, ApiError):
        kind = WorkbenchError
    error = WorkbenchError.__new__(kind)
    WorkbenchError.__init__(error, data.get("message", "the engine failed"), mend=data.get("mend"))
    return error
