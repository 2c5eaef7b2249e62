"""A face in another process: the whole port over a real socket, and every way in which the road can break."""

from __future__ import annotations

import asyncio
import dataclasses
import inspect
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.engine.world import archive, configured, world
from tests.model.test_codec import example
from workbench.client.calls import methods
from workbench.client.port import EnginePort
from workbench.client.project import Endpoint
from workbench.client.remote import RemoteEngine, connect
from workbench.http.control import Control
from workbench.http.front import Front
from workbench.http.lambda_api.api import LambdaApi
from workbench.model import errors
from workbench.model.errors import (
    ApiError,
    DeployError,
    EngineGone,
    ResourceConflict,
    ResourceNotFound,
    TemplateError,
    TooManyRequests,
    UsageError,
    ValidationException,
    WorkbenchError,
)
from workbench.model.functions import FunctionState, NewFunction
from workbench.model.invocations import InvocationType, InvokeRequest
from workbench.model.names import Account, FunctionRef

KEY = "the key of the endpoint file"
Answer = Callable[..., Awaitable[Any]]


class Recorder:
    """A port that notes how it was called, and answers the plainest answer, or as told."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.answer: Answer | None = None

    def __getattr__(self, name: str) -> Answer:
        method = methods()[name]

        async def call(**arguments: Any) -> Any:
            self.calls.append((name, arguments))
            if self.answer is not None:
                return await self.answer(**arguments)
            return example(method.answer)

        return call


@asynccontextmanager
async def served(port: Any, number: int = 0) -> AsyncIterator[Front]:
    front = Front(LambdaApi(port, Account()), Control(port, KEY))
    await front.open("127.0.0.1", number)
    try:
        yield front
    finally:
        front.close()
        await asyncio.sleep(0)


@asynccontextmanager
async def attached(url: str, key: str = KEY) -> AsyncIterator[EnginePort]:
    remote = connect(Endpoint(url=url, key=key, pid=1, state="/state"))
    try:
        yield remote
    finally:
        await remote.aclose()  # type: ignore[attr-defined]
        await asyncio.sleep(0)


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
async def front(recorder: Recorder) -> AsyncIterator[Front]:
    async with served(recorder) as opened:
        yield opened


@pytest.fixture
async def remote(front: Front) -> AsyncIterator[EnginePort]:
    async with attached(front.url) as port:
        yield port


def raising(error: BaseException) -> Answer:
    async def answer(**arguments: Any) -> Any:
        raise error

    return answer


# -- every method
@pytest.mark.parametrize("name", methods())
async def test_every_method_of_the_port_can_be_called(remote: EnginePort, recorder: Recorder, name: str) -> None:
    method = methods()[name]
    arguments = {parameter: example(kind) for parameter, kind in method.parameters.items()}
    assert await getattr(remote, name)(**arguments) == example(method.answer)
    assert recorder.calls == [(name, arguments)]


@pytest.mark.parametrize("name", methods())
async def test_arguments_go_by_position_and_defaults_stay_at_home(
    remote: EnginePort, recorder: Recorder, name: str
) -> None:
    method = methods()[name]
    parameters = [*inspect.signature(getattr(EnginePort, name)).parameters.values()][1:]
    positional = [p for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
    needed = {p.name: example(method.parameters[p.name]) for p in parameters if p.default is p.empty}
    assert list(needed) == [p.name for p in positional]
    await getattr(remote, name)(*needed.values())
    assert recorder.calls == [(name, needed)]


def test_the_methods_are_those_of_the_port_and_all_have_types() -> None:
    names = {name for name, _ in inspect.getmembers(EnginePort, inspect.isfunction) if not name.startswith("_")}
    assert set(methods()) == names
    assert len(names) > 15
    for method in methods().values():
        assert set(method.defaults) <= set(method.parameters)


def test_only_what_reads_may_be_repeated() -> None:
    assert {name for name, method in methods().items() if not method.repeatable} >= {
        "invoke",
        "create_function",
        "update_function_code",
        "update_function_configuration",
        "delete_function",
        "publish_version",
        "create_alias",
        "update_alias",
        "delete_alias",
        "stop_environment",
        "stop",
    }
    assert {name for name, method in methods().items() if method.repeatable} >= {
        "account",
        "changes",
        "code",
        "get_alias",
        "get_function",
        "list_aliases",
        "list_functions",
        "list_versions",
        "status",
    }


def test_what_the_port_does_not_have_is_no_attribute() -> None:
    remote = RemoteEngine(Endpoint(url="http://127.0.0.1:1", key=KEY, pid=1, state=""))
    with pytest.raises(AttributeError):
        _ = remote.reboot


# -- the engine itself
async def test_a_face_does_with_a_remote_engine_what_it_does_with_a_local_one(tmp_path: Path) -> None:
    async with world(tmp_path / "state") as made, served(made.engine) as front, attached(front.url) as port:
        assert await port.account() == made.engine.options.account
        code = archive({"app.py": "1"})
        created = await port.create_function(
            NewFunction(name="f", configuration=configured(environment={"Ü": "\0"}), code=code, tags={"a": "b"})
        )
        assert created.state is FunctionState.PENDING
        await made.clock.settle()
        latest = await port.get_function(FunctionRef("f"))
        assert latest == await made.engine.get_function(FunctionRef("f"))
        assert latest.state is FunctionState.ACTIVE
        result = await port.invoke(InvokeRequest(function=FunctionRef("f"), payload=b'{"x":"\xff"}', logs=True))
        assert result.payload == b'{"x":"\xff"}'
        assert result.log is not None
        await port.publish_version("f", description="ü")
        alias = await port.create_alias("f", "live", "1")
        assert await port.list_aliases("f") == (alias,)
        assert await port.code(latest.code.sha256) == code
        with pytest.raises(ResourceConflict, match="Function already exist: f"):
            await port.create_function(NewFunction(name="f", configuration=configured(), code=code))
        with pytest.raises(ResourceNotFound, match="Function not found"):
            await port.get_function(FunctionRef("nobody"))
        with pytest.raises(ValidationException, match="1 validation error detected"):
            await port.create_alias("f", "1", "1")
        accepted = await port.invoke(InvokeRequest(function=FunctionRef("f"), type=InvocationType.EVENT))
        await made.clock.settle()
        delta, local = await port.changes(0), await made.engine.changes(0)
        assert dataclasses.replace(delta, wall=local.wall) == local
        assert accepted.request_id in {view.request_id for view in delta.invocations}
        assert (await port.changes(delta.seq)).empty
        await port.stop_environment(delta.environments[0].id)
        with pytest.raises(UsageError, match="this engine ends with the command that started it"):
            await port.stop()
        await port.delete_function(FunctionRef("f"))
        assert await port.list_functions() == ()
        assert (await port.status()).state_dir == str(tmp_path / "state")


async def test_a_throttle_keeps_its_reason(tmp_path: Path) -> None:
    async with (
        world(tmp_path / "state", concurrency_limit=0) as made,
        served(made.engine) as front,
        attached(front.url) as port,
    ):
        await made.create()
        with pytest.raises(TooManyRequests) as caught:
            await port.invoke(InvokeRequest(function=FunctionRef("f")))
        assert caught.value.reason == "ConcurrentInvocationLimitExceeded"
        assert caught.value.exit_code == 3


# -- errors
KINDS = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, WorkbenchError) and kind is not ApiError
]
#: Made of more than a message; a DeployError is raised by a face and never crosses.
UNCOMMON = (DeployError, TemplateError, TooManyRequests, ValidationException)
ERRORS: list[WorkbenchError] = [
    *(kind("what ü is wrong") for kind in KINDS if kind not in UNCOMMON),
    *(kind("wrong", mend="mend it") for kind in KINDS if not issubclass(kind, ApiError | TemplateError | DeployError)),
    errors.ResourceNotFound("nobody", Resource="f", Type="User"),
    TooManyRequests("CallerRateLimitExceeded"),
    TooManyRequests("ConcurrentInvocationLimitExceeded", "slower"),
    ValidationException(["one", "two"]),
]


@pytest.mark.parametrize("error", ERRORS, ids=repr)
async def test_an_error_arrives_as_it_was_raised(remote: EnginePort, recorder: Recorder, error: WorkbenchError) -> None:
    recorder.answer = raising(error)
    with pytest.raises(type(error)) as caught:
        await remote.stop()
    arrived = caught.value
    assert type(arrived) is type(error)
    assert vars(arrived) == vars(error)
    assert (str(arrived), arrived.title, arrived.exit_code) == (str(error), error.title, error.exit_code)


async def test_an_error_of_a_template_arrives_with_its_place(remote: EnginePort, recorder: Recorder) -> None:
    recorder.answer = raising(TemplateError("no", where="template.yaml:7", mend="yes"))
    with pytest.raises(TemplateError, match=r"^template\.yaml:7: no \(yes\)$"):
        await remote.stop()


async def test_an_unknown_kind_of_error_is_still_one_of_ours(remote: EnginePort, recorder: Recorder) -> None:
    class Strange(WorkbenchError):
        pass

    class StrangeApi(ApiError):
        code, status = "StrangeException", 418

    recorder.answer = raising(Strange("strange", mend="who knows"))
    with pytest.raises(WorkbenchError) as caught:
        await remote.stop()
    assert (type(caught.value), str(caught.value)) == (WorkbenchError, "strange (who knows)")
    recorder.answer = raising(StrangeApi("stranger"))
    with pytest.raises(ApiError) as api:
        await remote.stop()
    assert (api.value.code, api.value.message) == ("StrangeException", "stranger")


async def test_a_bug_of_the_engine_is_told_without_its_details(
    remote: EnginePort, recorder: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    recorder.answer = raising(ZeroDivisionError("secret"))
    with pytest.raises(WorkbenchError, match="the engine failed in 'status'; its log says more") as caught:
        await remote.status()
    assert "secret" not in str(caught.value)
    assert "ZeroDivisionError" in caplog.text
    recorder.answer = None
    await remote.status()


# -- the key
@pytest.mark.parametrize("key", ["", "another", KEY + "x", KEY[:-1], KEY.upper(), f"Bearer {KEY}", "\xff"])
async def test_a_wrong_key_is_refused_and_calls_nothing(front: Front, recorder: Recorder, key: str) -> None:
    async with attached(front.url, key) as port:
        for call in (port.status(), port.stop()):
            with pytest.raises(UsageError, match="this needs the bearer key of the engine's endpoint file"):
                await call
    assert recorder.calls == []


async def raw(url: str, request: bytes) -> bytes:
    """Send bytes and read the answer to its end."""
    host, _, port = url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(request)
    answer = await asyncio.wait_for(reader.read(), 5)
    writer.close()
    return answer


def posted(front: Front, name: str, body: bytes, **headers: str) -> bytes:
    lines = {"host": front.url.removeprefix("http://"), "authorization": f"Bearer {KEY}", "connection": "close"}
    lines |= {"content-length": str(len(body))} | headers
    head = "".join(f"{key}: {value}\r\n" for key, value in lines.items() if value)
    return f"POST /_workbench/v1/call/{name} HTTP/1.1\r\n{head}\r\n".encode() + body


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"authorization": ""}, b"403"),
        ({"authorization": "Bearer"}, b"403"),
        ({"authorization": KEY}, b"403"),
        ({"host": "evil.com"}, b"403"),
        ({"origin": "http://localhost:3000"}, b"403"),
        ({}, b"200"),
    ],
    ids=str,
)
async def test_only_the_key_from_no_web_page_opens(
    front: Front, recorder: Recorder, headers: dict[str, str], status: bytes
) -> None:
    answer = await raw(front.url, posted(front, "status", b"{}", **headers))
    assert answer.split(b" ", 2)[1] == status
    assert bool(recorder.calls) == (status == b"200")


# -- bad arguments, from a program that is not ours
@pytest.mark.parametrize(
    ("name", "body", "status", "message"),
    [
        ("reboot", b"{}", 404, "the engine has no call 'reboot'"),
        ("__init__", b"{}", 404, "the engine has no call '__init__'"),
        ("changes", b"{}", 400, "bad arguments: changes needs the argument 'since'"),
        ("changes", b'{"since":"x"}', 400, "bad arguments: expected int, got str"),
        ("changes", b'{"since":true}', 400, "bad arguments: expected int, got bool"),
        ("changes", b'{"since":1,"until":2}', 400, "bad arguments: changes has no argument 'until'"),
        ("changes", b"", 400, "bad arguments: changes needs"),
        ("changes", b"{", 400, "bad arguments: "),
        ("changes", b"\xff", 400, "bad arguments: "),
        ("account", b"[]", 400, "bad arguments: account takes its arguments by name, not as list"),
        ("account", b"5", 400, "bad arguments: account takes its arguments by name, not as int"),
        ("account", b'"x"', 400, "bad arguments: account takes its arguments by name, not as str"),
        ("account", b"null", 400, "bad arguments: account takes its arguments by name, not as NoneType"),
        ("changes", b"[" * 100_000, 400, "bad arguments: "),
        (
            "create_alias",
            b'{"function":"f","name":"n","version":"1","weights":{"2":1' + b"0" * 400 + b"}}",
            400,
            "bad arguments: a number too large for a float",
        ),
        ("get_function", b'{"ref":{"name":5}}', 400, "bad arguments: FunctionRef.name: expected str, got int"),
        ("update_function_code", b'{"name":"f","code":"?"}', 400, "bad arguments: "),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_bad_arguments_are_answered(
    front: Front, recorder: Recorder, name: str, body: bytes, status: int, message: str
) -> None:
    answer = await raw(front.url, posted(front, name, body))
    head, _, content = answer.partition(b"\r\n\r\n")
    assert int(head.split(b" ", 2)[1]) == status
    said = json.loads(content)
    assert said["kind"] == "UsageError"
    assert said["message"].startswith(message)
    assert recorder.calls == []


# -- broken roads
def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number: int = probe.getsockname()[1]
        return number


async def test_nobody_listens() -> None:
    number = unused_port()
    async with attached(f"http://127.0.0.1:{number}") as port:
        for _ in range(2):
            with pytest.raises(EngineGone, match=f"the engine at 127.0.0.1:{number} does not answer"):
                await port.status()


async def drop(front: Front) -> None:
    """The engine's side of every connection goes, and this side hears of it."""
    for connection in list(front.connections):
        connection.transport.abort()
    for _ in range(5):
        await asyncio.sleep(0.001)


@pytest.mark.parametrize("name", ["status", "stop"])
async def test_a_connection_that_was_dropped_between_calls_is_replaced(
    front: Front, remote: EnginePort, recorder: Recorder, name: str
) -> None:
    for number in range(1, 4):
        await getattr(remote, name)()
        assert len(recorder.calls) == number
        await drop(front)


async def test_a_connection_is_kept_and_used_again(front: Front, remote: EnginePort) -> None:
    for _ in range(5):
        await remote.status()
        assert len(front.connections) == 1


async def test_an_engine_that_started_again_is_found(recorder: Recorder) -> None:
    async with served(recorder) as first:
        url, number = first.url, int(first.url.rpartition(":")[2])
        async with attached(url) as port:
            await asyncio.gather(*(port.status() for _ in range(5)))
            first.close()
            await asyncio.sleep(0.01)
            with pytest.raises(EngineGone):
                await port.status()
            async with served(recorder, number):
                await port.status()
                await port.stop()
    assert len(recorder.calls) == 7


@pytest.mark.parametrize(("name", "times"), [("status", 2), ("list_functions", 2), ("stop", 1)])
async def test_a_call_is_repeated_only_if_it_only_reads(
    front: Front, remote: EnginePort, recorder: Recorder, name: str, times: int
) -> None:
    """The connection breaks while the engine is at it: what it was doing may have happened."""
    await remote.account()
    recorder.calls.clear()

    async def breaks(**arguments: Any) -> Any:
        recorder.answer = None
        await drop(front)

    recorder.answer = breaks
    if times == 2:
        await getattr(remote, name)()
    else:
        with pytest.raises(EngineGone, match="went away"):
            await getattr(remote, name)()
    assert len(recorder.calls) == times


async def test_a_fresh_connection_that_breaks_is_not_tried_for_ever(
    front: Front, remote: EnginePort, recorder: Recorder
) -> None:
    async def breaks(**arguments: Any) -> Any:
        await drop(front)

    recorder.answer = breaks
    with pytest.raises(EngineGone, match="went away"):
        await remote.status()
    assert len(recorder.calls) == 1


async def test_a_call_that_is_given_up_does_not_answer_the_next_one(
    front: Front, remote: EnginePort, recorder: Recorder
) -> None:
    started = asyncio.Event()

    async def slow(**arguments: Any) -> Any:
        recorder.answer = None
        started.set()
        await asyncio.sleep(0.05)
        return example(methods()["list_functions"].answer)

    recorder.answer = slow
    call = asyncio.ensure_future(remote.list_functions())
    await started.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert await remote.account() == example(Account)
    await asyncio.sleep(0.06)
    assert await remote.account() == example(Account)


async def test_many_calls_at_once_are_not_mixed_up(remote: EnginePort, recorder: Recorder) -> None:
    async def late(*, sha256: str) -> bytes:
        await asyncio.sleep(0.001 * (int(sha256) % 7))
        return sha256.encode() * 1000

    recorder.answer = late
    for _ in range(2):
        answers = await asyncio.gather(*(remote.code(str(number)) for number in range(60)))
        assert answers == [str(number).encode() * 1000 for number in range(60)]


async def test_large_packages_go_both_ways(remote: EnginePort, recorder: Recorder) -> None:
    package = bytes(range(256)) * 40_000

    async def echo(*, name: str, code: bytes) -> Any:
        assert code == package
        return example(methods()["update_function_code"].answer)

    async def download(*, sha256: str) -> bytes:
        return package

    recorder.answer = echo
    await remote.update_function_code("f", package)
    recorder.answer = download
    assert await remote.code("0") == package


async def test_a_package_beyond_the_limit_is_refused_and_the_engine_goes_on(
    remote: EnginePort, recorder: Recorder
) -> None:
    with pytest.raises(WorkbenchError):
        await remote.update_function_code("f", bytes(53_000_000))
    assert recorder.calls == []
    await remote.status()


@asynccontextmanager
async def answering(answer: bytes) -> AsyncIterator[str]:
    """Somebody else on the port: whatever is asked, this is said, and the connection closed."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1\r\n\r\n",
        b"HTTP/1.1 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nhtml",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nnull",
        b"HTTP/1.1 404 Not Found\r\ncontent-length: 4\r\n\r\nhtml",
        b"HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\n\r\n[]",
        b"x" * 200_000,
        b"HTTP/1.1 200 OK\r\nx: " + b"x" * 200_000 + b"\r\n\r\n",
    ],
    ids=lambda answer: repr(answer[:60]),
)
async def test_whoever_else_has_the_port_is_no_engine(answer: bytes) -> None:
    async with answering(answer) as url, attached(url) as port:
        with pytest.raises(EngineGone):
            await port.status()


async def test_an_answer_of_another_version_says_so() -> None:
    body = b'{"version":1}'
    answer = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body)
    async with answering(answer) as url, attached(url) as port:
        with pytest.raises(EngineGone, match=r"is no engine of this version: EngineStatus\.version: expected str"):
            await port.status()


async def test_no_connection_is_made_before_the_first_call(front: Front) -> None:
    async with attached(front.url) as port:
        await asyncio.sleep(0.01)
        assert not front.connections
        await port.status()
        assert len(front.connections) == 1


async def test_closing_lets_go_of_the_connections(front: Front) -> None:
    async with attached(front.url) as port:
        await asyncio.gather(*(port.status() for _ in range(5)))
        assert len(front.connections) == 5
    await asyncio.sleep(0.02)
    assert not front.connections


async def test_metrics_are_text_for_who_has_the_key(front: Front, recorder: Recorder) -> None:
    async def text() -> str:
        return "# TYPE any gauge\nany 1\n"

    recorder.answer = text
    host = front.url.removeprefix("http://").encode()
    request = b"GET /_workbench/v1/metrics HTTP/1.1\r\nhost: %s\r\nconnection: close\r\n" % host
    refused = await raw(front.url, request + b"\r\n")
    assert refused.startswith(b"HTTP/1.1 403")
    assert recorder.calls == []
    head, _, body = (await raw(front.url, request + f"authorization: Bearer {KEY}\r\n\r\n".encode())).partition(
        b"\r\n\r\n"
    )
    assert head.startswith(b"HTTP/1.1 200")
    assert b"content-type: text/plain; version=0.0.4; charset=utf-8" in head.lower()
    assert body == b"# TYPE any gauge\nany 1\n"
