"""The second port: requests of browsers and curl in, the answers of functions out.

There is no allow-list of hosts here, as there is none on AWS: who may call is the function's affair. A request reaches
nothing but a function that a route names.
"""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
import socket as sockets
from collections.abc import Coroutine
from http import HTTPStatus
from typing import Any

from workbench.client.port import StreamingPort
from workbench.http.gateway import answers, cors, streamed
from workbench.http.gateway.events import Received, event, new_request_id, now, short_id, trace_header
from workbench.http.gateway.table import Match, Miss, Table
from workbench.http.lambda_api.signature import Signatures
from workbench.http.messages import Request, Response, StreamedResponse
from workbench.http.wire import HttpProtocol
from workbench.model.errors import ApiError, TooManyRequests, WorkbenchError
from workbench.model.invocations import InvocationResult, InvokeRequest
from workbench.model.names import FunctionRef
from workbench.model.routes import ApiKind, Route

#: API Gateway's payload quota, REST and HTTP APIs alike.
MAX_BODY = 10_485_760
#: Lambda's own limit on the event that a request becomes.
MAX_EVENT = 6_291_456
_BODILESS = frozenset((204, 304))
_REASONS = {status.value: status.phrase for status in HTTPStatus}
_log = logging.getLogger("workbench.gateway")


class Headers(dict[str, str]):
    """A request's headers as the wire joins them, with the lines as they came. `too_large` is the body's fault."""

    def __init__(self) -> None:
        super().__init__()
        self.pairs: list[tuple[str, str]] = []
        self.too_large = False


class Gateway:
    """Listens and answers. `open` binds, `close` stops."""

    def __init__(self, port: StreamingPort, signatures: Signatures | None = None) -> None:
        """Where AuthType is AWS_IAM any signature will do, unless there are `signatures` to check it."""
        self.url = ""
        self.connections: set[_Connection] = set()
        self.tasks: set[asyncio.Task[Any]] = set()
        self._port = port
        self._signatures = signatures
        self._number = 0
        self._server: asyncio.Server | None = None
        self._account = ""
        self._routes: tuple[Route, ...] = ()
        self._table = Table(())

    async def open(self, host: str, port: int) -> None:
        """Raises OSError when the port is taken."""
        self._account = (await self._port.account()).id
        sock = sockets.socket(sockets.AF_INET, sockets.SOCK_STREAM)
        try:
            sock.setsockopt(sockets.SOL_SOCKET, sockets.SO_REUSEADDR, 1)
            sock.bind((host, port))
            sock.setblocking(False)
            loop = asyncio.get_running_loop()
            self._server = await loop.create_server(lambda: _Connection(self), sock=sock, backlog=1024)
        except OSError:
            sock.close()
            raise
        self._number = sock.getsockname()[1]
        self.url = f"http://{host}:{self._number}"

    def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for connection in list(self.connections):
            connection.transport.close()
        for task in self.tasks:
            task.cancel()

    def run(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Start work that `close` ends."""
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    async def handle(self, request: Request, source: str = "127.0.0.1") -> Response | StreamedResponse:
        """The response to a request of the client at `source`."""
        found = await self._find(request)
        kind = found.kind if isinstance(found, Miss) else found.route.kind
        received = self._received(kind, request, source)
        response = answers.not_found(kind) if isinstance(found, Miss) else await self._across(found, request, received)
        response.headers += _marks(kind, received)
        return response

    async def _find(self, request: Request) -> Match | Miss:
        routes = await self._port.list_routes()
        if routes is not self._routes:
            self._routes, self._table = routes, Table(routes)
        return self._table.find(request.method, _path(request.path), request.headers.get("host", ""))

    def _received(self, kind: ApiKind, request: Request, source: str) -> Received:
        headers = request.headers
        pairs = headers.pairs if isinstance(headers, Headers) else list(headers.items())
        moment = now()
        fresh = f"Root=1-{int(moment.timestamp()):08x}-{secrets.token_hex(12)}"
        return Received(
            method=request.method,
            query=request.query,
            pairs=pairs,
            body=request.body,
            source=source,
            port=self._number,
            account=self._account,
            request_id=new_request_id(kind),
            trace_id=trace_header(pairs, fresh),
            now=moment,
        )

    async def _across(self, match: Match, request: Request, received: Received) -> Response | StreamedResponse:
        """The answer, with what the CORS settings of a function URL have to say of it."""
        settings = match.route.cors
        if not settings:
            return await self._safely(match, request, received)
        asked = cors.preflight(settings, request.method, request.headers)
        if asked is not None:
            return asked
        response = await self._safely(match, request, received)
        response.headers += cors.marks(settings, request.headers)
        return response

    async def _safely(self, match: Match, request: Request, received: Received) -> Response | StreamedResponse:
        """The function's answer, or the front end's for what went wrong."""
        kind = match.route.kind
        try:
            return await self._answer(match, request, received)
        except TooManyRequests as error:
            return answers.throttled(kind, error.reason)
        except answers.Malformed as error:
            _log.warning("%s %s: %s", request.method, request.path, error)
            return answers.failed(kind)
        except WorkbenchError as error:
            _log.warning("%s %s: %s", request.method, request.path, error)
            return answers.refused(kind)
        except Exception:
            _log.exception("%s %s failed", request.method, request.path)
            return answers.refused(kind)

    def _signed(self, request: Request) -> bool:
        if self._signatures is not None:
            try:
                self._signatures.check(request)
            except ApiError as error:
                _log.warning("%s %s: %s", request.method, request.path, error)
                return False
            return True
        return request.headers.get("authorization", "").startswith("AWS4-HMAC-SHA256 Credential=")

    async def _answer(self, match: Match, request: Request, received: Received) -> Response | StreamedResponse:
        route = match.route
        headers = request.headers
        if isinstance(headers, Headers) and headers.too_large:
            return answers.too_large(route.kind)
        if route.auth == "AWS_IAM" and not self._signed(request):
            return answers.forbidden()
        data = json.dumps(event(match, received), separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace")
        if len(data) > MAX_EVENT:
            return answers.too_large(route.kind)
        ref = FunctionRef(route.function, route.qualifier)
        invocation = InvokeRequest(function=ref, payload=data, trace_id=received.trace_id)
        if route.streaming:
            return await streamed.begin(await self._port.invoke_streaming(invocation)) or answers.failed(route.kind)
        result = await self._invoke(route, invocation)
        if result is None:
            return answers.timed_out(route.kind)
        if result.function_error is not None:
            return answers.failed(route.kind)
        if result.content_type == streamed.WITH_PRELUDE:
            return streamed.whole(result.payload)
        return answers.answer(route, result.payload, headers.get("accept"))

    async def _invoke(self, route: Route, request: InvokeRequest) -> InvocationResult | None:
        """The function's result, or None when it takes too long: it goes on, but nobody waits for it any more."""

        async def call() -> InvocationResult:
            return await self._port.invoke(request)

        task = self.run(call())
        done, _ = await asyncio.wait((task,), timeout=route.timeout)
        return task.result() if done else None

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self.tasks.discard(task)
        if not task.cancelled():
            task.exception()  # whoever waited has it; if nobody did, nobody is to be warned


def _path(path: str) -> str:
    """The path of a request target, which may be a whole URL (RFC 9112, 3.2.2)."""
    scheme, found, rest = path.partition("://")
    if found and scheme.lower() in ("http", "https"):
        return f"/{rest.partition('/')[2]}"
    return path


def _marks(kind: ApiKind, received: Received) -> list[tuple[str, str]]:
    """The headers by which a front end's answer is known."""
    if kind is ApiKind.HTTP:
        return [("apigw-requestid", received.request_id)]
    marks = [("x-amzn-RequestId", received.request_id), ("x-amzn-Trace-Id", received.trace_id)]
    return [*marks, ("x-amz-apigw-id", short_id())] if kind is ApiKind.REST else marks


class _Connection(HttpProtocol):
    max_body = MAX_BODY
    ahead = 0  # what is sent ahead waits with its sender

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._method = ""
        self._source = ""
        super().__init__()

    def _reset(self) -> None:
        super()._reset()
        self._headers: Headers = Headers()

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._gateway.connections.add(self)
        self._source = transport.get_extra_info("peername")[0]

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._gateway.connections.discard(self)

    def on_header(self, name: bytes, value: bytes) -> None:
        super().on_header(name, value)
        if self._in_head:
            self._headers.pairs.append((name.decode("latin-1"), value.decode("latin-1")))

    def received(self, request: Request) -> None:
        self._method = request.method
        self._gateway.run(self._respond(request))

    def oversized(self, request: Request) -> None:
        if isinstance(request.headers, Headers):
            request.headers.too_large = True
        self.received(request)

    def send(self, response: Response) -> None:
        """As the wire does, but HEAD and bodiless statuses get no body."""
        bare = self._method == "HEAD" or response.status in _BODILESS
        head = [f"HTTP/1.1 {response.status} {_REASONS.get(response.status, '')}\r\n"]
        head += [f"{name}: {value}\r\n" for name, value in response.headers]
        if response.status not in _BODILESS:
            head.append(f"content-length: {len(response.body)}\r\n")
        if not self._keep:
            head.append("connection: close\r\n")
        head.append("\r\n")
        self.write("".join(head).encode("latin-1", "replace") + (b"" if bare else response.body))

    async def _respond(self, request: Request) -> None:
        response = await self._gateway.handle(request, self._source)
        if isinstance(response, Response):
            self.send(response)
        elif request.method == "HEAD" or response.status in _BODILESS:
            await response.body.aclose()
            self.send(Response(response.status, b"", response.headers))
        else:
            await self.stream(response)
