"""The `docker` backend keeps the contract, and its containers hold what tries to get out."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.plugins import escapes
from tests.plugins.backends import kill_and_wait, open_folder, start_engine
from tests.plugins.registry import registry as registry_of
from workbench.backends import registry
from workbench.backends.api import Backend, Environment, EnvironmentSpec, Network, ProcessExited
from workbench.model.errors import BackendError
from workbench.model.runtimes import RuntimeVersion
from workbench.testing import conformance
from workbench.testing.kit import Subject
from workbench.testing.suite import BackendConformance
from workbench_docker import configuration, daemon, groups, images

pytestmark = pytest.mark.docker

SLEEP = "print('up', flush=True); import time; time.sleep(60)"


@pytest.fixture
def client(docker_image: str) -> Iterator[Any]:
    from docker import APIClient

    found = daemon.look().daemon
    assert found is not None
    client = APIClient(base_url=found.url, version=found.api)
    yield client
    client.close()


@pytest.fixture(autouse=True)
def no_container_is_left(client: Any) -> Iterator[None]:
    yield
    assert ours(client) == []


def ours(client: Any, pid: int | None = None) -> list[dict[str, Any]]:
    """The containers of an engine, by default of this process."""
    found: list[dict[str, Any]] = client.containers(
        all=True, filters={"label": f"workbench.engine={pid or os.getpid()}"}
    )
    return found


class TestDocker(BackendConformance):
    def backend(self) -> Backend:
        return registry.create("docker")


@pytest.mark.parametrize(
    "name",
    [
        "stop_gives_grace_and_then_kills",
        "stop_ends_children_and_frozen_processes",
        "guards_are_taken_back",
        "freeze_takes_the_cpu_and_thaw_gives_it_back",
        "usage_is_measured",
    ],
)
async def test_it_conforms_without_its_cgroup(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where the daemon's cgroups cannot be seen."""
    monkeypatch.setattr(groups, "group_of", lambda *_: None)
    await conformance.run(conformance.CHECKS[name], registry.create("docker"), tmp_path)


# -- the boundary ----------------------------------------------------------------------------------------------------


async def with_environment(tmp_path: Path, look: Callable[[Subject, Any], Awaitable[None]]) -> None:
    async def check(subject: Subject) -> None:
        async with subject.environment() as running:
            await look(subject, running)

    await conformance.run(check, registry.create("docker"), tmp_path)


async def test_the_flags_are_on_the_container(tmp_path: Path, client: Any) -> None:
    async def look(subject: Subject, running: Any) -> None:
        (container,) = ours(client)
        facts = client.inspect_container(container["Id"])
        host = facts["HostConfig"]
        assert host["CapDrop"] == ["ALL"]
        assert not host["CapAdd"]
        assert host["SecurityOpt"] == ["no-new-privileges:true"]
        assert (host["Privileged"], host["ReadonlyRootfs"], host["AutoRemove"]) == (False, True, True)
        assert (host["NetworkMode"], host["IpcMode"], host["PidMode"]) == ("none", "none", "")
        assert host["Memory"] == host["MemorySwap"] == (128 + 16) << 20
        assert host["PidsLimit"] == 1025
        assert host["Tmpfs"] == {"/tmp": "rw,exec,nosuid,nodev,size=512m,mode=1777"}
        assert (host["Binds"], host["Devices"], host["PortBindings"]) == (None, None, None)
        mounts = {mount["Destination"]: mount for mount in facts["Mounts"]}
        assert set(mounts) == {
            *("/var/task", "/var/runtime", "/etc/passwd", "/etc/group", "/etc/hosts"),
            *(configuration.PYTHON, configuration.DOOR),
        }
        assert not any(mount["RW"] for mount in mounts.values())
        uid, gid = map(int, facts["Config"]["User"].split(":"))
        assert min(uid, gid) > 0
        assert facts["Config"]["Labels"]["workbench.environment"] == running.environment.id
        assert facts["Path"].startswith(configuration.PYTHON)

    await with_environment(tmp_path, look)


@pytest.fixture(scope="session")
def results(docker_image: str) -> dict[str, str]:
    return asyncio.run(escapes.run_all("docker"))


@pytest.mark.parametrize("name", escapes.ATTEMPTS)
def test_it_holds(name: str, results: dict[str, str]) -> None:
    assert results[name] == "held"


async def test_no_socket_of_docker_is_inside(tmp_path: Path) -> None:
    paths = ["/var/run/docker.sock", "/run/docker.sock", "/run/containerd/containerd.sock", "/run/podman/podman.sock"]

    async def look(_: Subject, running: Any) -> None:
        code = (
            f"import os; print([path for path in {paths} if os.path.exists(path)], os.listdir('{configuration.DOOR}'))"
        )
        program = await running.start(code)
        assert await program.output.line() == "[] []"

    await with_environment(tmp_path, look)


@pytest.fixture
def hostile(client: Any, docker_image: str) -> Iterator[str]:
    """An image that would run a program of its own, and be checked by another."""
    name = "workbench-tests/hostile"
    touch = ["/bin/sh", "-c", "echo x > /tmp/entered; echo x > /var/task/entered; sleep 60"]
    config = {"Entrypoint": touch, "Cmd": ["more"], "User": "0:0", "Env": ["LD_PRELOAD=/nowhere.so", "STRANGE=1"]}
    made = client.create_container_from_config({"Image": docker_image, "Cmd": ["/bin/sh"]})
    client.commit(made["Id"], repository=name, conf={**config, "Healthcheck": {"Test": ["CMD", *touch]}})
    client.remove_container(made["Id"])
    yield name
    client.remove_image(name, force=True)


async def test_nothing_of_a_hostile_image_s_configuration_runs(
    tmp_path: Path, hostile: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(images.VARIABLE, hostile)

    async def look(_: Subject, running: Any) -> None:
        code = (
            "import os; print([name for name in os.listdir('/proc') if name.isdigit()], os.listdir('/tmp'),"
            " os.listdir('/var/task'), 0 in os.getresuid(), 'STRANGE' in os.environ)"
        )
        program = await running.start(code)
        pids, rest = (await program.output.line()).split("] ", 1)
        assert pids.count("'") == 4  # init and this program
        assert rest == "[] ['file'] False False"

    await with_environment(tmp_path, look)


async def test_a_container_image_is_closed_in_like_any_other(tmp_path: Path, client: Any, hostile: str) -> None:
    """Its entry point runs, but as a process that the engine starts, with nothing of what the image asks for."""

    async def check(subject: Subject) -> None:
        launched = await subject.backend.launch(spec(subject, tmp_path))
        image = await subject.backend.launch(
            replace(spec(subject, tmp_path), id="image", runtime=RuntimeVersion.of_image(hostile))
        )
        assert image.layout.image is not None
        assert image.layout.image.entry_point[:2] == ("/bin/sh", "-c")
        ordinary, closed = (
            next(client.inspect_container(one["Id"]) for one in ours(client) if environment.id in str(one["Labels"]))
            for environment in (launched, image)
        )
        for name, value in ordinary["HostConfig"].items():
            if name != "Mounts":
                assert closed["HostConfig"][name] == value, name
        assert closed["Path"].startswith(configuration.PYTHON)
        assert closed["Config"]["Healthcheck"] == {"Test": ["NONE"]}
        uid, gid = map(int, closed["Config"]["User"].split(":"))
        assert min(uid, gid) > 0
        shown = {mount["Destination"] for mount in closed["Mounts"] if not mount["RW"]}
        assert shown == {configuration.PYTHON, configuration.DOOR, "/etc/passwd", "/etc/group", "/etc/hosts"}
        image.layout = replace(image.layout, interpreter=launched.layout.interpreter)
        async for one in subject_running(image):
            said = "import os; print(os.getuid() > 0, open('/proc/self/status').read().split('CapEff:')[1].split()[0])"
            program = await one.start(said)
            assert await program.output.line() == "True 0000000000000000"
        await launched.stop(0)
        launched.listener.close()  # type: ignore[union-attr]

    await conformance.run(check, registry.create("docker"), tmp_path)


async def test_a_file_system_is_the_one_mount_that_can_be_written(tmp_path: Path, client: Any) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    os.chown(shared, 54321, 54321)

    async def check(subject: Subject) -> None:
        launched = await subject.backend.launch(replace(spec(subject, tmp_path), file_systems={"/mnt/shared": shared}))
        facts = client.inspect_container(ours(client)[0]["Id"])
        assert [mount["Destination"] for mount in facts["Mounts"] if mount["RW"]] == ["/mnt/shared"]
        assert facts["Config"]["User"] == "54321:54321"
        await launched.stop(0)
        launched.listener.close()  # type: ignore[union-attr]

    await conformance.run(check, registry.create("docker"), tmp_path)


async def test_an_image_with_volumes_is_refused(
    tmp_path: Path, client: Any, docker_image: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "workbench-tests/volumes"
    made = client.create_container_from_config({"Image": docker_image, "Cmd": ["/bin/sh"]})
    client.commit(made["Id"], repository=name, conf={"Volumes": {"/data": {}}})
    client.remove_container(made["Id"])
    monkeypatch.setenv(images.VARIABLE, name)

    async def check(subject: Subject) -> None:
        await subject.backend.launch(spec(subject, subject.folder))

    try:
        with pytest.raises(BackendError, match=r"declares volumes \(/data\)"):
            await conformance.run(check, registry.create("docker"), tmp_path)
    finally:
        client.remove_image(name, force=True)


# -- images ----------------------------------------------------------------------------------------------------------


async def test_an_image_that_cannot_be_had_is_named_with_the_mend(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "localhost:1/nowhere:1"  # nothing listens there
    monkeypatch.setenv(images.VARIABLE, name)
    with pytest.raises(BackendError, match=rf"no image for python.*docker pull {name}.*{images.VARIABLE}"):
        await with_environment(tmp_path, lambda *_: asyncio.sleep(0))


# -- its own ---------------------------------------------------------------------------------------------------------


def spec(subject: Subject, task: Path) -> EnvironmentSpec:
    return EnvironmentSpec(
        id="another", function="f", version="1", runtime=subject.runtime, task=task, opt=None, memory_size=128
    )


async def test_two_environments_are_two_users(tmp_path: Path) -> None:
    async def look(subject: Subject, running: Any) -> None:
        async with subject.environment() as second:
            users = {os.stat(f"/proc/{one.environment.pid}").st_uid for one in (running, second)}
            assert len(users) == 2 or daemon.look().daemon.remapped  # type: ignore[union-attr]
            assert 0 not in users
            program = await running.start("import os, pwd; print(pwd.getpwuid(os.getuid()).pw_name)")
            assert await program.output.line() == "sbx_user1051"

    await with_environment(tmp_path, look)


async def test_a_layer_is_shown_at_opt(tmp_path: Path) -> None:
    layer = tmp_path / "layer"
    layer.mkdir(mode=0o755)
    (layer / "lib.py").write_text("VALUE = 7")

    async def check(subject: Subject) -> None:
        environment = await subject.backend.launch(replace(spec(subject, open_folder(tmp_path)), opt=layer))
        running = subject_running(environment)
        async for one in running:
            program = await one.start("print(open('/opt/lib.py').read())")
            assert await program.output.line() == "VALUE = 7"

    await conformance.run(check, registry.create("docker"), tmp_path)


async def subject_running(environment: Any) -> AsyncIterator[Any]:
    from workbench.testing.kit import Running

    running = Running(environment, mounts=True, task=Path())
    try:
        yield running
    finally:
        await environment.stop(0)
        await running.close()


async def test_a_container_that_is_ended_from_outside_is_told(tmp_path: Path, client: Any) -> None:
    async def look(_: Subject, running: Any) -> None:
        program = await running.start(SLEEP)
        await program.output.line()
        client.kill(ours(client)[0]["Id"])
        await running.close()
        assert [type(event).__name__ for event in running.events] == ["ProcessExited", "Exited"]
        assert running.events[-1].reason == "failed"

    await with_environment(tmp_path, look)


async def test_an_image_is_fetched_and_how_that_goes_on_is_told(tmp_path: Path, client: Any) -> None:
    heard: list[tuple[str, bool]] = []

    async def look(subject: Subject, _: Any) -> None:
        backend: Any = subject.backend
        maker = backend._maker
        backend._maker = replace(maker, host=replace(maker.host, report=lambda *word: heard.append(word)))
        with registry_of(8 << 20) as name:
            try:
                assert await backend.image_digest(name) is None
                await backend.prepare(RuntimeVersion.of_image(name))
                (there,) = client.inspect_image(name)["RepoDigests"]
                assert await backend.image_digest(name) == there.partition("@sha256:")[2]
            finally:
                client.remove_image(name, force=True)
        assert heard[-1] == (f"fetching {name}: 8 of 8 MB, done", True)
        assert all(text.startswith(f"fetching {name}:") and not over for text, over in heard[:-1])
        heard.clear()
        with pytest.raises(BackendError, match=rf"there is no image {name}: Docker cannot fetch"):
            await backend.prepare(RuntimeVersion.of_image(name))
        assert heard == []

    await with_environment(tmp_path, look)


async def test_an_image_that_has_gone_is_looked_for_again(tmp_path: Path, client: Any) -> None:
    """As when the daemon has come back with another store."""

    async def look(subject: Subject, _: Any) -> None:
        backend: Any = subject.backend
        (runtime, found), *_ = backend._images.items()
        backend._images[runtime] = replace(found, id="sha256:" + "0" * 64)
        async with subject.environment() as second:
            program = await second.start("print('up')")
            assert await program.output.line() == "up"

    await with_environment(tmp_path, look)


async def test_what_the_daemon_refuses_is_told_and_nothing_is_left(tmp_path: Path, client: Any) -> None:
    async def look(subject: Subject, _: Any) -> None:
        guarded, descriptors = set(subject.guarded), open_descriptors("socket")
        with pytest.raises(BackendError, match=r"Docker cannot make a container: .*nowhere"):
            await subject.backend.launch(spec(subject, tmp_path / "nowhere"))
        assert subject.guarded == guarded
        assert len(ours(client)) == 1
        assert open_descriptors("socket") == descriptors
        assert list(subject.folder.glob("door-*")) == []

    await with_environment(tmp_path, look)


async def test_a_container_whose_init_cannot_run_is_told(tmp_path: Path, client: Any) -> None:
    async def check(subject: Subject) -> None:
        (subject.folder / "python" / "init.py").write_text("raise SystemExit(3)")
        with pytest.raises(BackendError, match="the container ended before it was ready"):
            await subject.backend.launch(spec(subject, open_folder(tmp_path)))
        assert subject.guarded == set()
        assert ours(client) == []

    await conformance.run(check, registry.create("docker"), tmp_path)


async def test_a_cancelled_launch_leaves_nothing(tmp_path: Path, client: Any) -> None:
    async def end(environment: Environment) -> None:
        await environment.stop(0)
        assert environment.listener is not None
        environment.listener.close()

    async def look(subject: Subject, _: Any) -> None:
        guarded, task = set(subject.guarded), open_folder(tmp_path)
        begun = time.monotonic()
        whole = await subject.backend.launch(spec(subject, task))
        took = time.monotonic() - begun
        await end(whole)
        cancelled = 0
        for part in (0, 0.1, 0.3, 0.5, 0.7):
            launch = asyncio.create_task(subject.backend.launch(spec(subject, task)))
            await asyncio.sleep(part * took)
            launch.cancel()
            try:
                await end(await launch)  # quicker than the one that was measured
            except asyncio.CancelledError:
                cancelled += 1
            await asyncio.gather(*subject.backend._later)  # type: ignore[attr-defined]
            assert subject.guarded == guarded
            assert len(ours(client)) == 1
        assert cancelled

    await with_environment(tmp_path, look)


async def test_opening_and_closing_many_leaks_nothing(tmp_path: Path) -> None:
    async def check(subject: Subject) -> None:
        async with asyncio.timeout(30):
            counts = []
            for _ in range(4):
                async with subject.environment() as running:
                    program = await running.start("print('x')")
                    await program.output.all()
                await asyncio.gather(*subject.backend._later)  # type: ignore[attr-defined]
                counts.append(len(open_descriptors()))
            assert max(counts) <= counts[0] + 2 * 8  # a connection for each thread

    await conformance.run(check, registry.create("docker"), tmp_path)


async def test_usage_is_known_after_the_end(tmp_path: Path) -> None:
    async def check(subject: Subject) -> None:
        async with subject.environment(memory_size=64) as running:
            program = await running.start("held = []\nwhile True: held.append(b'x' * (1 << 20))")
            event = await running.exit_of(program)
            assert isinstance(event, ProcessExited)
            assert event.oom
            await running.close()
            usage = await running.environment.usage()
            assert usage.peak_memory == 64 << 20
            assert usage.cpu_seconds > 0

    await conformance.run(check, registry.create("docker"), tmp_path)


async def test_only_the_network_that_works_is_offered() -> None:
    backend = registry.create("docker")
    assert backend.capabilities.networks == {Network.NONE}
    assert "functions have no network beyond the Runtime API" in (await backend.health()).notes


async def test_kill_9_of_the_engine_leaves_no_container(tmp_path: Path, client: Any) -> None:
    engine, family = start_engine("docker", 3, open_folder(tmp_path), with_cgroups=True)
    inits = [client.inspect_container(one["Id"])["State"]["Pid"] for one in ours(client, engine.pid)]
    assert len(inits) == 3
    assert await kill_and_wait(engine, [*family, *inits], within=1) == []
    for _ in range(100):  # the daemon's own records follow
        if not (left := ours(client, engine.pid)):
            break
        await asyncio.sleep(0.05)
    assert left == []


async def test_opening_removes_what_a_dead_engine_left(tmp_path: Path, client: Any, docker_image: str) -> None:
    namespace = os.readlink("/proc/self/ns/pid")
    dead = {"workbench.engine": "999999999", "workbench.engine.started": "1", "workbench.engine.namespace": namespace}
    other = {**dead, "workbench.engine.namespace": "pid:[1]"}
    made = [
        client.create_container_from_config({"Image": docker_image, "Cmd": ["/bin/sh"], "Labels": labels})["Id"]
        for labels in (dead, other)
    ]
    try:
        await with_environment(tmp_path, lambda *_: asyncio.sleep(0))
        left = {one["Id"] for one in client.containers(all=True)}
        assert made[0] not in left
        assert made[1] in left
    finally:
        client.remove_container(made[1], force=True)


def open_descriptors(but: str = "") -> list[str]:
    """What this process has open, by kind, but for one kind: each thread keeps its connection to the daemon."""
    found = []
    for fd in os.listdir("/proc/self/fd"):
        with suppress(OSError):  # the one that lists
            found.append(os.readlink(f"/proc/self/fd/{fd}").partition(":")[0])
    return sorted(kind for kind in found if kind != but)
