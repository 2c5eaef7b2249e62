"""What capabilities promise: limits, freezing, mounts, networks, isolation. What is not promised is not asked for."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import time
import uuid
from contextlib import suppress

from workbench.backends.api import Exited, ExitReason, Network
from workbench.model.environments import Process
from workbench.model.errors import BackendError
from workbench.testing.kit import PATIENCE, SLEEP, NotConforming, Running, Subject, check, check_if, expect, in_time

_BUSY = "print('up', flush=True)\nwhile True: pass"


@check_if(lambda has: has.freeze)
async def freeze_takes_the_cpu_and_thaw_gives_it_back(subject: Subject) -> None:
    async with subject.environment() as running:
        environment = running.environment
        program = await running.start(_BUSY)
        await program.output.line()

        async def burnt() -> float:
            return (await in_time(environment.usage(), "usage")).cpu_seconds

        async def burns(otherwise: str) -> None:
            begun, give_up = await burnt(), time.monotonic() + PATIENCE
            while await burnt() - begun < 0.05:
                expect(time.monotonic() < give_up, otherwise)
                await asyncio.sleep(0.02)

        await burns("a busy process is not seen to use CPU: usage() is wrong")
        for _ in range(2):  # both are idempotent
            await in_time(environment.freeze(), "freeze")
        await asyncio.sleep(0.02)
        before = await burnt()
        await asyncio.sleep(0.3)
        used = await burnt() - before
        expect(used <= 0.02, f"frozen, it used {used:.3f} s of CPU in 0.3 s")
        for _ in range(2):
            await in_time(environment.thaw(), "thaw")
        await burns("thawed, it does not go on")


@check_if(lambda has: has.memory_limit)
async def memory_beyond_the_limit_is_oom(subject: Subject) -> None:
    code = "print('up', flush=True)\nheld = []\nwhile True: held.append(b'x' * (1 << 20))"
    async with subject.environment(memory_size=64) as running:
        program = await running.start(code)
        event = await running.exit_of(program)
        expect(event.oom and event.signal == signal.SIGKILL, f"the memory limit's kill was told as {event}")
        await running.close()
        end = next((event for event in running.events if isinstance(event, Exited)), None)
        expect(end is not None and end.reason is ExitReason.OOM, f"the environment's end is {end}")


@check
async def usage_is_measured(subject: Subject) -> None:
    code = "held = b'x' * (30 << 20)\nprint('up', flush=True)\nimport time; time.sleep(60)"
    async with subject.environment() as running:
        program = await running.start(code)
        await program.output.line()
        peak = (await in_time(running.environment.usage(), "usage")).peak_memory >> 20
        expect(25 <= peak <= 128, f"a process that holds 30 MB is measured as {peak} MB")


@check_if(lambda has: has.processes)
async def processes_are_told(subject: Subject) -> None:
    mark = f"# {uuid.uuid4().hex}"

    async def told(running: Running) -> tuple[Process, ...]:
        return await in_time(running.environment.processes(), "processes")

    async with subject.environment() as running, subject.environment() as other:
        program = await running.start(f"import os; os.fork()\n{SLEEP} {mark}")
        for _ in range(2):
            await program.output.line()
        processes = await told(running)
        family = [one for one in processes if mark in one.command]
        expect(len(family) == 2, f"a process and its child are told as {processes}")
        sound = all(one.pid > 0 and one.memory > 0 and one.cpu_seconds >= 0 for one in family)
        expect(sound, f"processes are told with figures that cannot be: {family}")
        expect(not await told(other), "an environment is told the processes of another")
        await in_time(running.environment.stop(0), "stop")
        expect(not await told(running), "processes are told after the end")


@check_if(lambda has: has.own_network)
async def the_listener_is_inside(subject: Subject) -> None:
    async with subject.environment() as running:
        listener = running.environment.listener
        if listener is None:
            raise NotConforming("own_network is promised, but there is no listener")
        await _reached(running, listener, 9001)


@check_if(lambda has: has.services)
async def the_services_listener_is_inside(subject: Subject) -> None:
    async with subject.environment() as running:
        listener = await in_time(running.environment.take_services(), "take_services")
        if listener is None:
            raise NotConforming("services is promised, but there is no second listener")
        with listener:
            await _reached(running, listener, 9002)


async def _reached(running: Running, listener: socket.socket, port: int) -> None:
    """Who connects to a port inside speaks to whoever has the listener."""
    code = f"import _socket; s = _socket.socket(); s.connect(('127.0.0.1', {port})); s.send(b'hello'); print(s.recv(9))"
    listener.setblocking(False)
    program = await running.start(code)
    loop = asyncio.get_running_loop()
    connection, _ = await in_time(loop.sock_accept(listener), "a connection from inside")
    with connection:
        expect(await loop.sock_recv(connection, 9) == b"hello", "other bytes arrive than were sent")
        await loop.sock_sendall(connection, b"world")
        expect(await program.output.line() == "b'world'", "other bytes arrive than were answered")


@check_if(lambda has: has.file_systems)
async def file_systems_are_shared_and_last(subject: Subject) -> None:
    shared = subject.folder / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    shows = {"/mnt/shared": shared}
    async with subject.environment(file_systems=shows) as first, subject.environment(file_systems=shows) as second:
        writer = await first.start("open('/mnt/shared/file', 'w').write('from one'); print('written')")
        expect(await writer.output.line() == "written", "a file system cannot be written")
        reader = await second.start("print(open('/mnt/shared/file').read())")
        expect(await reader.output.line() == "from one", "what one environment writes another does not read")
    kept = [file.read_text() for file in shared.iterdir()]
    expect(kept == ["from one"], f"after the environments, the host's folder holds {kept}")


@check_if(lambda has: has.boost)
async def settling_leaves_what_runs(subject: Subject) -> None:
    async with subject.environment() as running:
        program = await running.start("import sys; print('up', flush=True); import time; time.sleep(0.2); print('on')")
        await program.output.line()
        await in_time(running.environment.settle(), "settle")
        expect(await program.output.line() == "on", "after settle, what ran before does not go on")


@check_if(lambda has: has.connect)
async def a_connection_reaches_inside(subject: Subject) -> None:
    code = """
import _socket
s = _socket.socket(); s.bind(('127.0.0.1', 0)); s.listen(1); print(s.getsockname()[1], flush=True)
c = _socket.socket(fileno=s._accept()[0]); s.close(); print(c.recv(9), flush=True); c.send(b'world')
import time; time.sleep(60)
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
        try:
            (await in_time(running.environment.connect(port), "connect to nobody")).close()
        except BackendError as error:
            expect(str(port) in str(error), f"the error does not name the port: {error}")
        else:
            raise NotConforming("a port that nobody listens on was connected to")
        still = await running.start("print('still')")
        expect(await still.output.line() == "still", "after a refused connection nothing starts")


@check_if(lambda has: has.mounts)
async def code_is_mounted_read_only(subject: Subject) -> None:
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


@check_if(lambda has: has.late_code)
async def code_comes_late_and_limits_follow(subject: Subject) -> None:
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


@check_if(lambda has: Network.NONE in has.networks)
async def no_network_is_none(subject: Subject) -> None:
    code = """
import _socket
s = _socket.socket(); s.settimeout(3)
try: s.connect(('127.0.0.1', PORT))
except OSError: print('held')
else: print('reached')
"""
    with socket.create_server(("127.0.0.1", 0)) as outside:
        async with subject.environment(network=Network.NONE) as running:
            program = await running.start(code.replace("PORT", str(outside.getsockname()[1])))
            expect(await program.output.line() == "held", "without a network, a server of the host was reached")


@check_if(lambda has: has.isolation)
async def environments_see_nothing_of_one_another(subject: Subject) -> None:
    word, number = uuid.uuid4().hex[:16], os.getpid()
    secret = subject.folder / "secret"
    secret.write_text("of the host")
    secret.chmod(0o644)
    hide = f"open('/tmp/{word}', 'w').write('x')\nprint('hidden', flush=True)\nimport time; time.sleep(60)"
    seek = f"""
import os
word = '{word[:8]}' + '{word[8:]}'
found = [path for path in ('/tmp/' + word, {str(secret)!r}) if os.path.exists(path)]
for pid in filter(str.isdigit, os.listdir('/proc')):
    try: words = open('/proc/' + pid + '/cmdline').read()
    except OSError: continue
    if word in words: found.append('process ' + pid)
try: os.kill({number}, 0)
except OSError: pass
else: found.append('a way to signal the engine')
print(found)
"""
    async with subject.environment() as first, subject.environment() as second:
        hidden = await first.start(hide)
        await hidden.output.line()
        seeker = await second.start(seek)
        line = await seeker.output.line()
        with suppress(FileNotFoundError):  # where there is no isolation after all
            os.unlink(f"/tmp/{word}")
        expect(line == "[]", f"from inside of one environment, what is not its own is seen: {line}")
