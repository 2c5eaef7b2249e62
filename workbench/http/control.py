"""`/_workbench/v1`: what AWS has no API for, behind the bearer key of the endpoint file.

`POST call/METHOD` is one call of the engine's port. `GET live` streams deltas as NDJSON (docs/live.md).
`GET metrics` is what Prometheus reads.
`GET code/SHA256` downloads an archive, for GetFunction's Code.Location: the hash in it is what is secret.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
from typing import Any

from workbench.client.calls import methods
from workbench.client.port import EnginePort
from workbench.http.messages import Request, Response
from workbench.live.exposition import CONTENT_TYPE
from workbench.model.codec import encode_json
from workbench.model.errors import ApiError, WorkbenchError

PREFIX = "/_workbench/v1/"
#: Seconds between two deltas of a live stream: 25 a second.
FRAME = 0.04
#: Bytes of a body beyond which it is parsed beside the loop.
_LARGE = 262_144
_JSON = [("content-type", "application/json")]
_log = logging.getLogger("workbench.control")


class Control:
    """Answers the control requests of one engine."""

    def __init__(self, port: EnginePort, key: str) -> None:
        self._port = port
        self._key = f"Bearer {key}"

    def refuse_large(self, head: Request) -> Response | None:
        """A 403 for a large body without the key, which is then not kept; `handle` sees to the rest."""
        length = head.headers.get("content-length", "0")
        large = "transfer-encoding" in head.headers or not length.isdecimal() or int(length) > _LARGE
        return _keyless() if large and not self.authorised(head) else None

    async def handle(self, request: Request) -> Response:
        path = request.path.removeprefix(PREFIX)
        if request.method == "GET" and path.startswith("code/"):
            return await self._code(path.removeprefix("code/"))
        if not self.authorised(request):
            return _keyless()
        if request.method == "POST" and path.startswith("call/"):
            return await self._call(path.removeprefix("call/"), request.body)
        if request.method == "GET" and path == "metrics":
            text = await self._port.metrics()
            return Response(200, text.encode(), [("content-type", CONTENT_TYPE)])
        return _refusal(404, "UsageError", f"there is nothing at {request.method} {request.path}")

    def authorised(self, request: Request) -> bool:
        return hmac.compare_digest(request.headers.get("authorization", "").encode(), self._key.encode())

    async def live(self, since: int) -> Any:
        """Deltas as NDJSON lines, for ever; a line only when something changed."""
        begun = False
        while True:
            delta = await self._port.changes(since)
            # While nothing ever happened, `since` stays 0 and every delta is a full one.
            if delta.seq != since or not (begun or delta.empty):
                begun, since = True, delta.seq
                yield encode_json(delta) + b"\n"
            await asyncio.sleep(FRAME)

    async def _call(self, name: str, body: bytes) -> Response:
        method = methods().get(name)
        if method is None:
            return _refusal(404, "UsageError", f"the engine has no call '{name}'")
        try:
            given = json.loads(body or b"{}") if len(body) <= _LARGE else await asyncio.to_thread(json.loads, body)
            arguments = method.unpack(given)
        except (ValueError, TypeError, RecursionError) as error:
            return _refusal(400, "UsageError", f"bad arguments: {error}")
        try:
            answer = await getattr(self._port, name)(**arguments)
        except ApiError as error:
            members = {key: value for key, value in error.members.items() if isinstance(value, str)}
            return _json(400, {"code": error.code, "message": error.message, "members": members})
        except WorkbenchError as error:
            return _json(400, {"kind": type(error).__name__, "message": error.message, "mend": error.mend})
        except Exception:
            _log.exception("call %s failed", name)
            return _refusal(500, "WorkbenchError", f"the engine failed in '{name}'; its log says more")
        return _json(200, answer)

    async def _code(self, sha256: str) -> Response:
        if len(sha256) != 64 or not set(sha256) <= set("0123456789abcdef"):
            return _refusal(404, "UsageError", "there is no such code")
        try:
            archive = await self._port.code(sha256)
        except WorkbenchError as error:
            return _refusal(404, type(error).__name__, "there is no such code")
        return Response(200, archive, [("content-type", "application/zip")])


def _keyless() -> Response:
    return _refusal(403, "UsageError", "this needs the bearer key of the engine's endpoint file")


def _json(status: int, value: Any) -> Response:
    return Response(status, encode_json(value), list(_JSON))


def _refusal(status: int, kind: str, message: str) -> Response:
    return _json(status, {"kind": kind, "message": message})
