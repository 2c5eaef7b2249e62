"""The Extensions API (2020-01-01), the Telemetry API (2022-07-01) and the Logs API (2020-08-15).

They are served by the listener of the Runtime API. Source: Lambda Developer Guide, "Using the Lambda Extensions API to
create extensions", "Lambda Telemetry API reference", "Using the Lambda Logs API"; statuses and error types as in AWS's
runtime interface emulator.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from functools import partial
from typing import Any

from workbench.engine.ports import Answer, ExtensionsLink, Registered
from workbench.http.messages import Request, Response
from workbench.http.subscription import LOGS, TELEMETRY, read_subscription

_EXTENSION = "/2020-01-01/extension/"
#: With and without a slash at the end: the documentation has both.
_SUBSCRIBE = {
    "/2022-07-01/telemetry": TELEMETRY,
    "/2022-07-01/telemetry/": TELEMETRY,
    "/2020-08-15/logs": LOGS,
    "/2020-08-15/logs/": LOGS,
}
_NAME = "lambda-extension-name"
_IDENTIFIER = "lambda-extension-identifier"
_FEATURES = "lambda-extension-accept-feature"
_ERROR_TYPE = "lambda-extension-function-error-type"
_JSON = ("content-type", "application/json")


def serves(path: str) -> bool:
    """Is it a path of these APIs?"""
    return path.startswith(_EXTENSION) or path in _SUBSCRIBE


class ExtensionRequests:
    """The requests of one connection. `send` answers the one in hand."""

    def __init__(self, link: ExtensionsLink, send: Callable[[Response], None]) -> None:
        self._link = link
        self._send = send
        self._waiting: str | None = None

    def handle(self, request: Request) -> None:
        """Serve one request, now or, for `event/next`, when there is an event."""
        answer = self._route(request)
        if answer is not None:
            self._send(answer if isinstance(answer, Response) else _answered(answer))

    def lost(self) -> None:
        """The connection is gone."""
        if self._waiting is not None:
            self._link.lost(self._waiting)

    def _reply(self, event: bytes) -> None:
        self._waiting = None
        self._send(Response(200, event, [_JSON, ("Lambda-Extension-Event-Identifier", str(uuid.uuid4()))]))

    def _route(self, request: Request) -> Response | Answer | None:
        method, path = request.method, request.path
        action = path.removeprefix(_EXTENSION)
        if method == "POST" and action == "register":
            return _register(self._link, request)
        if (method, action) not in _IDENTIFIED and not (method == "PUT" and path in _SUBSCRIBE):
            return Response(404, b"404 page not found\n", [("content-type", "text/plain; charset=utf-8")])
        identifier = _identifier(request)
        if isinstance(identifier, Answer):
            return identifier
        if path in _SUBSCRIBE:
            read = partial(read_subscription, _SUBSCRIBE[path], request.body)
            answer = self._link.subscribe(_SUBSCRIBE[path], identifier, read)
            return _as_json(200, "OK") if answer.status == 200 else answer
        if action == "event/next":
            self._waiting = identifier
            refused = self._link.next(identifier, self._reply)
            if refused is not None:
                self._waiting = None
            return refused
        error_type = request.headers.get(_ERROR_TYPE, "")
        if not error_type:
            return Answer(403, "Extension.MissingHeader", "Lambda-Extension-Function-Error-Type not found")
        report = self._link.init_error if action == "init/error" else self._link.exit_error
        return report(identifier, error_type)


#: The calls of an extension that has an identifier.
_IDENTIFIED = {("GET", "event/next"), ("POST", "init/error"), ("POST", "exit/error")}


def _register(link: ExtensionsLink, request: Request) -> Response | Answer:
    name = request.headers.get(_NAME, "")
    if not name:
        return Answer(403, "Extension.InvalidExtensionName", "Empty extension name")
    events = _events(request.body)
    if isinstance(events, str):
        return Answer(403, "InvalidRequestFormat", events)
    registered = link.register(name, events)
    if isinstance(registered, Answer):
        return registered
    body = {
        "functionName": registered.function,
        "functionVersion": registered.version,
        "handler": registered.handler,
        **_wanted(request, registered),
    }
    response = _as_json(200, body)
    response.headers.append(("Lambda-Extension-Identifier", registered.id))
    return response


def _wanted(request: Request, registered: Registered) -> dict[str, str]:
    features = [feature.strip() for feature in request.headers.get(_FEATURES, "").split(",")]
    return {"accountId": registered.account} if "accountId" in features else {}


def _events(body: bytes) -> list[str] | str:
    """The events of a registration, or what is wrong with its body."""
    try:
        wanted = json.loads(body)
    except (ValueError, RecursionError) as error:
        return str(error)
    if not isinstance(wanted, dict):
        return "the body is not a JSON object"
    if wanted.get("configurationKeys"):
        return "configurationKeys are deprecated; use environment variables instead"
    events = wanted.get("events") or []
    if not isinstance(events, list) or not all(isinstance(event, str) for event in events):
        return "events is not an array of strings"
    return events


def _identifier(request: Request) -> str | Answer:
    given = request.headers.get(_IDENTIFIER, "")
    if not given:
        return Answer(403, "Extension.MissingExtensionIdentifier", "Missing Lambda-Extension-Identifier header")
    try:
        return str(uuid.UUID(given))
    except ValueError:
        return Answer(403, "Extension.InvalidExtensionIdentifier", "Invalid Lambda-Extension-Identifier")


def _answered(answer: Answer) -> Response:
    if answer.error_type:
        return _as_json(answer.status, {"errorMessage": answer.message, "errorType": answer.error_type})
    return _as_json(answer.status, {"status": "OK"})


def _as_json(status: int, body: Any) -> Response:
    return Response(status, json.dumps(body, separators=(",", ":")).encode(), [_JSON])
