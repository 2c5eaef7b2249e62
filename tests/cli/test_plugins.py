"""`workbench plugins`: what is installed, and whether it keeps its contract."""

from __future__ import annotations

import json

from tests.endtoend.conftest import ROOT, Shell, shell
from workbench import __version__
from workbench.backends.api import API_VERSION

__all__ = ["shell"]


def test_the_list_says_what_there_is(shell: Shell) -> None:
    done = shell.run("plugins", "list", "--json")
    assert done.returncode == 0, done.stderr
    plugins = [json.loads(line) for line in done.stdout.splitlines()]
    backends = {one["name"]: one for one in plugins if one["kind"] == "backend"}
    assert list(backends) == ["bubblewrap", "docker", "subprocess"]
    one = backends["subprocess"]
    assert (one["distribution"], one["version"]) == ("workbench", __version__)
    assert one["contract"] == "{}.{}".format(*API_VERSION)
    assert one["capabilities"]["networks"] == ["host"]
    assert one["health"]["usable"]
    (runtimes,) = (one for one in plugins if one["kind"] == "runtimes")
    assert {"python3.12", "nodejs22.x", "provided.al2023"} <= set(runtimes["runtimes"])


def test_the_list_for_people(shell: Shell) -> None:
    lines = shell.run("plugins", "list").stdout.decode().splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("✓ subprocess"))
    assert f"workbench {__version__}, contract {API_VERSION[0]}.{API_VERSION[1]}" in lines[start]
    assert "trusted code only" in lines[start + 1]
    assert "networks: host" in lines[start + 2]


def test_a_check_says_what_holds(shell: Shell) -> None:
    done = shell.run("plugins", "check", "subprocess", "stop_is_idempotent", "usage_is_measured", "no_network_is_none")
    assert done.returncode == 0, done.stderr
    first, second, third, last = done.stdout.decode().splitlines()
    assert first.startswith("  ✓ stop is idempotent  ")
    assert second.startswith("  ✓ usage is measured  ")
    assert third == "  – no network is none  (its capabilities do not promise it)"
    assert last == "subprocess: keeps the contract"


def test_a_check_that_fails_says_what_was_seen(shell: Shell) -> None:
    broken = shell.state.parent / "broken"
    broken.mkdir()
    (broken / "workbench_broken.py").write_text(
        "from tests.testing.broken import OverlooksTheSmall\n"
        "from workbench.backends.api import BackendFactory\n"
        "from workbench.backends.hookspecs import hookimpl\n"
        "@hookimpl\n"
        "def workbench_backend(): return BackendFactory(create=OverlooksTheSmall, summary='broken')\n"
    )
    info = broken / "broken-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[workbench.backends]\nbroken = workbench_broken\n")
    shell.env["PYTHONPATH"] = f"{broken}:{ROOT}"
    done = shell.run("plugins", "check", "broken", "usage_is_measured", "stop_is_idempotent")
    assert done.returncode == 1, done.stderr
    said = done.stdout.decode()
    assert "✗ usage is measured" in said
    assert "a process that holds 30 MB is measured as 0 MB" in said
    assert said.endswith("broken: 1 of the checks failed\n")


def test_what_there_is_not_is_a_usage_error(shell: Shell) -> None:
    done = shell.run("plugins", "check", "nope")
    assert (done.returncode, b"there is no backend named 'nope'" in done.stderr) == (2, True)
    done = shell.run("plugins", "check", "subprocess", "nope")
    assert (done.returncode, b"there is no check 'nope'" in done.stderr) == (2, True)
