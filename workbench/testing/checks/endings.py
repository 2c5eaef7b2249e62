"""How an environment ends: once, whole, with whatever is in it, in whatever state it is."""

from __future__ import annotations

import asyncio
import signal
import time
import uuid
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from workbench.backends.api import Exited, ExitReason, ProcessExited
from workbench.model.errors import BackendError
from workbench.testing.kit import SLEEP, NotConforming, Running, Subject, check, check_if, expect, in_time


@check
async def exactly_one_exited_last(subject: Subject) -> None:
    async with subject.environment() as running:
        sleeping, ended = await running.start(SLEEP), await running.start("pass")
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
        await running.start(SLEEP)
        stop = running.environment.stop
        answers = [*await in_time(asyncio.gather(stop(0), stop(1), stop(0)), "three stops"), await stop(0)]
        expect(len(set(answers)) == 1, f"the answers differ: {answers}")


@check
async def stop_gives_grace_and_then_kills(subject: Subject) -> None:
    polite = (
        "import os, signal\n"  # not print: the signal may come while one is under way
        "signal.signal(signal.SIGTERM, lambda *_: (os.write(1, b'bye\\n'), os._exit(3)))\n" + SLEEP
    )
    stubborn = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + SLEEP
    async with subject.environment() as running:
        first, second = await running.start(polite), await running.start(stubborn)
        await first.output.line()
        await second.output.line()
        begun = time.monotonic()
        await in_time(running.environment.stop(1), "stop")
        took = time.monotonic() - begun
        expect(0.8 < took < 5, f"with 1 s of grace and a process that ignores SIGTERM, stop took {took:.2f} s")
        expect(await first.output.all() == "bye\n", "SIGTERM was not sent, or no time was left to react")
        expect((await running.exit_of(first)).code == 3, "the exit code after SIGTERM is lost")
        expect((await running.exit_of(second)).signal == signal.SIGKILL, "what ignores SIGTERM was not killed")


@check
async def stop_ends_children_and_frozen_processes(subject: Subject) -> None:
    code = "import os\nif os.fork() == 0: os.setpgid(0, 0) if os.fork() == 0 else None\n" + SLEEP
    async with subject.environment() as running:
        program = await running.start(code)
        await program.output.line()
        if subject.backend.capabilities.freeze:
            await in_time(running.environment.freeze(), "freeze")
        await in_time(running.environment.stop(0), "stop of a frozen environment")
        if subject.backend.capabilities.isolation:  # without it, what leaves its group may escape
            await program.output.all()


@check
async def stop_while_a_process_starts(subject: Subject) -> None:
    for delay in (0, 0.002, 0.01):  # the stop falls between other two steps of the start each time
        async with subject.environment() as running:
            await _stop_after(delay, running)
    async with subject.environment() as running:
        # A machine with much to do: whatever the start hands to a thread is late.
        executor = ThreadPoolExecutor(1)
        asyncio.get_running_loop().set_default_executor(executor)
        executor.submit(time.sleep, 0.2)
        await _stop_after(0, running)


async def _stop_after(delay: float, running: Running) -> None:
    starting = asyncio.ensure_future(running.start(SLEEP))
    await asyncio.sleep(delay)
    await in_time(running.environment.stop(0), "stop while a process starts")
    program = None
    with suppress(BackendError):  # either is right: it was too late to start, or it was started and ended
        program = await starting
    await running.close()
    ends = [event.process for event in running.events if isinstance(event, ProcessExited)]
    expect(isinstance(running.events[-1], Exited), f"the last event is {running.events[-1]}")
    expect(program is None or program.handle in ends, "the end of the process that was starting was not told")
    if program is not None:
        await program.output.all()
    try:
        late = await running.start(SLEEP)
    except BackendError:
        return
    raise NotConforming(f"after the end a process was started: {late.handle}")


@check
async def calls_after_the_end_answer(subject: Subject) -> None:
    async with subject.environment() as running:
        program = await running.start(SLEEP)
        await program.output.line()
        environment, has = running.environment, subject.backend.capabilities
        await in_time(environment.stop(0), "stop")
        calls: dict[str, Callable[[], Awaitable[object]]] = {
            "signal": lambda: environment.signal(program.handle, signal.SIGTERM),
            "usage": environment.usage,
            **({"freeze": environment.freeze, "thaw": environment.thaw} if has.freeze else {}),
            **({"reset": environment.reset} if has.reset else {}),
            **({"connect": lambda: environment.connect(9)} if has.connect else {}),
        }
        for name, call in calls.items():
            with suppress(BackendError):  # it may say that the environment is gone, but it must say something
                await in_time(call(), f"{name} after the end")


@check
async def guards_are_taken_back(subject: Subject) -> None:
    before = set(subject.guarded)
    async with subject.environment() as running:
        await running.start(SLEEP)
        expect(subject.guarded - before, "nothing was named to the keeper")
        await in_time(running.environment.stop(0), "stop")
        expect(subject.guarded == before, f"still guarded after stop: {subject.guarded - before}")


@check
async def closing_the_backend_ends_every_environment(subject: Subject) -> None:
    async with subject.environment() as first, subject.environment() as second:
        programs = [await first.start(SLEEP), await second.start(SLEEP)]
        await in_time(subject.backend.aclose(), "aclose")
        for running, program in zip((first, second), programs, strict=True):
            await running.close()
            await program.output.all()


@check_if(lambda has: has.reset)
async def reset_ends_processes_and_keeps_tmp(subject: Subject) -> None:
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
