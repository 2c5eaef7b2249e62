"""Extensions in the life of an environment: INIT, INVOKE, SHUTDOWN and failures, on the virtual clock."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.engine.world import World, world
from workbench.backends.api import EnvironmentSpec
from workbench.engine.ports import Answer, Destination, Registered, TelemetryRequest
from workbench.model.invocations import InvocationStatus
from workbench.testing.fakes import Exit, FakeExtension, FakeRuntime, echo

PORT = 4000
TELEMETRY = TelemetryRequest(
    "telemetry",
    "2022-12-13",
    ("platform", "function", "extension"),
    Destination(PORT, method="POST", path="/"),
    max_items=1_000,
    max_bytes=262_144,
    timeout_ms=25,
)
Opt = Callable[..., Path]


@pytest.fixture
def opt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Opt:
    """Puts files into the environment's /opt/extensions."""
    folder = tmp_path / "opt"

    def with_opt(**spec: Any) -> EnvironmentSpec:
        return EnvironmentSpec(**{**spec, "opt": folder})

    monkeypatch.setattr("workbench.engine.sandbox.EnvironmentSpec", with_opt)

    def put(*names: str, mode: int = 0o755) -> Path:
        (folder / "extensions").mkdir(parents=True, exist_ok=True)
        for name in names:
            (folder / "extensions" / name).touch()
            (folder / "extensions" / name).chmod(mode)
        return folder

    return put


class Watcher:
    """An extension that registers, asks for events, and keeps what it hears."""

    def __init__(self, *events: str, telemetry: TelemetryRequest | None = None) -> None:
        self.subscribed = events or ("INVOKE", "SHUTDOWN")
        self.telemetry = telemetry
        self.heard: list[Any] = []
        self.env: dict[str, str] = {}
        #: Done before each `next`; gets the number of events heard.
        self.work: Callable[[FakeExtension, int], Awaitable[None]] | None = None

    async def __call__(self, extension: FakeExtension) -> None:
        self.env = extension.env
        extension.register(*self.subscribed)
        if self.telemetry is not None:
            assert extension.subscribe(self.telemetry).status == 200
        while True:
            if self.work is not None:
                await self.work(extension, len(self.heard))
            event = await extension.next()
            self.heard.append(event)
            if event["eventType"] == "SHUTDOWN":
                return

    @property
    def kinds(self) -> list[str]:
        return [event["eventType"] for event in self.heard]


def platform_lines(result: Any) -> list[str]:
    return [
        line for line in (result.log or "").splitlines() if line.split()[0] in ("EXTENSION", "INIT_REPORT", "REPORT")
    ]


# -- INIT ------------------------------------------------------------------------------------------------------------


async def test_the_runtime_starts_when_every_external_extension_has_registered(tmp_path: Path, opt: Opt) -> None:
    opt("a", "b")
    async with world(tmp_path / "state") as made:

        async def slow(extension: FakeExtension) -> None:
            await made.clock.sleep(3)
            await Watcher()(extension)

        made.backend.extensions = {"a": Watcher(), "b": slow}
        await made.create()
        pending = made.submit()
        await made.clock.advance(2.9)
        (environment,) = made.backend.environments
        assert environment.calls == ["start extension-a", "start extension-b"]
        await made.clock.advance(0.2)
        result = await pending
        assert environment.calls[2] == "start runtime"
        assert result.status is InvocationStatus.SUCCESS
        assert result.init_ms == pytest.approx(3_000)


async def test_init_is_over_when_every_extension_has_asked_for_its_first_event(tmp_path: Path, opt: Opt) -> None:
    opt("a")
    watcher = Watcher()
    async with world(tmp_path / "state") as made:

        async def prepare(extension: FakeExtension, heard: int) -> None:
            if heard == 0:
                await made.clock.sleep(2)

        watcher.work = prepare
        made.backend.extensions = {"a": watcher}
        await made.create()
        pending = made.submit()
        await made.clock.advance(1.9)
        assert watcher.heard == []
        await made.clock.advance(0.2)
        result = await pending
        assert result.init_ms == pytest.approx(2_000)
        assert "EXTENSION\tName: a\tState: Ready\tEvents: [INVOKE, SHUTDOWN]" in (result.log or "")


async def test_what_an_extension_gets_of_the_variables(tmp_path: Path, opt: Opt) -> None:
    opt("a")
    watcher = Watcher()
    async with world(tmp_path / "state") as made:
        made.backend.extensions = {"a": watcher}
        await made.create(environment={"MINE": "1", "_UNDER": "2"})
        await made.invoke()
    assert watcher.env["MINE"] == "1"
    assert watcher.env["AWS_LAMBDA_FUNCTION_NAME"] == "f"
    assert watcher.env["AWS_ACCESS_KEY_ID"]
    assert watcher.env["PATH"].endswith("/opt/bin")
    without = {"_HANDLER", "_UNDER", "AWS_EXECUTION_ENV", "LAMBDA_TASK_ROOT", "AWS_LAMBDA_LOG_GROUP_NAME"}
    assert not without & set(watcher.env)
    assert not [name for name in watcher.env if name.startswith("AWS_XRAY_")]


async def test_an_internal_extension_registers_in_init_and_not_after_it(tmp_path: Path) -> None:
    answers: list[Any] = []

    async def program(runtime: FakeRuntime) -> None:
        inside = FakeExtension(runtime._link, {}, runtime._output, "inside")
        answers.append(inside.register("INVOKE"))
        late = FakeExtension(runtime._link, {}, runtime._output, "late")
        waiting = inside.next()
        task = asyncio.ensure_future(waiting)
        event = await runtime.next()
        answers.append(await task)
        answers.append(late.register())
        runtime.respond(event.request_id, b"1")
        again = asyncio.ensure_future(inside.next())
        await runtime.next()
        again.cancel()

    async with world(tmp_path / "state", program) as made:
        await made.create()
        result = await made.invoke()
        registered, event, late = answers
        account = made.engine._tables.account.id
        assert registered == Registered(registered.id, "f", "$LATEST", "app.handler", account)
        assert (event["eventType"], event["requestId"]) == ("INVOKE", result.request_id)
        assert late == Answer(403, "Extension.RegistrationClosed", "Extension registration closed already")


@pytest.mark.parametrize(
    ("prepare", "error_type", "message"),
    [
        ("exit", "Extension.Crash", "exit status 1"),
        ("killed", "Extension.Crash", "signal: killed"),
        ("return", "Extension.Crash", "exit code 0"),
        ("init_error", "Extension.InitError", "exit status 1"),
        ("exit_error", "Extension.ExitError", "exit status 1"),
        ("init_error, and stay", "Extension.InitError", "extension a: My.Error"),
        ("mode", "Extension.LaunchError", "fork/exec /opt/extensions/a: permission denied"),
        ("eleven", "Extension.LaunchError", "ErrTooManyExtensions"),
    ],
)
async def test_an_extension_that_fails_in_init(
    tmp_path: Path, opt: Opt, prepare: str, error_type: str, message: str
) -> None:
    opt("a", mode=0o644 if prepare == "mode" else 0o755)
    if prepare == "eleven":
        opt(*(f"b{number}" for number in range(10)))

    async def fail(extension: FakeExtension) -> None:
        if prepare == "return":
            return
        if prepare == "killed":
            raise Exit(signal=9)
        extension.register("INVOKE")
        if "_error" in prepare:
            assert getattr(extension, prepare.split(",")[0])("My.Error").status == 202
        if "stay" in prepare:
            await made.clock.sleep(3600)
        raise Exit(1)

    async with world(tmp_path / "state") as made:
        made.backend.extensions = dict.fromkeys(["a", *(f"b{number}" for number in range(10))], fail)
        await made.create()
        pending = made.submit()
        await made.clock.advance(5)
        result = await pending
        assert json.loads(result.payload) == {
            "errorType": error_type,
            "errorMessage": f"RequestId: {result.request_id} Error: {message}",
        }
        reports = [line for line in (result.log or "").splitlines() if line.startswith("INIT_REPORT")]
        assert [line.split("\t")[1:] for line in reports] == [
            [f"Phase: {phase}", "Status: error", f"Error Type: {error_type}"] for phase in ("init", "invoke")
        ]
        assert (result.log or "").rstrip().endswith(f"Status: error\tError Type: {error_type}")
        registered = prepare == "exit" or "_error" in prepare
        assert ("start runtime" in made.backend.environments[0].calls) is registered


async def test_extensions_that_do_not_register_use_up_the_time_of_init(tmp_path: Path, opt: Opt) -> None:
    opt("a")

    async def sleep(extension: FakeExtension) -> None:
        await made.clock.sleep(3600)

    async with world(tmp_path / "state") as made:
        made.backend.extensions = {"a": sleep}
        await made.create(timeout=5)
        pending = made.submit()
        await made.clock.advance(9.9)
        assert len(made.backend.environments[0].calls) == 1
        await made.clock.advance(20)
        assert pending.done()
        result = await pending
        assert result.status is InvocationStatus.TIMEOUT
        phases = [line.split("\t")[1] for line in (result.log or "").splitlines() if line.startswith("INIT_REPORT")]
        assert phases == ["Phase: init", "Phase: invoke"]


# -- INVOKE ----------------------------------------------------------------------------------------------------------


async def test_an_invocation_lasts_until_the_last_extension_is_ready_and_is_billed_so(tmp_path: Path, opt: Opt) -> None:
    opt("a")
    watcher = Watcher(telemetry=TELEMETRY)
    async with world(tmp_path / "state", freeze_after=3600) as made:

        async def flush(extension: FakeExtension, heard: int) -> None:
            if heard:
                extension.print("flushing")
                await made.clock.sleep(0.4)

        watcher.work = flush
        made.backend.extensions = {"a": watcher}
        await made.create()
        quick = made.submit(logs=False)
        await made.clock.settle()
        assert quick.done(), "the caller does not wait for extensions"
        assert await made.states() == ["busy"]
        await made.clock.advance(0.5)
        assert await made.states() == ["idle"]
        pending = made.submit()
        await made.clock.advance(1)
        result = await pending
        assert result.duration_ms == pytest.approx(400)
        assert result.billed_ms == 400
        assert "flushing" in (result.log or "")
        report = made.listeners.telemetry[PORT][-1]
        assert report["type"] == "platform.report"
        (span,) = report["record"]["spans"]
        assert (span["name"], span["durationMs"]) == ("extensionOverhead", 400.0)
        assert report["record"]["metrics"]["billedDurationMs"] == 400


async def test_the_invoke_event(tmp_path: Path, opt: Opt) -> None:
    opt("a")
    watcher, other = Watcher("INVOKE"), Watcher("SHUTDOWN")
    opt("b")
    async with world(tmp_path / "state") as made:
        made.backend.extensions = {"a": watcher, "b": other}
        await made.create(timeout=7)
        result = await made.invoke(trace_id="Root=1-2-3")
        assert str(result.trace_id).startswith("Root=1-2-3")
        assert watcher.heard == [
            {
                "eventType": "INVOKE",
                "deadlineMs": int((made.clock.time() + 7) * 1000),
                "requestId": result.request_id,
                "invokedFunctionArn": made.engine._tables.account.function_arn("f"),
                "tracing": {"type": "X-Amzn-Trace-Id", "value": result.trace_id},
            }
        ]
        assert other.heard == []


async def test_the_timeout_covers_extensions_too(tmp_path: Path, opt: Opt) -> None:
    opt("a")
    watcher = Watcher()
    async with world(tmp_path / "state") as made:

        async def hang(extension: FakeExtension, heard: int) -> None:
            if heard:
                await made.clock.sleep(3600)

        watcher.work = hang
        made.backend.extensions = {"a": watcher}
        await made.create(timeout=2)
        pending = made.submit()
        await made.clock.advance(1.9)
        assert not pending.done()
        await made.clock.advance(3)
        assert pending.done()
        result = await pending
        assert result.status is InvocationStatus.TIMEOUT
        assert (result.log or "").rstrip().endswith("Status: timeout")


@pytest.mark.parametrize("said", [None, "exit_error"])
async def test_an_extension_that_ends_in_an_invocation_ends_it(tmp_path: Path, opt: Opt, said: str | None) -> None:
    opt("a")
    watcher = Watcher()
    error_type = "Extension.Crash" if said is None else "Extension.ExitError"

    async def crash(extension: FakeExtension, heard: int) -> None:
        if heard:
            if said is not None:
                extension.exit_error("My.Error")
            raise Exit(2)

    async def hang(runtime: FakeRuntime) -> None:
        await runtime.next()
        await made.clock.sleep(3600)

    watcher.work = crash
    async with world(tmp_path / "state", hang) as made:
        made.backend.extensions = {"a": watcher}
        await made.create(timeout=60)
        pending = made.submit()
        await made.clock.advance(4)
        assert pending.done()
        result = await pending
        assert json.loads(result.payload) == {
            "errorType": error_type,
            "errorMessage": f"RequestId: {result.request_id} Error: exit status 2",
        }
        made.backend.program, watcher.work = echo, None
        again = made.submit()
        await made.clock.advance(1)
        assert (await again).status is InvocationStatus.SUCCESS
        assert (await again).environment == result.environment


# -- SHUTDOWN --------------------------------------------------------------------------------------------------------


async def stop(made: World) -> None:
    for one in await made.environments():
        await made.engine.stop_environment(one.id)


async def test_shutdown_has_two_seconds_and_a_reason(tmp_path: Path, opt: Opt) -> None:
    opt("a", "b")
    watcher, deaf = Watcher(), Watcher("INVOKE")
    async with world(tmp_path / "state") as made:

        async def linger(extension: FakeExtension) -> None:
            await watcher(extension)
            await made.clock.sleep(3600)

        made.backend.extensions = {"a": linger, "b": deaf}
        await made.create()
        await made.invoke()
        began = made.clock.time()
        await stop(made)
        await made.clock.advance(0.01)
        assert watcher.heard[-1] == {
            "eventType": "SHUTDOWN",
            "shutdownReason": "spindown",
            "deadlineMs": int((began + 2) * 1000),
        }
        (environment,) = made.backend.environments
        assert "signal 3 15" in environment.calls, "the runtime has SIGTERM"
        assert "signal 2 9" in environment.calls, "who did not subscribe is killed"
        assert deaf.kinds == ["INVOKE"]
        await made.clock.advance(1.98)
        assert await made.states() == ["stopping"]
        await made.clock.advance(0.02)
        assert await made.states() == ["stopped"]


async def test_shutdown_is_over_when_every_extension_is(tmp_path: Path, opt: Opt) -> None:
    opt("a")
    async with world(tmp_path / "state") as made:
        made.backend.extensions = {"a": Watcher()}
        await made.create()
        await made.invoke()
        await stop(made)
        await made.clock.advance(0.01)
        assert await made.states() == ["stopped"]


async def test_a_frozen_environment_is_thawed_for_shutdown(tmp_path: Path, opt: Opt) -> None:
    opt("a")
    watcher = Watcher()
    async with world(tmp_path / "state", freeze_after=0.1) as made:
        made.backend.extensions = {"a": watcher}
        await made.create()
        await made.invoke()
        await made.clock.advance(1)
        assert await made.states() == ["frozen"]
        await stop(made)
        await made.clock.advance(0.01)
        assert made.backend.environments[0].calls.count("thaw") == 1
        assert watcher.kinds == ["INVOKE", "SHUTDOWN"]


async def test_one_that_is_just_being_frozen_is_thawed_for_shutdown(
    tmp_path: Path, opt: Opt, monkeypatch: pytest.MonkeyPatch
) -> None:
    opt("a")
    watcher = Watcher()
    async with world(tmp_path / "state", freeze_after=0.1) as made:
        made.backend.extensions = {"a": watcher}
        await made.create()
        await made.invoke()
        (environment,) = made.backend.environments
        freezing = asyncio.Event()

        async def slowly() -> None:
            await freezing.wait()
            environment.calls.append("frozen")

        monkeypatch.setattr(environment, "freeze", slowly)
        await made.clock.advance(0.2)
        await stop(made)
        freezing.set()
        await made.clock.advance(0.01)
        calls = environment.calls
        assert (
            calls.index("frozen")
            < calls.index("thaw")
            < next(at for at, call in enumerate(calls) if call.startswith("signal"))
        )
        assert watcher.kinds == ["INVOKE", "SHUTDOWN"]


@pytest.mark.parametrize(("program", "reason"), [("timeout", "timeout"), ("exit", "failure")])
async def test_a_reset_is_a_shutdown_and_extensions_start_again(
    tmp_path: Path, opt: Opt, program: str, reason: str
) -> None:
    opt("a")
    watcher = Watcher(telemetry=TELEMETRY)

    async def fail(runtime: FakeRuntime) -> None:
        await runtime.next()
        if program == "exit":
            raise Exit(1)
        await made.clock.sleep(3600)

    async with world(tmp_path / "state", fail, freeze_after=3600) as made:
        made.backend.extensions = {"a": watcher}
        await made.create(timeout=2)
        pending = made.submit()
        await made.clock.advance(4)
        await pending
        assert watcher.kinds == ["INVOKE", "SHUTDOWN"]
        assert watcher.heard[-1]["shutdownReason"] == reason
        told = [event["type"] for event in made.listeners.telemetry[PORT]]
        assert told[-2:] == ["platform.runtimeDone", "platform.report"], "it hears the report before it has to go"
        made.listeners.telemetry[PORT].clear()
        made.backend.program = echo
        await made.invoke()
        await made.clock.advance(1)
        assert watcher.kinds[2:] == ["INVOKE"]
        told = [event["type"] for event in made.listeners.telemetry[PORT]]
        assert (told[0], told[-1]) == ("platform.initStart", "platform.report")
        assert made.listeners.telemetry[PORT][0]["record"]["phase"] == "invoke"


# -- telemetry -------------------------------------------------------------------------------------------------------


async def test_without_a_subscriber_nothing_is_listened_to(tmp_path: Path) -> None:
    async with world(tmp_path / "state") as made:
        await made.create()
        await made.invoke()
        (pool,) = made.engine._pools.all()
        (environment,) = pool.members.values()
        assert environment._journal.subscribers == []


async def test_a_subscriber_of_a_frozen_environment_waits(tmp_path: Path, opt: Opt) -> None:
    opt("a")
    async with world(tmp_path / "state", freeze_after=0.005) as made:
        made.backend.extensions = {"a": Watcher(telemetry=TELEMETRY)}
        await made.create()
        await made.invoke()
        await made.clock.advance(60)
        assert made.listeners.telemetry[PORT] == []
        await made.invoke()
        told = [event["type"] for event in made.listeners.telemetry[PORT]]
        assert told[-1] == "platform.report"


async def test_the_two_apis_exclude_each_other_and_init_s_end_excludes_both(tmp_path: Path, opt: Opt) -> None:
    opt("a")
    answers: list[Answer] = []
    logs = dataclasses.replace(TELEMETRY, api="logs", schema="2021-03-18")

    async def program(extension: FakeExtension) -> None:
        extension.register("INVOKE")
        answers.extend(extension.subscribe(request) for request in (TELEMETRY, TELEMETRY, logs))
        await extension.next()
        answers.extend(extension.subscribe(request) for request in (TELEMETRY, logs))
        await extension.next()

    async with world(tmp_path / "state") as made:
        made.backend.extensions = {"a": program}
        await made.create()
        result = await made.invoke()
    assert [(answer.status, answer.error_type) for answer in answers] == [
        (200, ""),
        (200, ""),
        (403, "Logs.AlreadySubscribed"),
        (403, "Telemetry.SubscriptionClosed"),
        (403, "Logs.SubscriptionClosed"),
    ]
    assert (result.log or "").count("TELEMETRY\tName: a\tState: Subscribed") == 2


async def test_where_nothing_can_be_connected_to_telemetry_is_not_supported(tmp_path: Path, opt: Opt) -> None:
    opt("a")
    answers: list[Answer] = []

    async def program(extension: FakeExtension) -> None:
        extension.register()
        answers.append(extension.subscribe(TELEMETRY))
        await extension.next()

    async with world(tmp_path / "state") as made:
        made.backend.capabilities = dataclasses.replace(made.backend.capabilities, connect=False)
        made.backend.extensions = {"a": program}
        await made.create()
        await made.invoke()
    assert answers == [Answer(202, "Telemetry.NotSupported", "Telemetry API is not supported")]
