"""The life of environments with real runtimes: the cases of AWS's own emulator, resets, and freezing."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.engine.world import ROLE, archive
from tests.support import require_tool
from workbench.app.engine import Running, open_engine
from workbench.backends import cgroups
from workbench.backends.cgroups import Role
from workbench.client.project import Project
from workbench.model.functions import FunctionConfiguration, FunctionState, NewFunction
from workbench.model.invocations import InvocationResult, InvocationStatus, InvokeRequest
from workbench.model.names import FunctionRef

BACKENDS = ["subprocess", pytest.param("bubblewrap", marks=pytest.mark.bubblewrap)]
WITH_DOCKER = [*BACKENDS, pytest.param("docker", marks=pytest.mark.docker)]
PYTHON = "python{}.{}".format(*sys.version_info)


class Stage:
    """An engine on one real backend."""

    def __init__(self, running: Running) -> None:
        self.port = running.port

    async def create(
        self, code: str | dict[str, str], name: str = "f", file: str = "app.py", **configuration: Any
    ) -> None:
        settings = {"runtime": PYTHON, "handler": "app.handler", "role": ROLE, "timeout": 20, **configuration}
        package = archive({file: code} if isinstance(code, str) else code, mode=0o755)
        await self.port.create_function(
            NewFunction(name=name, configuration=FunctionConfiguration(**settings), code=package)
        )
        for _ in range(1000):
            if (await self.port.get_function(FunctionRef(name))).state is not FunctionState.PENDING:
                break
            await asyncio.sleep(0.01)

    async def invoke(
        self, event: Any = None, name: str = "f", qualifier: str | None = None, **more: Any
    ) -> InvocationResult:
        payload = json.dumps(event).encode()
        request = InvokeRequest(function=FunctionRef(name, qualifier), payload=payload, logs=True, **more)
        return await self.port.invoke(request)

    async def answer(self, event: Any = None) -> Any:
        """The payload of an invocation that works."""
        result = await self.invoke(event)
        assert result.status is InvocationStatus.SUCCESS, result
        return json.loads(result.payload)


@pytest.fixture
async def stage(backend: str, tmp_path: Path) -> AsyncIterator[Stage]:
    project = Project(root=tmp_path, state=tmp_path / "state", backend=backend, parameters={})
    async with open_engine(project) as running:
        yield Stage(running)


def error(result: InvocationResult) -> tuple[str, str]:
    """Type and message of a failed invocation."""
    assert result.function_error == "Unhandled"
    payload = json.loads(result.payload)
    return payload["errorType"], payload["errorMessage"]


def last_line(result: InvocationResult) -> str:
    assert result.log is not None
    return result.log.splitlines()[-1]


@pytest.mark.parametrize("backend", BACKENDS)
class TestEmulatorCases:
    """What AWS's runtime interface emulator is tried with, in behaviour."""

    async def test_echo(self, stage: Stage) -> None:
        await stage.create("def handler(event, context): return event")
        assert await stage.answer({"msg": "hello", "n": [1, 2.5, None]}) == {"msg": "hello", "n": [1, 2.5, None]}

    async def test_an_error_of_the_handler(self, stage: Stage) -> None:
        await stage.create("def handler(event, context): raise ValueError('something is off')")
        first, second = await stage.invoke(), await stage.invoke()
        assert error(first) == ("ValueError", "something is off")
        assert first.status is InvocationStatus.ERROR
        assert first.environment == second.environment  # a mere raise resets nothing

    async def test_a_timeout(self, stage: Stage) -> None:
        await stage.create("import time\ndef handler(event, context): time.sleep(event)", timeout=2)
        result = await stage.invoke(30)
        request = result.request_id
        assert error(result) == ("Sandbox.Timedout", f"RequestId: {request} Error: Task timed out after 2.00 seconds")
        assert last_line(result).endswith("\tStatus: timeout")
        assert result.duration_ms >= 2000
        assert await stage.answer(0) is None

    @pytest.mark.parametrize(("size", "fits"), [(6_291_556, True), (6_291_557, False)])
    async def test_a_response_of_6_mb_and_over(self, stage: Stage, size: int, fits: bool) -> None:
        await stage.create("def handler(event, context): return 'x' * event", memory_size=512)
        result = await stage.invoke(size - 2)  # the quotes
        if fits:
            assert (result.status, len(result.payload)) == (InvocationStatus.SUCCESS, size)
        else:
            kind, message = error(result)
            assert kind == "Function.ResponseSizeTooLarge"
            assert message == "Response payload size exceeded maximum allowed payload size (6291556 bytes)."
        assert await stage.answer(1) == "x"

    async def test_two_calls_in_sequence(self, stage: Stage) -> None:
        await stage.create("seen = []\ndef handler(event, context): seen.append(event); return seen")
        assert await stage.answer("first") == ["first"]
        assert await stage.answer("second") == ["first", "second"]

    async def test_the_arn_in_the_context_is_the_one_that_was_called(self, stage: Stage) -> None:
        await stage.create("def handler(event, context): return context.invoked_function_arn, context.function_version")
        await stage.port.publish_version("f")
        await stage.port.create_alias("f", "live", "1")
        arn = "arn:aws:lambda:us-east-1:000000000000:function:f"
        assert await stage.answer() == [arn, "$LATEST"]
        assert json.loads((await stage.invoke(qualifier="live")).payload) == [f"{arn}:live", "1"]

    @pytest.mark.parametrize(
        ("end", "said"),
        [
            ("os._exit(0)", "Runtime exited without providing a reason"),
            ("os._exit(7)", "Runtime exited with error: exit status 7"),
            ("os.kill(os.getpid(), 9)", "Runtime exited with error: signal: killed"),
        ],
    )
    async def test_an_exit_on_invoke(self, stage: Stage, end: str, said: str) -> None:
        await stage.create(f"import os\ndef handler(event, context):\n    if event: {end}\n    return 'alive'")
        result = await stage.invoke(True)
        assert error(result) == ("Runtime.ExitError", f"RequestId: {result.request_id} Error: {said}")
        assert last_line(result).endswith("\tStatus: error\tError Type: Runtime.ExitError")
        again = await stage.invoke(False)
        assert (again.payload, again.environment) == (b'"alive"', result.environment)

    async def test_an_exit_on_init_is_tried_twice(self, stage: Stage) -> None:
        await stage.create("import os; os.write(1, b'starting\\n'); os._exit(3)")
        result = await stage.invoke()
        kind, message = error(result)
        assert (kind, message.partition("Error: ")[2]) == (
            "Runtime.ExitError",
            "Runtime exited with error: exit status 3",
        )
        assert (result.log or "").count("starting\n") == 2
        phases = [line.split("\t")[1] for line in (result.log or "").splitlines() if line.startswith("INIT_REPORT")]
        assert phases == ["Phase: init", "Phase: invoke"]

    async def test_a_missing_handler(self, stage: Stage) -> None:
        await stage.create("def other(event, context): return 1")
        result = await stage.invoke()
        assert error(result) == ("Runtime.HandlerNotFound", "Handler 'handler' missing on module 'app'")
        assert "Error Type: Runtime.HandlerNotFound" in (result.log or "")

    async def test_a_response_before_next_is_refused_and_harms_nothing(self, stage: Stage) -> None:
        require_tool("curl")
        bootstrap = """#!/bin/sh
api=http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation
early=$(curl -sS -o /dev/null -w '%{http_code}' -d '"early"' $api/11111111-1111-4111-8111-111111111111/response)
while :; do
  id=$(curl -sS -D - -o /dev/null $api/next | sed -n 's/^Lambda-Runtime-Aws-Request-Id: \\([0-9a-f-]*\\).*/\\1/p')
  curl -sS -o /dev/null -d "$early" $api/$id/response
done
"""
        await stage.create(bootstrap, file="bootstrap", runtime="provided.al2023", handler="none")
        assert await stage.answer() == 403
        assert await stage.answer() == 403


AROUND = """
import os, resource
def handler(event, context):
    folders = ("/var/task", "/opt", "/var/runtime", "/")
    writable = [folder for folder in folders if not os.statvfs(folder).f_flag & os.ST_RDONLY]
    mode = oct(os.stat("/tmp").st_mode)
    return [os.getcwd(), os.getuid() == 0, writable, mode, resource.getrlimit(resource.RLIMIT_NOFILE)]
"""


@pytest.mark.parametrize("backend", WITH_DOCKER[1:])
async def test_what_a_function_finds_around_it(stage: Stage) -> None:
    await stage.create(AROUND)
    assert await stage.answer() == ["/var/task", False, [], "0o41777", [1024, 1024]]


@pytest.mark.skipif(Role.MEMORY not in cgroups.support().roles, reason="no cgroup limits memory here")
@pytest.mark.parametrize("backend", WITH_DOCKER[1:])
async def test_memory_ends_at_memory_size(stage: Stage) -> None:
    # Slowly: where files in /tmp share the kernel's limit, what a function holds beside them is looked at now and then.
    loop = "while True: held.append(b'x' * (1 << 20)); print(len(held), flush=True); time.sleep(0.01)"
    await stage.create(f"import time\ndef handler(event, context):\n held = []\n {loop}", memory_size=192)
    result = await stage.invoke()
    assert result.status is InvocationStatus.OOM
    held = [int(line) for line in (result.log or "").splitlines() if line.isdecimal()]
    assert 128 < held[-1] < 256


WRAPPER = """#!/bin/bash
words=("$@")
export SEEN="${words[*]: -1}" _HANDLER=app.other
exec "${words[@]:0:$#-1}" -X tracemalloc=7 "${words[@]: -1}"
"""
WRAPPED = """
import os, tracemalloc
def handler(event, context): return "not this one"
def other(event, context): return os.path.basename(os.environ["SEEN"]), tracemalloc.get_traceback_limit()
"""


@pytest.mark.parametrize("backend", WITH_DOCKER)
async def test_a_wrapper_script_starts_the_runtime_with_other_options_and_another_handler(stage: Stage) -> None:
    environment = {"AWS_LAMBDA_EXEC_WRAPPER": "/var/task/wrap"}
    await stage.create({"app.py": WRAPPED, "wrap": WRAPPER}, environment=environment)
    assert await stage.answer() == ["boot.py", 7]


@pytest.fixture
def node() -> str:
    """The runtime of this machine's node."""
    asked = [require_tool("node"), "-p", "process.versions.node.split('.')[0]"]
    return f"nodejs{subprocess.check_output(asked, text=True).strip()}.x"


@pytest.mark.parametrize("backend", BACKENDS)
async def test_node_starts_through_a_wrapper_script(stage: Stage, node: str) -> None:
    files = {
        "index.js": "exports.handler = async () => [process.env.SEEN, process.execArgv.includes('--no-warnings')]",
        "wrap": '#!/bin/sh\nnode=$1; shift\nSEEN=yes exec "$node" --no-warnings "$@"\n',
    }
    environment = {"AWS_LAMBDA_EXEC_WRAPPER": "/var/task/wrap"}
    await stage.create(files, runtime=node, handler="index.handler", environment=environment)
    assert await stage.answer() == ["yes", True]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("wrapper", "status", "said"),
    [("/opt/nowhere", 127, "/opt/nowhere: does not exist"), ("/etc/passwd", 126, "/etc/passwd: is not an executable")],
)
async def test_a_wrapper_script_that_cannot_be_started(stage: Stage, wrapper: str, status: int, said: str) -> None:
    await stage.create("def handler(event, context): return 1", environment={"AWS_LAMBDA_EXEC_WRAPPER": wrapper})
    result = await stage.invoke()
    kind, message = error(result)
    assert (kind, message.partition("Error: ")[2]) == (
        "Runtime.ExitError",
        f"Runtime exited with error: exit status {status}",
    )
    assert (result.log or "").count(f"{said}\n") == 2  # INIT is tried twice


@pytest.mark.parametrize("backend", BACKENDS)
async def test_json_logs_of_a_real_runtime_have_the_levels_that_were_set(stage: Stage) -> None:
    code = """
import logging
log = logging.getLogger()
def handler(event, context):
    log.info("quiet"); log.warning("loud", extra={"order": 7}); print("raw")
"""
    logging = {"LogFormat": "JSON", "ApplicationLogLevel": "WARN", "SystemLogLevel": "INFO"}
    await stage.create(code, settings={"LoggingConfig": logging})
    result = await stage.invoke()
    lines = (result.log or "").splitlines()
    records = [json.loads(line) for line in lines if line != "raw"]
    assert len(records) == len(lines) - 1
    assert [record.get("type") for record in records] == [
        "platform.initStart",
        "platform.start",
        None,
        "platform.report",
    ]
    (written,) = [record for record in records if "type" not in record]
    assert (written["level"], written["message"], written["order"], written["requestId"]) == (
        "WARNING",
        "loud",
        7,
        result.request_id,
    )


@pytest.mark.parametrize("backend", BACKENDS)
async def test_an_invocation_ran_from_when_its_event_left_until_it_finished(stage: Stage) -> None:
    await stage.create("def handler(event, context): return 1")
    for _ in range(20):
        await stage.invoke()
    for view in (await stage.port.changes(0)).invocations:
        assert view.started is not None
        assert view.finished is not None
        assert (view.finished - view.started) / 1e6 >= view.duration_ms - 0.01  # it has two decimals


@pytest.mark.parametrize("backend", BACKENDS)
async def test_what_follows_a_logged_exception_has_a_line_of_its_own(stage: Stage) -> None:
    code = """
import logging
def handler(event, context):
    try: 1 / 0
    except ZeroDivisionError: logging.exception("caught")
    print("next")
"""
    await stage.create(code)
    lines = ((await stage.invoke()).log or "").splitlines()
    at = lines.index("ZeroDivisionError: division by zero")
    assert lines[at + 1] == "next"


@pytest.fixture
def place(tmp_path: Path) -> Iterator[str]:
    """The name of a file in /tmp, which without mounts is the machine's."""
    name = f"workbench-{tmp_path.name}-{os.getpid()}"
    yield name
    Path("/tmp", name).unlink(missing_ok=True)


CHILDREN = """
import os, signal, time
GLOBAL = []
def handler(event, context):
    GLOBAL.append(1)
    if event == "look":
        try: text = open(f"/tmp/{PLACE}").read()
        except OSError: text = None
        return [text, len(GLOBAL)]
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    with open(f"/tmp/{PLACE}", "w") as file: file.write("kept")
    for n in range(20):
        if os.fork() == 0:
            while True: time.sleep(60)
    while True: time.sleep(60)
"""


@pytest.mark.parametrize("backend", WITH_DOCKER)
async def test_a_timeout_ends_what_ignores_sigterm_and_its_children_at_once_and_keeps_tmp(
    stage: Stage, place: str
) -> None:
    mark = f"MARK={place}"
    await stage.create(CHILDREN.replace("{PLACE}", place), timeout=3, environment={"MARK": place})
    timing_out = asyncio.ensure_future(stage.invoke("work"))
    assert await asyncio.to_thread(_until, lambda: len(_marked(mark)) >= 21, 10), "the children are not there"
    result = await timing_out
    # The answer comes when everything is gone; how soon that is, `python -m benchmarks timeout` measures.
    assert not _marked(mark)
    assert result.status is InvocationStatus.TIMEOUT
    assert await stage.answer("look") == ["kept", 1]
    assert (await stage.invoke("look")).environment == result.environment


def _marked(mark: str) -> list[int]:
    """Processes whose variables have the mark."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):
                if mark.encode() in (folder / "environ").read_bytes().split(b"\0"):
                    found.append(int(folder.name))
    return found


def _until(condition: Any, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.01)
    return False


BACKGROUND = """
import threading
count = 0
def spin():
    global count
    while True: count += 1
def handler(event, context):
    if event: threading.Thread(target=spin, daemon=True).start()
    return count
"""


@pytest.mark.parametrize("backend", BACKENDS)
async def test_a_background_thread_uses_no_cpu_while_frozen_and_goes_on_after(stage: Stage, tmp_path: Path) -> None:
    mark = f"workbench-{tmp_path.name}-{os.getpid()}"
    await stage.create(BACKGROUND, environment={"MARK": mark})
    await stage.invoke(True)
    for _ in range(500):
        (view,) = (await stage.port.changes(0)).environments
        if view.state.value == "frozen":
            break
        await asyncio.sleep(0.01)
    (process,) = _marked(f"MARK={mark}")
    before = _ticks(process)
    await asyncio.sleep(5)
    assert _ticks(process) == before
    first = await stage.answer(False)
    await asyncio.sleep(0.01)
    assert await stage.answer(False) > first
    assert _ticks(process) > before


def _ticks(process: int) -> int:
    """CPU time of all threads of a process, in clock ticks."""
    fields = Path("/proc", str(process), "stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])
