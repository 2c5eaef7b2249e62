"""Both ends of a Runtime API listener: a link that records, and a client's side of a connection."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from typing import Any

from workbench.engine.ports import ACCEPTED, Answer, NextEvent, ResponseSink


class Link:
    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.open: list[int] = []
        self.asked: asyncio.Future[Callable[[NextEvent], None]] = asyncio.get_running_loop().create_future()
        self.answer: Answer = ACCEPTED
        self.extensions: Any = None
        self.sink: Callable[[Callable[[], None]], ResponseSink] | None = None

    def next(self, reply: Callable[[NextEvent], None]) -> Answer | None:
        if not self.asked.done():
            self.asked.set_result(reply)
        return None if self.answer is ACCEPTED else self.answer

    def respond(self, request_id: str, body: bytes, content_type: str = "") -> Answer:
        self.calls.append(("respond", request_id, body))
        return self.answer

    def stream(self, request_id: str, content_type: str, resume: Callable[[], None]) -> ResponseSink | Answer:
        self.calls.append(("stream", request_id, content_type))
        return self.answer if self.sink is None else self.sink(resume)

    def fail(self, request_id: str, error_type: str, body: bytes) -> Answer:
        self.calls.append(("fail", request_id, error_type, body))
        return self.answer

    def fail_init(self, error_type: str, body: bytes) -> Answer:
        self.calls.append(("fail_init", error_type, body))
        return self.answer

    def assignment(self, loaded: Collection[str], reply: Callable[[bytes], None]) -> Answer | None:
        self.calls.append(("assignment", list(loaded)))
        if self.answer is ACCEPTED:
            reply(b'{"folder":"/var/task"}')
            return None
        return self.answer

    def lost(self, reply: Callable[[NextEvent], None]) -> None:
        self.calls.append(("lost", reply))

    def connections(self, count: int) -> None:
        self.open.append(count)


class Runtime:
    """A runtime's side of a connection."""

    def __init__(self, link: Link, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.link = link
        self.reader, self.writer = reader, writer

    def send(self, method: str, path: str, body: bytes = b"", **headers: str) -> None:
        lines = [f"{method} {path} HTTP/1.1", "host: x", f"content-length: {len(body)}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        self.writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    async def answer(self) -> tuple[int, dict[str, str], bytes]:
        head = (await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), 5)).decode().split("\r\n")
        headers = dict(line.split(": ", 1) for line in head[1:] if line)
        body = await self.reader.readexactly(int(headers.get("content-length") or headers["Content-Length"]))
        return int(head[0].split()[1]), headers, body
