"""Which image and which daemon the `docker` backend takes. No daemon is needed."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from workbench.backends import registry
from workbench.backends.api import EnvironmentSpec
from workbench.model.errors import BackendError, BackendUnavailable
from workbench.model.runtimes import RuntimeVersion
from workbench_docker import calls, daemon, images
from workbench_docker.backend import DockerBackend
from workbench_docker.configuration import REMOTE_USER


@pytest.mark.parametrize(
    ("runtime", "name"),
    [
        ("python3.12", "python:3.12"),
        ("nodejs22.x", "nodejs:22"),
        ("provided.al2023", "provided:al2023"),
        ("provided.al2", "provided:al2"),
        ("java8.al2", "java:8.al2"),
        ("ruby3.4", "ruby:3.4"),
        ("dotnet8", "dotnet:8"),
    ],
)
def test_aws_s_image_of_a_runtime(runtime: str, name: str) -> None:
    assert images.published(runtime) == f"public.ecr.aws/lambda/{name}"


def test_an_image_made_for_workbench_goes_before_aws_s(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(images.VARIABLE, raising=False)
    assert images.names("python3.12") == ("workbench/python3.12", "public.ecr.aws/lambda/python:3.12")


@pytest.mark.parametrize(
    ("chosen", "tags", "said"),
    [
        (None, [], "docker pull public.ecr.aws/lambda/python:3.13"),
        (None, ["debian:12"], "no image of a runtime is here yet"),
        (None, ["public.ecr.aws/lambda/nodejs:22"], None),
        (None, ["workbench/python3.12:latest"], None),
        ("mine", ["public.ecr.aws/lambda/nodejs:22"], "names mine, which is not here yet: docker pull mine"),
        ("mine", ["mine:latest"], None),
        ("mine:2", ["mine:2"], None),
    ],
)
def test_what_is_said_of_missing_images(
    chosen: str | None, tags: list[str], said: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if chosen is None:
        monkeypatch.delenv(images.VARIABLE, raising=False)
    else:
        monkeypatch.setenv(images.VARIABLE, chosen)
    missing = images.missing(tags)
    assert missing is None if said is None else said in str(missing)


def test_where_users_are_mapped_everybody_must_be_let_into_a_file_system(tmp_path: Path) -> None:
    spec = EnvironmentSpec(
        id="e",
        function="f",
        version="1",
        runtime=RuntimeVersion.of_image("app"),
        task=tmp_path,
        opt=None,
        memory_size=128,
        file_systems={"/mnt/files": tmp_path},
    )
    backend = DockerBackend()
    backend._remapped = True
    tmp_path.chmod(0o755)
    with pytest.raises(BackendError, match=rf"functions cannot write to {tmp_path} \(chmod o\+rwx {tmp_path}\)"):
        backend._user(spec)
    tmp_path.chmod(0o777)
    assert backend._user(spec) == REMOTE_USER


@pytest.mark.parametrize("said", ["soon", "0", "-1", "inf", "nan"])
def test_a_timeout_that_is_none_is_refused(said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(calls.VARIABLE, said)
    with pytest.raises(BackendUnavailable, match=rf"{calls.VARIABLE} is '{said}', which is no number of seconds"):
        calls.Calls(daemon.Daemon("/nowhere", "1.41", remapped=False))


@pytest.mark.parametrize(
    ("arch", "remote", "why"),
    [
        ("amd64", True, ""),
        ("s390x", None, "runs containers for linux/s390x, and Workbench's init is linux/amd64"),
    ],
)
def test_a_daemon_elsewhere_must_run_what_this_machine_runs(
    arch: str, remote: bool | None, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = {
        "/version": {"KernelVersion": "1.2.3", "Os": "linux", "Arch": arch, "ApiVersion": "1.41"},
        "/info": {"SecurityOptions": ["name=seccomp,profile=default"]},
    }
    monkeypatch.setenv("DOCKER_HOST", "tcp://far.example:2375")
    monkeypatch.setattr(daemon, "_get", lambda path, resource: said[resource])
    monkeypatch.setattr(daemon.platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(daemon, "_found", {})
    found = daemon.look()
    assert why in found.health.why
    assert (found.daemon.remote if found.daemon is not None else None) is remote
    if remote:
        assert any("code is copied there" in note for note in found.health.notes)


def test_certificates_that_are_not_there_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    monkeypatch.setenv("DOCKER_CERT_PATH", str(tmp_path))
    assert f"the certificates in {tmp_path} cannot be read: No such file" in daemon.look().health.why


async def test_a_daemon_that_takes_connections_and_says_nothing_hangs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/silent.sock")
    monkeypatch.setattr(daemon, "PATIENCE", 0.2)
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(f"{tmp_path}/silent.sock")
        silent.listen()
        health = await registry.create("docker").health()
    assert health.why == f"the Docker daemon at {tmp_path}/silent.sock hangs: no answer in 0.2 s"
    assert health.mend == daemon.restart_command()


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("unix:///nowhere/docker.sock", "no Docker daemon listens at /nowhere/docker.sock"),
        ("tcp://127.0.0.1:1", "no Docker daemon answers at tcp://127.0.0.1:1 (Connection refused)"),
        ("tcp://127.0.0.1", "no Docker daemon answers at tcp://127.0.0.1 (tcp://127.0.0.1 is not tcp://HOST:PORT)"),
        ("ssh://me@there", "DOCKER_HOST is ssh://me@there, and Workbench does not speak ssh"),
        ("npipe:////./pipe", "DOCKER_HOST is npipe:////./pipe, which is no address of a daemon"),
    ],
)
async def test_without_a_daemon_it_names_the_mend(address: str, why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", address)
    health = await registry.create("docker").health()
    assert (health.usable, health.why) == (False, why)
    assert health.mend
    with pytest.raises(BackendUnavailable):
        await registry.create("docker").open(None)  # type: ignore[arg-type]
