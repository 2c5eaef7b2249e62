"""The one HTTP/1.1 protocol, for the Runtime API and for the front doors alike.

Parsing is httptools' (llhttp), which refuses smuggling and malformed framing. Limits and keep-alive are ours.
Source: RFC 9112.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Protocol

import httptools

from workbench.http.messages import Request, Response, StreamedResponse

#: Bytes of request line and headers together, and how many header lines.
MAX_HEAD = 1_048_576
MAX_HEADERS = 256
#: Bytes from which on a request that is still arriving is a large one.
LARGE = 65_536
#: Seconds that a request may take from its first byte to its last, per megabyte allowed and at least this.
HEAD_SECONDS = 20.0

_log = logging.getLogger("workbench.http")
_NO_ROOM = "there are too many large requests that have not arrived whole"
_REASONS = {status.value: status.phrase for status in HTTPStatus}


class BodySink(Protocol):
    """Takes the body of one request as it arrives."""

    def write(self, data: bytes) -> bool:
        """One piece. False: read no more before `HttpProtocol.read_on`."""

    def end(self, trailers: Mapping[str, str]) -> Response:
        """The body is whole; the answer to its request."""

    def lost(self) -> Response:
        """The connection ended before the body did; an answer for a client who still listens."""


class HttpProtocol(asyncio.Protocol):
    """One connection. Subclasses answer `received` by calling `send`, now or later, once a request, in order.

    Requests that arrive before the one in hand is answered wait: HTTP/1.1 answers in order.
    """

    max_body = 6_291_556
    #: Seconds between the first byte of a request and its last; None on trusted, long-lived connections.
    patience: float | None = HEAD_SECONDS
    #: Requests that may wait behind the one in hand before no more is read.
    ahead = 1
    #: Requests that may come in one piece of data: all are handled before anybody else's turn.
    at_once = 64

    def __init__(self) -> None:
        self.transport: Any = None
        self._parser = httptools.HttpRequestParser(self)
        self._waiting: list[_Whole] = []
        self._busy = False
        self._turn = 0
        self._burst = 0
        self._closing = False
        self._eof = False
        self._writable = asyncio.Event()
        self._writable.set()
        self._streaming: asyncio.Task[Any] | None = None
        self._version = "1.1"
        self._timer: asyncio.TimerHandle | None = None
        self._underway = False
        self._reset()

    def _reset(self) -> None:
        self._url = b""
        self._headers: dict[str, str] = {}
        self._head = 0
        self._lines = 0
        self._in_head = False
        self._unseen = 0
        self._asked = False
        self._early: Response | None = None
        self._body: bytes | bytearray = b""
        self._size = 0
        self._too_large = False
        self._sink: BodySink | None = None
        self._trailers: dict[str, str] = {}
        self._arriving: Request | None = None

    # -- asyncio.Protocol
    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        self._closing = True
        self._waiting.clear()
        self._cut_short()
        if self._streaming is not None:
            self._streaming.cancel()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def data_received(self, data: bytes) -> None:
        if self._closing:
            return
        self._burst = 0
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            refused = self._cut_short()
            if refused is None:
                self._refuse(400, f"malformed request: {error}")
            else:
                self._keep = False
                self.send(refused)
            return
        if self._in_head:  # the parser holds a header back until its end, however long it gets
            self._unseen += len(data)
            if self._unseen > LARGE and not self._has_room():
                self._refuse(503, _NO_ROOM)
                return
            if self._unseen > 2 * MAX_HEAD:
                self._refuse(400, "malformed request: request line and headers are too large")
                return
        # Most requests arrive whole: only one that did not needs to be waited for.
        if self._underway and self.patience is not None and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self.patience, self._too_slow)

    def eof_received(self) -> bool:
        """The client has said all: it still gets the answers that are due, and then the connection is closed."""
        self._eof = True
        if not self._busy and not self._closing and (refused := self._cut_short()) is not None:
            self._keep = False
            self.send(refused)
            return True
        return self._busy

    # -- httptools
    def on_message_begin(self) -> None:
        self._in_head = self._underway = True

    def on_url(self, url: bytes) -> None:
        self._url += url
        self._head += len(url)
        if self._head > MAX_HEAD:
            raise _Malformed("request line and headers are too large")

    def on_header(self, name: bytes, value: bytes) -> None:
        self._lines += 1
        self._head += len(name) + len(value) + 4
        if self._head > MAX_HEAD or self._lines > MAX_HEADERS:
            raise _Malformed("request line and headers are too large")
        key = name.decode("latin-1").lower()
        if not self._in_head:  # what follows a body is no header, whatever it is called
            self._trailers[key] = value.decode("latin-1")
            return
        if key in self._headers:
            if key in ("host", "content-length", "authorization"):
                raise _Malformed(f"more than one {key} header")
            self._headers[key] += ", " + value.decode("latin-1")
        else:
            self._headers[key] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        self._in_head = False
        if self._parser.should_upgrade():
            raise _Malformed("this server speaks HTTP/1.1 only")
        length = self._headers.get("content-length")
        if length is not None and (not length.isdigit() or int(length) > self.max_body):
            self._too_large = True
        head = self._arriving = self._request()
        try:
            self._early = self.admitted(head)
        except Exception:
            _log.exception("a request could not be admitted")
            self._early = Response(500)
        if self._early is None and not self._busy:
            self._sink = self.sink(head)
            self._too_large = self._too_large and self._sink is None
        discarded = self._too_large or self._early is not None
        if self._headers.get("expect", "").lower() == "100-continue" and not discarded:
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        if self._sink is not None:
            if not self._sink.write(body):
                self.transport.pause_reading()
            return
        self._size += len(body)
        if self._size > self.max_body:
            self._too_large = True
            self._body = b""
        elif not self._too_large and self._early is None:
            if self._size > LARGE and not self._has_room():
                self._early, self._body = Response(503, _NO_ROOM.encode(), [("content-type", "text/plain")]), b""
                return
            if not self._body:  # most bodies come in one piece
                self._body = body
                return
            if isinstance(self._body, bytes):  # and not as a list, or one in tiny chunks would take many times its size
                self._body = bytearray(self._body)
            self._body += body

    def on_message_complete(self) -> None:
        self._burst += 1
        if self._burst > self.at_once:
            raise _Malformed("too many requests in one go")
        self._underway = False
        self._stop_timer()
        if self._sink is not None:
            sink, trailers = self._sink, self._trailers
            self._keep = bool(self._parser.should_keep_alive())
            self._busy = True
            self._reset()
            self.send(sink.end(trailers))
            return
        request = self._arriving
        assert request is not None
        request.body = bytes(self._body)
        keep = bool(self._parser.should_keep_alive())
        too_large, early = self._too_large, self._early
        self._reset()
        if not self._busy:
            self._dispatch(request, keep, too_large, early)
        else:
            self._waiting.append((request, keep, too_large, early))
        if self._waiting:
            self._pace()

    # -- for subclasses
    def admitted(self, request: Request) -> Response | None:
        """The head of a request is here. A response refuses it: its body is not kept, and the connection then ends."""
        return None

    def has_room(self) -> bool:
        """A request has become a large one. False refuses it: of its body no more is kept."""
        return True

    def sink(self, request: Request) -> BodySink | None:
        """The head of a request is here. A sink takes its body, and answers, in place of `received`."""
        return None

    def received(self, request: Request) -> None:
        """A whole request is here."""
        raise NotImplementedError

    def truncated(self, request: Request) -> Response | None:
        """The connection ended within the body of this request; the answer, if its client still listens."""
        return None

    def read_on(self) -> None:
        """Read what was left unread: what a sink calls when it has room again."""
        if not self._closing:
            self.transport.resume_reading()

    def oversized(self, request: Request) -> None:
        """A request whose body is beyond `max_body`; its body is empty here."""
        self.send(Response(413, b""))

    def send(self, response: Response) -> None:
        """Answer the request in hand."""
        head = [f"HTTP/1.1 {response.status} {_REASONS.get(response.status, '')}\r\n"]
        head += [f"{name}: {value}\r\n" for name, value in response.headers]
        if response.status != 204:
            head.append(f"content-length: {len(response.body)}\r\n")
        if not self._keep:
            head.append("connection: close\r\n")
        head.append("\r\n")
        self.write(("".join(head)).encode("latin-1", "replace") + response.body)

    async def stream(self, response: StreamedResponse) -> None:
        """Answer the request in hand piece by piece, no faster than the client reads."""
        http_1_1 = self._version == "1.1"
        self._keep = self._keep and http_1_1
        head = [f"HTTP/1.1 {response.status} {_REASONS.get(response.status, '')}\r\n"]
        head += [f"{name}: {value}\r\n" for name, value in response.headers]
        if http_1_1:
            head.append("transfer-encoding: chunked\r\n")
        if not self._keep:
            head.append("connection: close\r\n")
        head.append("\r\n")
        pieces = response.body
        self._streaming = asyncio.current_task()
        self.read_on()  # reading is how we learn that the client has gone
        try:
            self.transport.write("".join(head).encode("latin-1", "replace"))
            async for piece in pieces:
                if self._closing:
                    return
                if piece:
                    self.transport.write(b"%x\r\n%b\r\n" % (len(piece), piece) if http_1_1 else piece)
                    await self._writable.wait()
        except Exception:
            # The head is out: a body without its end is how the client learns of it.
            _log.exception("a streamed response failed")
            self._close()
            return
        finally:
            self._streaming = None
            await pieces.aclose()
        self.write(b"0\r\n\r\n" if http_1_1 else b"")

    def write(self, answer: bytes) -> None:
        """Send a whole answer that is already bytes."""
        if self._closing:
            return
        self.transport.write(answer)
        self.done()

    def done(self) -> None:
        """The answer is written: take the next request, or close."""
        if not self._keep:
            self._turn += 1
            self._close()
            return
        self._busy = False
        self._turn += 1
        waiting = self._waiting.pop(0) if self._waiting else None
        if waiting is not None:
            self._dispatch(*waiting)
        self._pace()
        if self._eof and not self._busy and not self._closing:
            self._close()

    # -- order
    def _request(self) -> Request:
        """The head that has arrived; its body is still to come."""
        self._version = self._parser.get_http_version()
        path, _, query = self._url.decode("latin-1").partition("?")
        return Request(self._parser.get_method().decode("ascii"), path, query, self._headers, b"")

    def _dispatch(self, request: Request, keep: bool, too_large: bool, early: Response | None) -> None:
        self._busy = True
        self._keep = keep and early is None
        turn = self._turn
        try:
            if early is not None:
                self.send(early)
            elif too_large:
                self.oversized(request)
            else:
                self.received(request)
        except Exception:
            _log.exception("%s %s failed", request.method, request.path)
            self._keep = False
            if turn == self._turn:
                self.send(Response(500))
            else:
                self._close()  # it was answered before it failed

    def _pace(self) -> None:
        """Read on only while few requests wait: a client's haste is not to fill our memory."""
        if self._closing:
            return
        if self._busy and len(self._waiting) >= self.ahead:
            self.transport.pause_reading()
        else:
            self.transport.resume_reading()

    def _has_room(self) -> bool:
        if self._asked:
            return True
        self._asked = True
        return self.has_room()

    # -- ends
    def _cut_short(self) -> Response | None:
        """Nothing more comes: tell whoever waited for the rest of a body."""
        if not self._underway or self._in_head:
            return None
        self._underway = False
        sink, self._sink = self._sink, None
        if sink is not None:
            return sink.lost()
        return self.truncated(self._arriving) if self._arriving is not None else None

    def _refuse(self, status: int, message: str) -> None:
        self._keep = False
        self.send(Response(status, message.encode(), [("content-type", "text/plain")]))

    def _too_slow(self) -> None:
        self._timer = None
        if not self._busy:
            self._refuse(408, "the request took too long to arrive")

    def _close(self) -> None:
        self._closing = True
        self._stop_timer()
        self.transport.close()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


#: A request, whether the connection is kept after it, whether its body was too large, and what refuses it.
_Whole = tuple[Request, bool, bool, Response | None]


class _Malformed(Exception):
    """Raised inside a parser callback; httptools hands it on as HttpParserCallbackError."""
