"""A daemon that is reached by TCP is taken for one on another machine: nothing is mounted or handed over."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.endtoend.conftest import Shell
from workbench.backends import registry
from workbench.backends.api import EnvironmentSpec, Host
from workbench.services.relay import Relay
from workbench.testing import conformance
from workbench.testing.kit import Subject
from workbench_docker import daemon
from workbench_docker.calls import Calls

pytestmark = pytest.mark.docker


@pytest.fixture(scope="module")
def address(docker_image: str) -> Iterator[str]:
    """The machine's own daemon, by TCP."""
    from docker import APIClient

    found = daemon.look().daemon
    assert found is not None
    client = APIClient(base_url=found.url, timeout=300)
    client.images()  # a daemon that has just been given a large image can be busy with that for long
    client.close()
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=_serve, args=(server, found.path), daemon=True).start()
        yield "tcp://{}:{}".format(*server.getsockname())
        server.shutdown(socket.SHUT_RDWR)


def _serve(server: socket.socket, path: str) -> None:
    with suppress(OSError):  # it is closed
        while True:
            client, _ = server.accept()
            threading.Thread(target=_carry, args=(client, path), daemon=True).start()


def _carry(client: socket.socket, path: str) -> None:
    """Both ways, and either way to its end."""
    with client, socket.socket(socket.AF_UNIX) as inner:
        inner.connect(path)
        back = threading.Thread(target=_pour, args=(inner, client), daemon=True)
        back.start()
        _pour(client, inner)
        back.join()


def _pour(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(1 << 16):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


@pytest.fixture(autouse=True)
def by_tcp(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", address)


#: Those in which the road matters: what is carried, and what is asked of the daemon instead of a cgroup. All of the
#: kit's checks hold but `guards_are_taken_back`: there is no process of this machine to be named to the keeper.
CHECKS = (
    "exactly_one_exited_last",
    "stop_ends_children_and_frozen_processes",
    "nothing_outlives_an_engine_that_is_killed",
    "a_launch_that_is_cancelled_leaves_nothing",
    "a_flood_arrives_whole_and_holds_up_nobody",
    "freeze_takes_the_cpu_and_thaw_gives_it_back",
    "memory_beyond_the_limit_is_oom",
    "the_listener_is_inside",
    "a_connection_reaches_inside",
    "code_is_mounted_read_only",
)


@pytest.mark.parametrize("name", CHECKS)
async def test_it_conforms(name: str, tmp_path: Path) -> None:
    await conformance.run(conformance.CHECKS[name], registry.create("docker"), tmp_path)


async def test_a_launch_that_is_given_up_while_its_container_is_made_leaves_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from docker import APIClient

    making, given_up, made, run = threading.Event(), threading.Event(), threading.Event(), Calls._run

    def tell(self: Calls, what: str, work: Callable[[Any], Any]) -> Any:
        if what != "make a container":
            return run(self, what, work)
        making.set()
        given_up.wait(60)
        try:
            return run(self, what, work)
        finally:
            made.set()

    async def look(subject: Subject) -> None:
        launching = asyncio.create_task(subject.backend.launch(subject.spec()))
        await asyncio.to_thread(making.wait, 60)
        launching.cancel()
        await asyncio.sleep(0)
        given_up.set()
        with pytest.raises(asyncio.CancelledError):
            await launching
        await asyncio.to_thread(made.wait, 60)
        assert client.containers(all=True, filters={"label": f"workbench.engine={os.getpid()}"}) == []

    monkeypatch.setattr(Calls, "_run", tell)
    client = APIClient(base_url=daemon.look().daemon.url)  # type: ignore[union-attr]
    await conformance.run(look, registry.create("docker"), tmp_path)
    client.close()


async def test_nothing_is_mounted_and_the_image_made_for_it_goes_with_the_engine(
    tmp_path: Path, docker_image: str
) -> None:
    from docker import APIClient

    def mine() -> list[Any]:
        found: list[Any] = client.images(filters={"label": f"workbench.engine={os.getpid()}"})
        return found

    async def look(subject: Subject) -> None:
        async with subject.environment() as running, subject.environment():
            (first, _) = client.containers(filters={"label": f"workbench.engine={os.getpid()}"})
            facts = client.inspect_container(first["Id"])
            assert (facts["Mounts"], facts["HostConfig"]["ReadonlyRootfs"]) == ([], True)
            assert facts["HostConfig"]["CapDrop"] == ["ALL"]
            assert facts["Config"]["User"] == "993:990"
            assert len(mine()) == 2  # the code of each
            program = await running.start("import pwd, os; print(pwd.getpwuid(os.getuid()).pw_name)")
            assert await program.output.line() == "sbx_user1051"
            again = await subject.backend.launch(replace(running_spec(subject, running), id="again"))
            await again.stop(0)
            again.listener.close()  # type: ignore[union-attr]
            assert len(mine()) == 2

    client = APIClient(base_url=daemon.look().daemon.url)  # type: ignore[union-attr]
    backend = registry.create("docker")
    await conformance.run(look, backend, tmp_path)
    assert not backend.capabilities.file_systems
    assert mine() == []
    client.close()


async def test_opening_removes_the_images_that_a_dead_engine_left(tmp_path: Path, docker_image: str) -> None:
    from docker import APIClient
    from docker.errors import NotFound

    client = APIClient(base_url=daemon.look().daemon.url)  # type: ignore[union-attr]
    dead = {
        "workbench.engine": "999999999",
        "workbench.engine.started": "1",
        "workbench.engine.namespace": os.readlink("/proc/self/ns/pid"),
    }
    made = client.create_container_from_config({"Image": docker_image, "Cmd": ["/"]})["Id"]
    image = client.commit(made, conf={"Labels": dead})["Id"]
    client.remove_container(made)
    backend = registry.create("docker")
    await backend.open(Host(run_dir=tmp_path, guard=lambda *_: None, unguard=lambda *_: None))
    await backend.aclose()
    with pytest.raises(NotFound):
        client.inspect_image(image)
    client.close()


def running_spec(subject: Subject, running: Any) -> EnvironmentSpec:
    return EnvironmentSpec(
        id="x", function="f", version="1", runtime=subject.runtime, task=running.task, opt=None, memory_size=128
    )


def test_a_function_with_a_layer_answers_over_it(shell: Shell, address: str) -> None:
    """The whole road: code, layer and client are copied, the Runtime API is carried."""
    shell.env["DOCKER_HOST"] = address
    code, out, err = shell.fire("layered", "--event", '{"name":"Ada","language":"fr"}', "--backend", "docker")
    assert code == 0, err
    answer = json.loads(out)
    assert (answer["message"], answer["library"]) == ("Bonjour, Ada!", "/opt/python/greetings.py")
    assert "REPORT RequestId" in err


async def test_what_connects_to_the_services_inside_is_carried_to_the_engine(tmp_path: Path) -> None:
    code = "import _socket; s = _socket.socket(); s.connect(('127.0.0.1', 9002)); s.send(b'hello'); print(s.recv(9))"

    async def look(subject: Subject) -> None:
        async with subject.environment() as running:
            listener = await running.environment.take_services()
            assert listener is not None
            with listener:
                listener.setblocking(False)
                relay = Relay(f"http://127.0.0.1:{port}")
                serving = await relay.open(listener)
                program = await running.start(code)
                assert await program.output.line() == "b'HELLO'"
                serving.close()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write((await reader.read(9)).upper())
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        await conformance.run(look, registry.create("docker"), tmp_path)
