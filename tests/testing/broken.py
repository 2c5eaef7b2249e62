"""Backends that are each broken in one way: sound `subprocess` backends but for what `spoil` or an override does.

`BROKEN` says for each which check finds it, and in what words.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import replace
from typing import ClassVar

from workbench.backends.api import (
    EnvironmentSpec,
    Exited,
    ExitReason,
    Health,
    Host,
    Network,
    ProcessExited,
    ProcessSpec,
    Usage,
)
from workbench.backends.process import spawn
from workbench.model.environments import Process
from workbench.model.errors import BackendError
from workbench.model.runtimes import RuntimeVersion
from workbench_subprocess.backend import SubprocessBackend
from workbench_subprocess.environment import SubprocessEnvironment as Environment

#: Each broken backend by the check that finds it, with the words it finds.
BROKEN: dict[str, tuple[type[Broken], str]] = {}
#: How long a fake that hangs does so: longer than the checks are patient in these tests.
HANGS = 4.0


def found_by(check: str, words: str) -> Callable[[type[Broken]], type[Broken]]:
    def register(kind: type[Broken]) -> type[Broken]:
        assert check not in BROKEN
        BROKEN[check] = (kind, words)
        return kind

    return register


class Broken(SubprocessBackend):
    async def launch(self, spec: EnvironmentSpec) -> Environment:
        environment = await super().launch(spec)
        self.spoil(environment)
        return environment

    def spoil(self, environment: Environment) -> None:
        """Break it."""


def with_command(environment: Environment, *front: str) -> None:
    """Put a command in front of whatever is started."""
    start = environment.start

    async def changed(spec: ProcessSpec) -> int:
        wrapped = replace(spec, argv=(*front, *spec.argv))
        return await start(spec if "nowhere" in spec.argv[0] else wrapped)  # what cannot start still cannot

    environment.start = changed  # type: ignore[method-assign]


def with_events(environment: Environment, change: Callable[[ProcessExited], ProcessExited]) -> None:
    """Change what is told of the ends of processes."""
    events = environment.events

    async def changed() -> AsyncIterator[ProcessExited | Exited]:
        async for event in events():
            yield change(event) if isinstance(event, ProcessExited) else event

    environment.events = changed  # type: ignore[method-assign]


# -- launches ----------------------------------------------------------------------------------------------------------


@found_by("values_are_of_the_contract", "asked for conformance-.*it made 'mine-conformance")
class RenamesEnvironments(Broken):
    def spoil(self, environment: Environment) -> None:
        environment.id = f"mine-{environment.id}"


@found_by("preparing_twice_is_preparing_once", "preparing a runtime that is prepared raised FileExistsError")
class PreparesOnce(Broken):
    def __init__(self) -> None:
        super().__init__()
        self.prepared: set[str] = set()

    async def prepare(self, runtime: RuntimeVersion) -> None:
        if runtime.runtime in self.prepared:
            raise FileExistsError(runtime.runtime)
        self.prepared.add(runtime.runtime)


@found_by("launches_beside_one_another", "of 4 launches at once, one failed: busy")
class LaunchesOneAtATime(Broken):
    busy = False

    async def launch(self, spec: EnvironmentSpec) -> Environment:
        if self.busy:
            raise BackendError("busy")
        self.busy = True
        try:
            await asyncio.sleep(0.01)
            return await super().launch(spec)
        finally:
            self.busy = False


@found_by("a_launch_that_is_cancelled_leaves_nothing", "of a launch that was cancelled after .* is left")
class ForgetsWhatItHadBegun(Broken):
    def __init__(self) -> None:
        super().__init__()
        self.helpers: list[subprocess.Popen[bytes]] = []

    async def launch(self, spec: EnvironmentSpec) -> Environment:
        assert self._host is not None
        helper = spawn(["/bin/sleep", "60"], env={})
        self.helpers.append(helper)
        self._host.guard("pgid", str(helper.pid))
        await asyncio.sleep(0.02)
        self._host.unguard("pgid", str(helper.pid))
        helper.kill()
        return await super().launch(spec)

    async def aclose(self) -> None:
        await super().aclose()
        for helper in self.helpers:
            helper.kill()
            helper.wait()


@found_by("no_descriptor_is_left_open", "each environment leaves descriptors open")
class LeaksDescriptors(Broken):
    def __init__(self) -> None:
        super().__init__()
        self.leaked: list[socket.socket] = []  # closed with the backend, so that the tests themselves do not leak

    def spoil(self, environment: Environment) -> None:
        self.leaked.append(socket.socket())

    async def aclose(self) -> None:
        await super().aclose()
        for one in self.leaked:
            one.close()


@found_by("the_event_loop_is_not_blocked", r"stood still for more than 0.5 s, at .*broken.py:\d+ \(blocking: ")
class BlocksTheLoop(Broken):
    def spoil(self, environment: Environment) -> None:
        usage = environment.usage

        async def blocking() -> Usage:
            time.sleep(1)  # noqa: ASYNC251  that is what is wrong with it
            return await usage()

        environment.usage = blocking  # type: ignore[method-assign]


# -- processes ---------------------------------------------------------------------------------------------------------


@found_by("output_comes_in_order_and_exit_code", "stdout and stderr do not come in the order")
class LosesStderr(Broken):
    def spoil(self, environment: Environment) -> None:
        with_command(environment, "/bin/sh", "-c", 'unset PWD OLDPWD; exec "$@" 2>/dev/null', "sh")


@found_by("a_flood_arrives_whole_and_holds_up_nobody", "of 2048 lines arrived, or in disorder")
class DropsAFlood(Broken):
    """Hands output on through a buffer, and beyond a megabyte drops it."""

    def spoil(self, environment: Environment) -> None:
        start = environment.start

        async def through_a_pump(spec: ProcessSpec) -> int:
            theirs, ours = os.pipe()
            out = os.dup(spec.output)
            threading.Thread(target=self.pump, args=(theirs, out), daemon=True).start()
            try:
                return await start(replace(spec, output=ours))
            finally:
                os.close(ours)

        environment.start = through_a_pump  # type: ignore[method-assign]

    @staticmethod
    def pump(source: int, target: int) -> None:
        passed = 0
        while chunk := os.read(source, 65536):
            passed += len(chunk)
            if passed < 1 << 20:
                with suppress(BrokenPipeError):
                    os.write(target, chunk)
        os.close(source)
        os.close(target)


@found_by("signal_reaches_the_process", "ProcessExited event: not within")
class ForgetsSignals(Broken):
    def spoil(self, environment: Environment) -> None:
        async def signal(process: int, sig: int) -> None:
            pass

        environment.signal = signal  # type: ignore[method-assign]


@found_by("a_signal_to_one_that_is_gone_is_no_error", "one that is gone raised ProcessLookupError")
class RaisesForTheGone(Broken):
    def spoil(self, environment: Environment) -> None:
        send = environment.signal

        async def strict(process: int, sig: int) -> None:
            if process not in environment._processes and environment._ending is None:
                raise ProcessLookupError(process)
            await send(process, sig)

        environment.signal = strict  # type: ignore[method-assign]


@found_by("several_processes_one_after_and_beside_another", "over with its first process")
class IsOverWithItsFirstProcess(Broken):
    def spoil(self, environment: Environment) -> None:
        start, ended = environment.start, set[int]()

        def note(event: ProcessExited) -> ProcessExited:
            ended.update([event.process] if event.code == 0 else [])
            return event

        async def refusing(spec: ProcessSpec) -> int:
            if 1 in ended:
                raise BackendError("the environment is over with its first process")
            return await start(spec)

        with_events(environment, note)
        environment.start = refusing  # type: ignore[method-assign]


@found_by("what_cannot_start_raises_and_harms_nothing", "start raised FileNotFoundError")
class RaisesWhatThePlatformRaises(Broken):
    def spoil(self, environment: Environment) -> None:
        start = environment.start

        async def unmapped(spec: ProcessSpec) -> int:
            os.stat(spec.argv[0])
            return await start(spec)

        environment.start = unmapped  # type: ignore[method-assign]


@found_by("environment_variables_and_folder_are_as_given", "not given.*EXTRA")
class AddsAVariable(Broken):
    def spoil(self, environment: Environment) -> None:
        start = environment.start

        async def with_more(spec: ProcessSpec) -> int:
            return await start(replace(spec, env={**spec.env, "EXTRA": "1"}))

        environment.start = with_more  # type: ignore[method-assign]


@found_by("no_descriptors_but_the_first_three", "open descriptors beyond 0-2")
class LeavesADescriptor(Broken):
    def spoil(self, environment: Environment) -> None:
        with_command(environment, "/bin/sh", "-c", 'exec 7</dev/null; unset PWD OLDPWD; exec "$@"', "sh")


# -- endings -----------------------------------------------------------------------------------------------------------


@found_by("exactly_one_exited_last", "the events were")
class EndsTwice(Broken):
    def spoil(self, environment: Environment) -> None:
        events = environment.events

        async def twice() -> AsyncIterator[ProcessExited | Exited]:
            async for event in events():
                yield event
            yield Exited(reason=ExitReason.FAILED)

        environment.events = twice  # type: ignore[method-assign]


@found_by("stop_is_idempotent", "the answers differ")
class AnswersAnew(Broken):
    def spoil(self, environment: Environment) -> None:
        stop = environment.stop
        answers = iter(range(sys.maxsize))

        async def anew(grace: float) -> Exited:
            ended = await stop(grace)
            return replace(ended, detail="again" if next(answers) else ended.detail)

        environment.stop = anew  # type: ignore[method-assign]


@found_by("stop_gives_grace_and_then_kills", "stop took")
class HasNoGrace(Broken):
    def spoil(self, environment: Environment) -> None:
        stop = environment.stop

        async def at_once(_grace: float) -> Exited:
            return await stop(0)

        environment.stop = at_once  # type: ignore[method-assign]


@found_by("stop_ends_children_and_frozen_processes", "stop of a frozen environment: not within")
class CannotStopWhatIsFrozen(Broken):
    def spoil(self, environment: Environment) -> None:
        stop = environment.stop

        async def waiting(grace: float) -> Exited:
            if environment._frozen:
                await asyncio.sleep(HANGS)
            return await stop(grace)

        environment.stop = waiting  # type: ignore[method-assign]


@found_by("stop_while_a_process_starts", "after the end a process was started")
class StartsAfterTheEnd(Broken):
    def spoil(self, environment: Environment) -> None:
        start = environment.start

        async def always(spec: ProcessSpec) -> int:
            return 99 if environment._ending is not None else await start(spec)

        environment.start = always  # type: ignore[method-assign]


@found_by("calls_after_the_end_answer", "usage after the end: not within")
class HangsAfterTheEnd(Broken):
    def spoil(self, environment: Environment) -> None:
        usage = environment.usage

        async def hanging() -> Usage:
            if environment._ending is not None:
                await asyncio.sleep(HANGS)
            return await usage()

        environment.usage = hanging  # type: ignore[method-assign]


@found_by("guards_are_taken_back", "still guarded after stop")
class NeverTakesProcessesBack(Broken):
    async def open(self, host: Host) -> None:
        def unguard(kind: str, value: str) -> None:
            if kind != "pgid":
                host.unguard(kind, value)

        await super().open(replace(host, unguard=unguard))


@found_by("closing_the_backend_ends_every_environment", "the end of the events: not within")
class ClosesNothing(Broken):
    async def aclose(self) -> None:
        pass


@found_by("reset_ends_processes_and_keeps_tmp", "not within")
class ResetsPolitely(Broken):
    def spoil(self, environment: Environment) -> None:
        async def reset() -> None:
            environment._kill_all(signal.SIGTERM)

        environment.reset = reset  # type: ignore[method-assign]


@found_by("nothing_outlives_an_engine_that_is_killed", "processes are left")
class GuardsTheWrongThing(Broken):
    """Names to the keeper what is not there. (Naming nothing is found by `guards_are_taken_back`.)"""

    async def open(self, host: Host) -> None:
        nowhere = str(host.run_dir / "nowhere")
        await super().open(
            replace(
                host,
                guard=lambda kind, value: host.guard("cgroup", f"{nowhere}-{kind}-{value.replace('/', '-')}"),
                unguard=lambda kind, value: host.unguard("cgroup", f"{nowhere}-{kind}-{value.replace('/', '-')}"),
            )
        )


# -- what is promised --------------------------------------------------------------------------------------------------


@found_by("freeze_takes_the_cpu_and_thaw_gives_it_back", "frozen, it used")
class NeverFreezes(Broken):
    def spoil(self, environment: Environment) -> None:
        async def freeze() -> None:
            pass

        environment.freeze = freeze  # type: ignore[method-assign]


@found_by("memory_beyond_the_limit_is_oom", "the memory limit's kill was told as")
class KeepsTheReason(Broken):
    def spoil(self, environment: Environment) -> None:
        with_events(environment, lambda event: replace(event, oom=False))


@found_by("usage_is_measured", "measured as 0 MB")
class OverlooksTheSmall(Broken):
    def spoil(self, environment: Environment) -> None:
        usage = environment.usage

        async def coarse() -> Usage:
            measured = await usage()
            return measured if measured.peak_memory > 64 << 20 else replace(measured, peak_memory=0)

        environment.usage = coarse  # type: ignore[method-assign]


@found_by("code_comes_late_and_limits_follow", "the output ended|measured as")
class ResizesNothing(Broken):
    def spoil(self, environment: Environment) -> None:
        async def resize(memory_size: int) -> None:
            pass

        environment.resize = resize  # type: ignore[method-assign]


class Promising(Broken):
    """Promises more than it keeps."""

    promised: ClassVar[dict[str, object]] = {}

    def __init__(self) -> None:
        super().__init__()
        self.capabilities = replace(type(self).capabilities, **self.promised)  # type: ignore[arg-type]


@found_by("the_listener_is_inside", "there is no listener")
class PromisesANetwork(Promising):
    promised: ClassVar[dict[str, object]] = {"own_network": True}


@found_by("the_services_listener_is_inside", "there is no second listener")
class PromisesServices(Promising):
    promised: ClassVar[dict[str, object]] = {"services": True}


@found_by("file_systems_are_shared_and_last", "a file system cannot be written")
class PromisesFileSystems(Promising):
    promised: ClassVar[dict[str, object]] = {"file_systems": True}


@found_by("processes_are_told", "told after the end")
class RemembersProcesses(Broken):
    def spoil(self, environment: Environment) -> None:
        ask = environment.processes
        last: tuple[Process, ...] = ()

        async def remembered() -> tuple[Process, ...]:
            nonlocal last
            last = await ask() or last
            return last

        environment.processes = remembered  # type: ignore[method-assign]


@found_by("settling_leaves_what_runs", "the output ended")
class SettlesByEnding(Broken):
    def spoil(self, environment: Environment) -> None:
        async def settle() -> None:
            environment._kill_all(signal.SIGKILL)

        environment.settle = settle  # type: ignore[method-assign]


@found_by("no_network_is_none", "a server of the host was reached")
class PromisesNoNetwork(Promising):
    promised: ClassVar[dict[str, object]] = {"networks": frozenset({Network.NONE})}


@found_by("code_is_mounted_read_only", "No such file")
class PromisesMounts(Promising):
    promised: ClassVar[dict[str, object]] = {"mounts": True, "late_code": False}


@found_by("environments_see_nothing_of_one_another", "what is not its own is seen")
class PromisesIsolation(Promising):
    promised: ClassVar[dict[str, object]] = {"isolation": True}


@found_by("a_connection_reaches_inside", "the connection blocks")
class BlocksOnConnections(Broken):
    def spoil(self, environment: Environment) -> None:
        connect = environment.connect

        async def blocking(port: int) -> socket.socket:
            connection = await connect(port)
            connection.setblocking(True)
            return connection

        environment.connect = blocking  # type: ignore[method-assign]


class Unusable(Broken):
    """Says so."""

    async def health(self) -> Health:
        return Health(usable=False, why="because of a test", mend="mend-it")


class RaisesInACallback(OverlooksTheSmall):
    """Which has nobody to be raised to."""

    def spoil(self, environment: Environment) -> None:
        super().spoil(environment)
        asyncio.get_running_loop().call_soon(lambda: 1 / 0)
