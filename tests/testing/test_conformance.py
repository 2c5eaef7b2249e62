"""The conformance checks bite: backends that are broken on purpose are found out."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from workbench.backends.api import EnvironmentSpec, Exited, ExitReason, Host, ProcessExited, ProcessSpec, Usage
from workbench.testing import conformance
from workbench.testing.kit import NotConforming
from workbench_subprocess.backend import SubprocessBackend
from workbench_subprocess.environment import SubprocessEnvironment


class Broken(SubprocessBackend):
    """A sound backend but for one thing that `spoil` does to every environment."""

    def __init__(self, spoil: Callable[[SubprocessEnvironment], None]) -> None:
        super().__init__()
        self.spoil = spoil

    async def launch(self, spec: EnvironmentSpec) -> SubprocessEnvironment:
        environment = await super().launch(spec)
        self.spoil(environment)
        return environment


def never_freezes(environment: SubprocessEnvironment) -> None:
    async def freeze() -> None:
        pass

    environment.freeze = freeze  # type: ignore[method-assign]


def ends_twice(environment: SubprocessEnvironment) -> None:
    events = environment.events

    async def twice() -> AsyncIterator[ProcessExited | Exited]:
        async for event in events():
            yield event
        yield Exited(reason=ExitReason.FAILED)

    environment.events = twice  # type: ignore[method-assign]


def adds_a_variable(environment: SubprocessEnvironment) -> None:
    start = environment.start

    async def with_more(spec: ProcessSpec) -> int:
        env = {**spec.env, "EXTRA": "1"}
        return await start(ProcessSpec(name=spec.name, argv=spec.argv, env=env, cwd=spec.cwd, output=spec.output))

    environment.start = with_more  # type: ignore[method-assign]


def leaks_a_descriptor(environment: SubprocessEnvironment) -> None:
    start = environment.start

    async def with_more(spec: ProcessSpec) -> int:
        argv = ("/bin/sh", "-c", 'exec 7</dev/null; unset PWD; exec "$@"', "sh", *spec.argv)
        return await start(ProcessSpec(name=spec.name, argv=argv, env=spec.env, cwd=spec.cwd, output=spec.output))

    environment.start = with_more  # type: ignore[method-assign]


def measures_nothing(environment: SubprocessEnvironment) -> None:
    async def usage() -> Usage:
        return Usage(peak_memory=0, cpu_seconds=0.0)

    environment.usage = usage  # type: ignore[method-assign]


def has_no_grace(environment: SubprocessEnvironment) -> None:
    stop = environment.stop

    async def at_once(_grace: float) -> Exited:
        return await stop(0)

    environment.stop = at_once  # type: ignore[method-assign]


def forgets_signals(environment: SubprocessEnvironment) -> None:
    async def signal(process: int, sig: int) -> None:
        pass

    environment.signal = signal  # type: ignore[method-assign]


def resets_only_the_group(environment: SubprocessEnvironment) -> None:
    async def reset() -> None:
        environment._kill_all(signal.SIGTERM)

    environment.reset = reset  # type: ignore[method-assign]


def blocks_on_connections(environment: SubprocessEnvironment) -> None:
    connect = environment.connect

    async def blocking(port: int) -> socket.socket:
        connection = await connect(port)
        connection.setblocking(True)
        return connection

    environment.connect = blocking  # type: ignore[method-assign]


def resizes_nothing(environment: SubprocessEnvironment) -> None:
    async def resize(memory_size: int) -> None:
        pass

    environment.resize = resize  # type: ignore[method-assign]


@pytest.mark.parametrize(
    ("spoil", "check", "words"),
    [
        (resizes_nothing, "code_comes_late_and_limits_follow", "the output ended|measured as"),
        (blocks_on_connections, "a_connection_reaches_inside", "the connection blocks"),
        (never_freezes, "freeze_takes_the_cpu_and_thaw_gives_it_back", "frozen, it used"),
        (ends_twice, "exactly_one_exited_last", "the events were"),
        (adds_a_variable, "environment_variables_and_folder_are_as_given", "not given.*EXTRA"),
        (leaks_a_descriptor, "no_descriptors_but_the_first_three", "open descriptors"),
        (measures_nothing, "usage_is_measured", "measured as 0 MB"),
        (has_no_grace, "stop_gives_grace_and_then_kills", "stop took"),
        (resets_only_the_group, "reset_ends_processes_and_keeps_tmp", "not within"),
        (forgets_signals, "signal_reaches_the_process", "not within"),
    ],
)
async def test_a_broken_backend_is_found_out(
    spoil: Callable[[SubprocessEnvironment], None],
    check: str,
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("workbench.testing.kit.PATIENCE", 1.0)
    with pytest.raises(NotConforming, match=words):
        await conformance.run(conformance.CHECKS[check], Broken(spoil), tmp_path)


async def test_one_that_forgets_to_guard_is_found_out(tmp_path: Path) -> None:
    class Forgetful(SubprocessBackend):
        async def open(self, host: Host) -> None:
            await super().open(Host(run_dir=host.run_dir, guard=lambda *_: None, unguard=lambda *_: None))

    with pytest.raises(NotConforming, match="nothing was named to the keeper"):
        await conformance.run(conformance.CHECKS["guards_are_taken_back"], Forgetful(), tmp_path)


def test_the_command_line_names_each_check() -> None:
    command = [sys.executable, "-m", "workbench.testing.conformance", "subprocess", "exactly_one_exited_last"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=dict(os.environ))
    assert done.stdout == "exactly one exited last: ok\n"


def test_the_kit_imports_neither_pytest_nor_a_plugin() -> None:
    code = "import workbench.testing.conformance, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"pytest", "workbench_subprocess", "workbench_bubblewrap"} & set(done.stdout.split())


def test_the_suite_runs_against_an_installed_backend(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--pyargs", "workbench.testing.suite"]
    env = {**os.environ, "WORKBENCH_BACKEND": "subprocess"}
    done = subprocess.run(
        [*command, "-k", "exactly_one_exited_last or stop_is_idempotent"],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "2 passed" in done.stdout, done.stdout + done.stderr
