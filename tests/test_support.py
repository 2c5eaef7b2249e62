import pytest

from tests.support import require_docker, require_tool


@pytest.fixture
def no_tools(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("WORKBENCH_CI", raising=False)


def test_a_tool_that_is_there_is_named_by_its_path(no_tools, tmp_path):
    tool = tmp_path / "tmux"
    tool.touch(mode=0o755)
    assert require_tool("tmux") == str(tool)


def test_a_missing_tool_skips_with_the_command_that_brings_it(no_tools):
    with pytest.raises(pytest.skip.Exception, match="apt-get install bubblewrap"):
        require_tool("bwrap")


def test_in_ci_a_missing_tool_fails(no_tools, monkeypatch):
    monkeypatch.setenv("WORKBENCH_CI", "1")
    with pytest.raises(pytest.fail.Exception, match="bwrap is not installed"):
        require_tool("bwrap")


def test_in_ci_docker_that_does_not_run_fails(no_tools, monkeypatch, tmp_path):
    monkeypatch.setenv("WORKBENCH_CI", "1")
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/docker.sock")
    with pytest.raises(pytest.fail.Exception, match=r"no Docker daemon listens at .*docker\.sock"):
        require_docker()
