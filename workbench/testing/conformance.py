"""Does a backend keep the contract of `workbench.backends.api`? Checks that need no test framework.

`python -m workbench.testing.conformance NAME` runs them all against an installed backend (or a module with the hook)
and exits 1 when one fails. `workbench.testing.suite` has them for pytest. A check says nothing when it passes, and
raises `NotConforming` with a sentence about what is wrong when it does not.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import signal
import sys
import tempfile
import time
import uuid
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

from workbench.backends import registry
from workbench.backends.api import Backend, BackendFactory, Exited, ExitReason, Host, ProcessSpec
from workbench.backends.keeper import Keeper
from workbench.model.errors import BackendError
from workbench.model.runtimes import RuntimeVersion
from workbench.testing.kit import NotConforming, Subject, expect, in_time

Check = Callable[[Subject], Awaitable[None]]
#: All checks, by what they hold.
CHECKS: dict[str, Check] = {}

_SLEEP = "import time; print('up', flush=True); time.sleep(60)"
_BUSY = "print('up', flush=True)\nwhile True: pass"


def check(function: Check) -> Check:
    """Make a function one of the checks."""
    CHECKS[getattr(function, "__name__", "")] = function
    return function


# -- processes -------------------------------------------------------------------------------------------------------


@check
async def output_comes_in_order_and_exit_code(subject: Subject) -> None:
    async with subject.environment() as running:
        program = await running.start(
            "import os\nfor n in range(200): os.write(1 + n % 2, b'%d\\n' % n)\nraise SystemExit(7)"
        )
        event = await running.exit_of(program)
        expect((event.code, event.signal, event.oom) == (7, None, False), f"exit code 7 was told as {event}")
        lines = (await program.output.all()).split()
        expect(lines == [str(n) for n in range(200)], "stdout and stderr do not come in the order of their writing")


@check
async def signal_reaches_the_process(subject: Subject) -> None:
    async with subject.environment() as running:
        program = await running.start(_SLEEP)
        await program.output.line()
        await in_time(running.environment.signal(program.handle, signal.SIGTERM), "signal")
        event = await running.exit_of(program)
        expect((event.code, event.signal) == (None, signal.SIGTERM), f"an end by SIGTERM was told as {event}")
        await in_time(running.environment.signal(program.handle, signal.SIGTERM), "signal to one that is gone")


@check
async def several_processes_one_after_and_beside_another(subject: Subject) -> None:
    async with subject.environment() as running:
        first = await running.start("print(1)")
        await running.exit_of(first)
        second, third = await running.start(_SLEEP), await running.start("print(3)")
        expect(len({first.handle, second.handle, third.handle}) == 3, "two processes have one id")
        await running.exit_of(third)
        expect(await second.output.line() == "up", "the second process does not run")
        expect(all(not isinstance(event, Exited) for event in running.events), "the end of a process ended it all")


@check
async def what_cannot_start_raises_and_harms_nothing(subject: Subject) -> None:
    async with subject.environment() as running:
        read, write = os.pipe()
        spec = ProcessSpec(name="missing", argv=("/nowhere/program",), env={}, cwd="/", output=write)
        try:
            await in_time(running.environment.start(spec), "start")
        except BackendError as error:
            expect("/nowhere/program" in str(error), f"the error does not name the program: {error}")
        else:
            raise NotConforming("a program that does not exist was started")
        finally:
            os.close(read)
            os.close(write)
        program = await running.start("print('still')")
        expect(await program.output.line() == "still", "after a failed start nothing starts")


@check
async def environment_variables_and_folder_are_as_given(subject: Subject) -> None:
    async with subject.environment() as running:
        odd = {
            "_HANDLER": "app.handler",
            "SPACED": "a b=c 'd' \"e\" $f",
            "LINES": "one\ntwo",
            "UMLAUT": "grün",
            "EMPTY": "",
        }
        program = await running.start("import json, os; print(json.dumps([dict(os.environ), os.getcwd()]))", env=odd)
        env, folder = json.loads(await program.output.line())
        env.pop("__CF_USER_TEXT_ENCODING", None)  # macOS adds it to every process
        more, less = set(env.items()) - set(program.env.items()), set(program.env.items()) - set(env.items())
        expect(not more and not less, f"variables that were not given: {sorted(more)}; missing: {sorted(less)}")
        task = running.environment.layout.task
        expect(folder.endswith(task), f"the working directory is {folder}, not {task}")  # macOS: /private before it


@check
async def no_descriptors_but_the_first_three(subject: Subject) -> None:
    code = """
import os
found = []
for fd in range(1024):
    try: os.fstat(fd)
    except OSError: continue
    found.append(fd)
print(found, os.read(0, 1))
"""
    async with subject.environment() as running:
        program = await running.start(code)
        expect(await program.output.line() == "[0, 1, 2] b''", "open descriptors beyond 0-2, or stdin is not empty")


# -- the end ---------------------------------------------------------------------------------------------------------


@check
async def exactly_one_exited_last(subject: Subject) -> None:
    async with subject.environment() as running:
        sleeping, ended = await running.start(_SLEEP), await running.start("pass")
        await sleeping.output.line()
        await running.exit_of(ended)
        answer = await in_time(running.environment.stop(0), "stop")
        await running.close()
        kinds = [type(event).__name__ for event in running.events]
        expect(kinds == ["ProcessExited", "ProcessExited", "Exited"], f"the events were {kinds}")
        expect(running.events[-1] == answer, f"stop answered {answer}, the last event is {running.events[-1]}")
        expect(answer.reason is ExitReason.STOPPED, f"the reason is {answer.reason}")
        await sleeping.output.all()


@check
async def stop_is_idempotent(subject: Subject) -> None:
    async with subject.environment() as running:
        await running.start(_SLEEP)
        stop = running.environment.stop
        answers = [*await in_time(asyncio.gather(stop(0), stop(1), stop(0)), "three stops"), await stop(0)]
        expect(len(set(answers)) == 1, f"the answers differ: {answers}")


@check
async def stop_gives_grace_and_then_kills(subject: Subject) -> None:
    polite = (
        "import os, signal\n"  # not print: the signal may come while one is under way
        "signal.signal(signal.SIGTERM, lambda *_: (os.write(1, b'bye\\n'), os._exit(3)))\n" + _SLEEP
    )
    stubborn = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + _SLEEP
    async with subject.environment() as running:
        first, second = await running.start(polite), await running.start(stubborn)
        await first.output.line()
        await second.output.line()
        begun = time.monotonic()
        await in_time(running.environment.stop(0.5), "stop")
        took = time.monotonic() - begun
        expect(0.4 < took < 2, f"with 0.5 s of grace and a process that ignores SIGTERM, stop took {took:.2f} s")
        expect(await first.output.all() == "bye\n", "SIGTERM was not sent, or no time was left to react")
        expect((await running.exit_of(first)).code == 3, "the exit code after SIGTERM is lost")
        expect((await running.exit_of(second)).signal == signal.SIGKILL, "what ignores SIGTERM was not killed")


@check
async def stop_ends_children_and_frozen_processes(subject: Subject) -> None:
    code = "import os\nif os.fork() == 0: os.setpgid(0, 0) if os.fork() == 0 else None\n" + _SLEEP
    async with subject.environment() as running:
        program = await running.start(code)
        await program.output.line()
        await in_time(running.environment.freeze(), "freeze")
        await in_time(running.environment.stop(0), "stop of a frozen environment")
        if subject.backend.capabilities.isolation:  # without it, what leaves its group may escape
            await program.output.all()


@check
async def guards_are_taken_back(subject: Subject) -> None:
    before = set(subject.guarded)
    async with subject.environment() as running:
        await running.start(_SLEEP)
        expect(subject.guarded - before, "nothing was named to the keeper")
        await in_time(running.environment.stop(0), "stop")
        expect(subject.guarded == before, f"still guarded after stop: {subject.guarded - before}")


@check
async def closing_the_backend_ends_every_environment(subject: Subject) -> None:
    async with subject.environment() as first, subject.environment() as second:
        programs = [await first.start(_SLEEP), await second.start(_SLEEP)]
        await in_time(subject.backend.aclose(), "aclose")
        for running, program in zip((first, second), programs, strict=True):
            await running.close()
            await program.output.all()


@check
async def reset_ends_processes_and_keeps_tmp(subject: Subject) -> None:
    if not subject.backend.capabilities.reset:
        return
    code = """
import os, signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
for own_session in (False, True):
    if os.fork() == 0:
        if own_session: os.setsid()
        while True: signal.pause()
open('/tmp/PLACE', 'w').write('kept')
print('up', flush=True)
while True: signal.pause()
"""
    place = f"reset-{uuid.uuid4().hex}"
    async with subject.environment() as running:
        program = await running.start(code.replace("PLACE", place))
        await program.output.line()
        await in_time(running.environment.reset(), "reset")
        event = await running.exit_of(program)
        expect(event.signal == signal.SIGKILL and not event.oom, f"an end by reset was told as {event}")
        if subject.backend.capabilities.isolation:  # without it, what leaves its session may escape
            await program.output.all()
        expect(all(not isinstance(event, Exited) for event in running.events), "the reset ended the environment")
        again = await running.start(f"import os; print(open('/tmp/{place}').read()); os.unlink('/tmp/{place}')")
        expect(await again.output.all() == "kept\n", "/tmp does not outlive a reset")


# -- limits and freezing ---------------------------------------------------------------------------------------------


@check
async def freeze_takes_the_cpu_and_thaw_gives_it_back(subject: Subject) -> None:
    if not subject.backend.capabilities.freeze:
        return
    async with subject.environment() as running:
        environment = running.environment
        program = await running.start(_BUSY)
        await program.output.line()

        async def burnt() -> float:
            before = (await in_time(environment.usage(), "usage")).cpu_seconds
            await asyncio.sleep(0.3)
            return (await in_time(environment.usage(), "usage")).cpu_seconds - before

        expect(await burnt() > 0.05, "a busy process is not seen to use CPU: usage() is wrong")
        for _ in range(2):  # both are idempotent
            await in_time(environment.freeze(), "freeze")
        await asyncio.sleep(0.02)
        used = await burnt()
        expect(used <= 0.02, f"frozen, it used {used:.3f} s of CPU in 0.3 s")
        for _ in range(2):
            await in_time(environment.thaw(), "thaw")
        expect(await burnt() > 0.05, "thawed, it does not go on")


@check
async def memory_beyond_the_limit_is_oom(subject: Subject) -> None:
    if not subject.backend.capabilities.memory_limit:
        return
    code = "print('up', flush=True)\nheld = []\nwhile True: held.append(b'x' * (1 << 20))"
    async with subject.environment(memory_size=64) as running:
        program = await running.start(code)
        event = await running.exit_of(program)
        expect(event.oom and event.signal == signal.SIGKILL, f"the memory limit's kill was told as {event}")
        await running.close()
        last = running.events[-1]
        expect(isinstance(last, Exited) and last.reason is ExitReason.OOM, f"the environment's end is {last}")


@check
async def usage_is_measured(subject: Subject) -> None:
    code = "held = b'x' * (30 << 20)\nprint('up', flush=True)\nimport time; time.sleep(60)"
    async with subject.environment() as running:
        program = await running.start(code)
        await program.output.line()
        peak = (await in_time(running.environment.usage(), "usage")).peak_memory >> 20
        expect(25 <= peak <= 128, f"a process that holds 30 MB is measured as {peak} MB")


# -- what capabilities promise ---------------------------------------------------------------------------------------


@check
async def the_listener_is_inside(subject: Subject) -> None:
    if not subject.backend.capabilities.own_network:
        return
    code = "import _socket; s = _socket.socket(); s.connect(('127.0.0.1', 9001)); s.send(b'hello'); print(s.recv(9))"
    async with subject.environment() as running:
        listener = running.environment.listener
        if listener is None:
            raise NotConforming("own_network is promised, but there is no listener")
        listener.setblocking(False)
        program = await running.start(code)
        loop = asyncio.get_running_loop()
        connection, _ = await in_time(loop.sock_accept(listener), "a connection from inside")
        with connection:
            expect(await loop.sock_recv(connection, 9) == b"hello", "other bytes arrive than were sent")
            await loop.sock_sendall(connection, b"world")
            expect(await program.output.line() == "b'world'", "other bytes arrive than were answered")


@check
async def a_connection_reaches_inside(subject: Subject) -> None:
    if not subject.backend.capabilities.connect:
        return
    code = """
import _socket
s = _socket.socket(); s.bind(('127.0.0.1', 0)); s.listen(1); print(s.getsockname()[1], flush=True)
c = _socket.socket(fileno=s._accept()[0]); print(c.recv(9), flush=True); c.send(b'world')
"""
    async with subject.environment() as running:
        program = await running.start(code)
        port = int(await program.output.line())
        connection = await in_time(running.environment.connect(port), "connect")
        with connection:
            expect(connection.gettimeout() == 0.0, "the connection blocks")
            loop = asyncio.get_running_loop()
            await loop.sock_sendall(connection, b"hello")
            expect(await program.output.line() == "b'hello'", "other bytes arrive than were sent")
            received = await in_time(loop.sock_recv(connection, 9), "an answer from inside")
            expect(received == b"world", "other bytes arrive than were answered")
        await running.exit_of(program)
        try:
            (await in_time(running.environment.connect(port), "connect to nobody")).close()
        except BackendError as error:
            expect(str(port) in str(error), f"the error does not name the port: {error}")
        else:
            raise NotConforming("a port that nobody listens on was connected to")
        still = await running.start("print('still')")
        expect(await still.output.line() == "still", "after a refused connection nothing starts")


@check
async def code_is_mounted_read_only(subject: Subject) -> None:
    if not subject.backend.capabilities.mounts:
        return
    code = """
print(open('/var/task/file').read())
for path in ('/var/task/new', '/opt/new', '/var/runtime/new', '/new', '/etc/new'):
    try: open(path, 'w')
    except OSError: continue
    print('wrote', path)
open('/tmp/new', 'w').write('x'); print('done')
"""
    async with subject.environment() as running:
        program = await running.start(code)
        lines = (await program.output.all()).splitlines()
        expect(lines == ["from the host", "done"], f"the mounts are wrong: {lines}")


@check
async def code_comes_late_and_limits_follow(subject: Subject) -> None:
    if not subject.backend.capabilities.late_code:
        return
    code = "held = b'x' * (100 << 20)\nprint('up', flush=True)\nimport time; time.sleep(60)"
    async with subject.environment(memory_size=64) as running:
        if subject.backend.capabilities.mounts:
            waiting = await running.start(
                "import os, time\nprint(os.listdir('/var/task'), flush=True)\n"
                "while not os.path.exists('/var/task/sub/late'): time.sleep(0.005)\n"
                "print(open('/var/task/sub/late').read(), flush=True)"
            )
            await waiting.output.line()
            folder = running.task / "sub"
            folder.mkdir()
            (running.task / ".late").write_text("came late")
            (running.task / ".late").rename(folder / "late")
            expect(await waiting.output.line() == "came late", "what is put into the task folder does not appear")
        await in_time(running.environment.resize(256), "resize")
        program = await running.start(code)
        expect(await program.output.line() == "up", "100 MB do not fit in after a resize to 256 MB")
        peak = (await in_time(running.environment.usage(), "usage")).peak_memory >> 20
        expect(95 <= peak <= 256, f"a process that holds 100 MB is measured as {peak} MB after a resize")


# -- running them ----------------------------------------------------------------------------------------------------


async def run(one: Check, backend: Backend, folder: Path, runtime: RuntimeVersion | None = None) -> None:
    """Open the backend, run one check, close the backend.

    Raises:
        NotConforming: the check failed, or the backend is not usable here.
    """
    keeper = Keeper()
    client = folder / "client"
    client.mkdir(mode=0o755, exist_ok=True)
    subject = Subject(backend, runtime or this_python(client), folder)

    def guard(kind: str, value: str) -> None:
        keeper.guard(kind, value)
        subject.guarded.add((kind, value))

    def unguard(kind: str, value: str) -> None:
        keeper.unguard(kind, value)
        subject.guarded.discard((kind, value))

    health = await in_time(backend.health(), "health")
    expect(health.usable, f"not usable here: {health.why} ({health.mend})")
    try:
        await in_time(backend.open(Host(run_dir=folder, guard=guard, unguard=unguard)), "open")
        await in_time(backend.prepare(subject.runtime), "prepare")
        await one(subject)
    finally:
        try:
            await in_time(backend.aclose(), "aclose")
        finally:
            await asyncio.to_thread(keeper.close)


def this_python(client: Path) -> RuntimeVersion:
    """A runtime of the interpreter that runs the checks."""
    executable = Path(getattr(sys, "_base_executable", sys.executable)).resolve()
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    return RuntimeVersion(
        runtime=name,
        label=name,
        arn="arn:aws:lambda:us-east-1::runtime:conformance",
        client=client,
        command=("{interpreter}",),
        interpreter=executable,
        prefix=Path(sys.base_prefix),
    )


def find(name: str) -> Backend:
    """An installed backend, or one whose module can be imported."""
    if name in registry.names():
        return registry.create(name)
    factory: BackendFactory = importlib.import_module(name).workbench_backend()
    return factory.create()


def main(arguments: list[str]) -> int:
    """Run all checks, or those that are named, against one backend."""
    name, *wanted = arguments
    failed = 0
    for title in wanted or CHECKS:
        with tempfile.TemporaryDirectory() as folder:
            problem = "ok"
            try:
                asyncio.run(run(CHECKS[title], find(name), Path(folder)))
            except NotConforming as error:
                problem, failed = f"FAILED: {error}", failed + 1
        print(f"{title.replace('_', ' ')}: {problem}")
    return 1 if failed else 0


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        raise SystemExit(main(sys.argv[1:]))
