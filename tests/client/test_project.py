"""Where things are: the project, its settings, and the endpoint of a living engine."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from workbench.client.project import Endpoint, Project, engine_holds, find_project, read_endpoint
from workbench.model.errors import UsageError
from workbench.store.folder import StateFolder


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WORKBENCH_PROJECT", "WORKBENCH_STATE", "WORKBENCH_PARAMETERS", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("marker", ["workbench.toml", "template.yaml", ".workbench"])
def test_the_project_is_the_nearest_folder_upwards_with_a_marker(tmp_path: Path, marker: str) -> None:
    deep = tmp_path / "outer" / "project" / "src" / "deep"
    deep.mkdir(parents=True)
    (tmp_path / "outer" / "template.yaml").touch()
    place = tmp_path / "outer" / "project" / marker
    place.mkdir() if marker == ".workbench" else place.touch()
    found = find_project(deep)
    assert (found.root, found.name) == (tmp_path / "outer" / "project", "project")
    assert found.state == tmp_path / "outer" / "project" / ".workbench"
    assert found.endpoint_file == found.state / "endpoint.json"


def test_without_a_marker_it_is_the_folder_itself(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    assert find_project(tmp_path / "a").root == tmp_path / "a"


def test_the_environment_names_project_state_and_parameters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "template.yaml").touch()
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "workbench.toml").write_text('[parameters]\nStage = "dev"\nSize = 5\n')
    monkeypatch.setenv("WORKBENCH_PROJECT", str(tmp_path / "inner"))
    monkeypatch.setenv("WORKBENCH_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("WORKBENCH_PARAMETERS", "Stage=prod,Empty=,Equal=a=b")
    monkeypatch.setenv("AWS_REGION", "eu-north-1")
    found = find_project(tmp_path)
    assert (found.root, found.state, found.region) == (tmp_path / "inner", tmp_path / "state", "eu-north-1")
    assert found.parameters == {"Stage": "prod", "Size": "5", "Empty": "", "Equal": "a=b"}


def test_settings_are_read(tmp_path: Path) -> None:
    (tmp_path / "workbench.toml").write_text(
        'backend = "subprocess"\naccount = "123456789012"\nregion = "x"\nconcurrency = 5\nidle_stop = 7\n'
        "[history]\ninvocations = 10\nbytes = 1_000\n"
        '[file_systems]\nfsap-0123456789abcdef0 = "shared/files"\nfs-01234567 = "/srv/models"\n'
    )
    found = find_project(tmp_path)
    assert found == Project(
        root=tmp_path,
        state=tmp_path / ".workbench",
        backend="subprocess",
        account="123456789012",
        region="x",
        parameters={},
        concurrency_limit=5,
        idle_stop=7.0,
        history_invocations=10,
        history_bytes=1000,
        file_systems={
            "fsap-0123456789abcdef0": tmp_path / "shared" / "files",
            "fs-01234567": Path("/srv/models"),
        },
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a = ", "Invalid value"),
        ("color = 1", "unknown setting 'color'; known: account, auth, backend"),
        ("backend = 1", "'backend' has a value of the wrong kind: 1"),
        ("concurrency = true", "'concurrency' has a value of the wrong kind: True"),
        ("concurrency = 1.5", "'concurrency' has a value of the wrong kind: 1.5"),
        ("parameters = []", "'parameters' has a value of the wrong kind"),
        ('account = "1"', "'account' must be twelve digits, not '1'"),
        ("history = 5", "'history' has a value of the wrong kind: 5"),
        ("history.days = 5", "[history] takes 'invocations' and 'bytes', each a number; not days = 5"),
        ("history.bytes = -1", "each a number; not bytes = -1"),
        ("history.bytes = true", "each a number; not bytes = True"),
        ('file_systems.mine = "x"', "[file_systems] takes a folder for an access point"),
        ("file_systems.fs-01234567 = 5", "not fs-01234567 = 5"),
        ('file_systems.fs-01234567 = "."', "would show Workbench's own state"),
        ('file_systems.fs-01234567 = ".workbench/files"', "would show Workbench's own state"),
        ("account = 123456789012", "'account' has a value of the wrong kind"),
    ],
)
def test_bad_settings_are_refused_with_their_file(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "workbench.toml").write_text(text)
    with pytest.raises(UsageError) as caught:
        find_project(tmp_path)
    assert str(caught.value).startswith(f"{tmp_path / 'workbench.toml'}: ")
    assert message in str(caught.value)


def test_a_project_that_is_no_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is no folder"):
        find_project(tmp_path / "nowhere")


# -- the endpoint
@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(root=tmp_path, state=tmp_path / "state", parameters={})


def test_an_endpoint_counts_while_its_engine_holds_the_folder(project: Project) -> None:
    assert read_endpoint(project) is None
    folder = StateFolder(project.state)
    assert read_endpoint(project) is None
    data = {"url": "http://127.0.0.1:3001", "key": "k", "pid": 7, "state": "s", "later": True}
    project.endpoint_file.write_text(json.dumps(data))
    assert read_endpoint(project) == Endpoint(url="http://127.0.0.1:3001", key="k", pid=7, state="s")
    folder.close()
    assert not engine_holds(project)
    assert read_endpoint(project) is None
    StateFolder(project.state).close()  # asking did not keep the lock


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "null", "{}", '{"url":1,"key":"k","pid":"x","state":"s"}', "\udcff"]
)
def test_a_damaged_endpoint_is_none(project: Project, content: str) -> None:
    folder = StateFolder(project.state)
    project.endpoint_file.write_text(content, errors="surrogateescape")
    assert read_endpoint(project) is None
    folder.close()


def test_networks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "workbench.toml"
    file.write_text('network = "none"\n')
    assert find_project(tmp_path).networks == {"": "none"}
    file.write_text('[network]\n"*" = "none"\nroamer = "internet"\n')
    assert find_project(tmp_path).networks == {"": "none", "roamer": "internet"}
    monkeypatch.setenv("WORKBENCH_NETWORK", "host")
    assert find_project(tmp_path).networks == {"": "host"}
    monkeypatch.delenv("WORKBENCH_NETWORK")
    file.write_text('[network]\nroamer = "wide"\n')
    with pytest.raises(UsageError, match=r"network takes one of internet, none, host.* not roamer = 'wide'"):
        find_project(tmp_path)
