"""The Extensions, Telemetry and Logs APIs over a real socket, in front of real registrations."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any
from uuid import UUID

import pytest

from tests.http.runtime_link import Link, Runtime
from workbench.engine.ports import Answer, Registered, TelemetryRequest
from workbench.engine.registrations import INVOKE, Registrations
from workbench.http.runtime_api import RuntimeApi

REGISTER, NEXT = "/2020-01-01/extension/register", "/2020-01-01/extension/event/next"
INIT_ERROR, EXIT_ERROR = "/2020-01-01/extension/init/error", "/2020-01-01/extension/exit/error"
TELEMETRY, LOGS = "/2022-07-01/telemetry", "/2020-08-15/logs"
IDENTIFIED = [("GET", NEXT), ("POST", INIT_ERROR), ("POST", EXIT_ERROR), ("PUT", TELEMETRY), ("PUT", LOGS)]
SUBSCRIPTION = {
    "schemaVersion": "2022-12-13",
    "types": ["platform", "function"],
    "destination": {"protocol": "HTTP", "URI": "http://sandbox.localdomain:8080/x"},
}


class Side(Registrations):
    """An environment's side, without its processes."""

    def __init__(self) -> None:
        super().__init__(lambda: None, lambda extension: None)
        self.requests: list[TelemetryRequest] = []
        self.asked, self.gone = asyncio.Event(), asyncio.Event()

    def register(self, name: str, events: Any) -> Any:
        found = super().register(name, events)
        if isinstance(found, Answer):
            return found
        return Registered(found.id, "fn", "$LATEST", "app.handler", "123456789012")

    def next(self, identifier: str, reply: Callable[[bytes], None]) -> Answer | None:
        answer = super().next(identifier, reply)
        self.asked.set()
        return answer

    def lost(self, identifier: str) -> None:
        super().lost(identifier)
        self.gone.set()

    def subscribe(self, api: str, identifier: str, read: Callable[[], TelemetryRequest | Answer]) -> Answer:
        if self.find(identifier) is None:
            return Answer(403, "Extension.UnknownExtensionIdentifier", f"Unknown extension {identifier}")
        request = read()
        if isinstance(request, Answer):
            return request
        self.requests.append(request)
        return Answer(200)


@pytest.fixture
async def side() -> Side:
    return Side()


@pytest.fixture
async def client(side: Side) -> AsyncIterator[Runtime]:
    link = Link()
    link.extensions = side
    listener = await RuntimeApi().open(link, None)
    host, port = listener.address.split(":")
    made = Runtime(link, *await asyncio.open_connection(host, int(port)))
    yield made
    made.writer.close()
    listener.close()


async def ask(
    client: Runtime, method: str, path: str, body: Any = b"", **headers: str
) -> tuple[int, Any, dict[str, str]]:
    client.send(method, path, body if isinstance(body, bytes) else json.dumps(body).encode(), **headers)
    status, received, answer = await client.answer()
    return status, json.loads(answer), received


async def register(client: Runtime, name: str = "inside") -> str:
    _, _, headers = await ask(client, "POST", REGISTER, {"events": [INVOKE]}, Lambda_Extension_Name=name)
    return headers["Lambda-Extension-Identifier"]


async def test_registration(client: Runtime) -> None:
    body = {"events": ["INVOKE"]}
    status, answer, headers = await ask(client, "POST", REGISTER, body, Lambda_Extension_Name="one")
    assert (status, answer) == (
        200,
        {"functionName": "fn", "functionVersion": "$LATEST", "handler": "app.handler"},
    )
    assert UUID(headers["Lambda-Extension-Identifier"]).version == 4
    assert headers["content-type"] == "application/json"
    more = {"Lambda_Extension_Name": "two", "Lambda_Extension_Accept_Feature": "other, accountId"}
    status, answer, _ = await ask(client, "POST", REGISTER, body, **more)
    assert (status, answer["accountId"]) == (200, "123456789012")


@pytest.mark.parametrize(
    ("headers", "body", "error_type", "message"),
    [
        ({}, b"{}", "Extension.InvalidExtensionName", "Empty extension name"),
        ({"Lambda_Extension_Name": "i"}, b"{", "InvalidRequestFormat", None),
        pytest.param({"Lambda_Extension_Name": "i"}, b"[" * 100_000, "InvalidRequestFormat", None, id="deep"),
        ({"Lambda_Extension_Name": "i"}, b"[]", "InvalidRequestFormat", "the body is not a JSON object"),
        (
            {"Lambda_Extension_Name": "i"},
            b'{"events":"INVOKE"}',
            "InvalidRequestFormat",
            "events is not an array of strings",
        ),
        (
            {"Lambda_Extension_Name": "i"},
            b'{"events":[1]}',
            "InvalidRequestFormat",
            "events is not an array of strings",
        ),
        (
            {"Lambda_Extension_Name": "i"},
            b'{"configurationKeys":["A"]}',
            "InvalidRequestFormat",
            "configurationKeys are deprecated; use environment variables instead",
        ),
        (
            {"Lambda_Extension_Name": "i"},
            b'{"events":["SHUTDOWN"]}',
            "Extension.InvalidEventType",
            "SHUTDOWN: ShutdownEventNotSupportedForInternalExtension",
        ),
    ],
)
async def test_registrations_that_are_refused(
    client: Runtime, headers: dict[str, str], body: bytes, error_type: str, message: str | None
) -> None:
    status, answer, _ = await ask(client, "POST", REGISTER, body, **headers)
    assert (status, answer["errorType"]) == (403, error_type)
    assert message is None or answer["errorMessage"] == message


@pytest.mark.parametrize(("method", "path"), IDENTIFIED)
@pytest.mark.parametrize(
    ("identifier", "error_type", "message"),
    [
        (None, "Extension.MissingExtensionIdentifier", "Missing Lambda-Extension-Identifier header"),
        ("me", "Extension.InvalidExtensionIdentifier", "Invalid Lambda-Extension-Identifier"),
        ("5d0234c4-d1b8-4acb-9eb8-cf4c5d16dff3", "Extension.UnknownExtensionIdentifier", None),
    ],
)
async def test_every_other_call_needs_a_known_identifier(
    client: Runtime, method: str, path: str, identifier: str | None, error_type: str, message: str | None
) -> None:
    headers = {"Lambda_Extension_Function_Error_Type": "X.Y"}
    if identifier is not None:
        headers["Lambda_Extension_Identifier"] = identifier
    status, answer, _ = await ask(client, method, path, SUBSCRIPTION, **headers)
    assert (status, answer["errorType"]) == (403, error_type)
    assert message is None or answer["errorMessage"] == message


async def test_next_waits_for_an_event(client: Runtime, side: Side) -> None:
    identifier = await register(client)
    client.send("GET", NEXT, Lambda_Extension_Identifier=identifier)
    await asyncio.wait_for(side.asked.wait(), 5)
    side.send(INVOKE, b'{"eventType":"INVOKE"}')
    status, headers, body = await client.answer()
    assert (status, body) == (200, b'{"eventType":"INVOKE"}')
    assert UUID(headers["Lambda-Extension-Event-Identifier"])
    assert headers["content-type"] == "application/json"
    assert not side.gone.is_set()


async def test_a_lost_connection_is_told(client: Runtime, side: Side) -> None:
    identifier = await register(client)
    client.send("GET", NEXT, Lambda_Extension_Identifier=identifier)
    await asyncio.wait_for(side.asked.wait(), 5)
    client.writer.transport.abort()
    await asyncio.wait_for(side.gone.wait(), 5)


@pytest.mark.parametrize("path", [INIT_ERROR, EXIT_ERROR])
async def test_errors_need_a_type(client: Runtime, path: str) -> None:
    identifier = await register(client)
    status, answer, _ = await ask(client, "POST", path, Lambda_Extension_Identifier=identifier)
    assert status == 403
    assert answer == {
        "errorMessage": "Lambda-Extension-Function-Error-Type not found",
        "errorType": "Extension.MissingHeader",
    }
    headers = {"Lambda_Extension_Identifier": identifier, "Lambda_Extension_Function_Error_Type": "My.Error"}
    status, answer, _ = await ask(client, "POST", path, **headers)
    assert (status, answer) == (202, {"status": "OK"})


@pytest.mark.parametrize(
    ("path", "changes", "api"),
    [
        (TELEMETRY, {}, "telemetry"),
        (TELEMETRY + "/", {}, "telemetry"),
        (LOGS, {"schemaVersion": "2021-03-18"}, "logs"),
    ],
)
async def test_a_subscription(client: Runtime, side: Side, path: str, changes: dict[str, str], api: str) -> None:
    identifier = await register(client)
    body = {**SUBSCRIPTION, **changes}
    status, answer, _ = await ask(client, "PUT", path, body, Lambda_Extension_Identifier=identifier)
    assert (status, answer) == (200, "OK")
    assert [request.api for request in side.requests] == [api]


async def test_a_bad_subscription(client: Runtime) -> None:
    identifier = await register(client)
    body = {"schemaVersion": "2022-07-01", "destination": {"protocol": "HTTP", "URI": "http://sandbox.localdomain"}}
    status, answer, _ = await ask(client, "PUT", TELEMETRY, body, Lambda_Extension_Identifier=identifier)
    assert status == 400
    assert answer == {
        "errorMessage": "URI port is not provided; types should not be empty",
        "errorType": "ValidationError",
    }


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", REGISTER), ("POST", NEXT), ("GET", INIT_ERROR), ("POST", TELEMETRY), ("PUT", "/2020-01-01/extension/x")],
)
async def test_other_paths(client: Runtime, method: str, path: str) -> None:
    client.send(method, path)
    assert (await client.answer())[0] == 404


async def test_connections_of_extensions_are_none_of_the_runtimes(client: Runtime) -> None:
    await register(client)
    assert client.link.open == [1, 0]
