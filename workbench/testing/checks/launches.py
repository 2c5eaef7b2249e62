"""Making environments: several at once, given up half-way, again and again; and what a backend says of itself."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from contextlib import AsyncExitStack

from workbench.backends.api import Capabilities, Exited, Health, Layout, Network, Usage
from workbench.testing.kit import SLEEP, NotConforming, Subject, check, expect, in_time
from workbench.testing.watchdog import Watchdog

_BESIDE = 4
#: How many environments are made and ended until the number of open descriptors has to stand still.
_ROUNDS = 12
#: How long what a daemon is still asked for after an environment's end may hold descriptors.
LETS_GO_SECONDS = 0.5
#: No step may hold up the loop on which the backend's other environments live.
_BLOCKED_SECONDS = 0.5


@check
async def values_are_of_the_contract(subject: Subject) -> None:
    backend = subject.backend
    version, has = backend.api_version, backend.capabilities
    expect(len(version) == 2 and all(isinstance(part, int) for part in version), f"api_version is {version!r}")
    expect(isinstance(has, Capabilities), f"capabilities are {has!r}")
    expect(has.networks and all(isinstance(one, Network) for one in has.networks), f"networks are {has.networks!r}")
    health = await in_time(backend.health(), "health")
    expect(isinstance(health, Health) and health.usable, f"the health of an open backend is {health!r}")
    async with AsyncExitStack() as stack:
        running = await stack.enter_async_context(subject.environment())
        environment = running.environment
        expect(environment.id == subject.last_id, f"asked for {subject.last_id}, it made {environment.id!r}")
        listener, pid, layout = environment.listener, environment.pid, environment.layout
        expect(listener is None or isinstance(listener, socket.socket), f"the listener is {listener!r}")
        expect(pid is None or (isinstance(pid, int) and pid > 0), f"the process id is {pid!r}")
        expect(isinstance(layout, Layout) and layout.task, f"the layout is {layout!r}")
        usage = await in_time(environment.usage(), "usage")
        expect(isinstance(usage, Usage) and isinstance(usage.peak_memory, int), f"the usage is {usage!r}")
        program = await running.start("pass")
        expect(isinstance(program.handle, int), f"the handle of a process is {program.handle!r}")
        ended = await in_time(environment.stop(0), "stop")
        expect(isinstance(ended, Exited) and isinstance(ended.detail, str), f"stop answered {ended!r}")


@check
async def preparing_twice_is_preparing_once(subject: Subject) -> None:
    twice = asyncio.gather(subject.backend.prepare(subject.runtime), subject.backend.prepare(subject.runtime))
    await in_time(twice, "preparing a runtime that is prepared")


@check
async def launches_beside_one_another(subject: Subject) -> None:
    async with AsyncExitStack() as stack:
        entering = (stack.enter_async_context(subject.environment()) for _ in range(_BESIDE))
        made = await asyncio.gather(*entering, return_exceptions=True)
        for failed in made:
            if isinstance(failed, BaseException):
                raise NotConforming(f"of {_BESIDE} launches at once, one failed: {failed}") from failed
        environments = [one for one in made if not isinstance(one, BaseException)]
        expect(len({one.environment.id for one in environments}) == _BESIDE, "two environments have one id")
        codes = [f"print({number}, flush=True)\n{SLEEP}" for number in range(_BESIDE)]
        pairs = zip(environments, codes, strict=True)
        programs = await asyncio.gather(*(one.start(code) for one, code in pairs))
        said = await asyncio.gather(*(program.output.line() for program in programs))
        expect(said == [str(number) for number in range(_BESIDE)], f"the programs' outputs are mixed up: {said}")
        await in_time(environments[0].environment.stop(0), "stop of one of them")
        for one, program in list(zip(environments, programs, strict=True))[1:]:
            expect(await program.output.line() == "up" and not one.events, "the end of one environment ended another")


@check
async def a_launch_that_is_cancelled_leaves_nothing(subject: Subject) -> None:
    begun = time.monotonic()
    async with subject.environment():
        took = time.monotonic() - begun
    before = set(subject.guarded)
    for part in (0, 0.2, 0.5, 0.8):
        launching = asyncio.ensure_future(subject.backend.launch(subject.spec()))
        await asyncio.sleep(part * took)
        launching.cancel()
        try:
            environment = await in_time(launching, "a launch that was cancelled")
        except asyncio.CancelledError:
            pass
        else:  # it was quicker
            await in_time(environment.stop(0), "stop")
            if environment.listener is not None:
                environment.listener.close()
        left = subject.guarded - before
        expect(not left, f"of a launch that was cancelled after {part * took * 1000:.0f} ms, {left} is left")
    async with subject.environment() as running:
        program = await running.start("print('still')")
        expect(await program.output.line() == "still", "after cancelled launches nothing starts")


@check
async def no_descriptor_is_left_open(subject: Subject) -> None:
    counts: list[int] = []
    while len(counts) < 2 or counts[-1] > counts[-2]:  # pools of threads and connections fill at first
        async with subject.environment() as running:
            program = await running.start("pass")
            await program.output.all()
        counts.append(await _open_descriptors(at_most=(counts or [0])[-1]))
        expect(len(counts) < _ROUNDS, f"each environment leaves descriptors open: after each there were {counts}")


async def _open_descriptors(at_most: int) -> int:
    """How many there are: at once when they are few enough, else when what is still under way had its time."""
    try:
        async with asyncio.timeout(LETS_GO_SECONDS):
            while len(os.listdir("/dev/fd")) > at_most:  # noqa: ASYNC110  nothing tells of a descriptor's end
                await asyncio.sleep(0.02)
    except TimeoutError:
        pass
    return len(os.listdir("/dev/fd"))


@check
async def the_event_loop_is_not_blocked(subject: Subject) -> None:
    has = subject.backend.capabilities
    with Watchdog(_BLOCKED_SECONDS) as watchdog:
        async with subject.environment() as running:
            program = await running.start(SLEEP)
            await program.output.line()
            environment = running.environment
            await in_time(environment.usage(), "usage")
            if has.freeze:
                await in_time(environment.freeze(), "freeze")
                await in_time(environment.thaw(), "thaw")
            if has.reset:
                await in_time(environment.reset(), "reset")
            await in_time(environment.stop(0.1), "stop")
        await asyncio.sleep(0)
    expect(not watchdog.where, f"the event loop stood still for more than {_BLOCKED_SECONDS:g} s, at {watchdog.where}")
