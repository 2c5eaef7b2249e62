"""`workbench diff`: two versions side by side."""

from __future__ import annotations

import json

import pytest

from tests.endtoend.conftest import Shell
from tests.endtoend.test_versions_and_logs import project, write

__all__ = ["project"]


@pytest.fixture
def two_versions(shell: Shell, project) -> Shell:
    """Version 1, and `$LATEST` with another line, another file and more memory."""
    (project / "f" / "old.bin").write_bytes(b"\0\1")
    shell.run("deploy")
    assert shell.run("publish", "F").stdout == b"1\n"
    write(project, "second\x1b[31m")
    (project / "f" / "old.bin").unlink()
    (project / "f" / "new.txt").write_text("hello\n")
    template = project / "template.yaml"
    template.write_text(template.read_text().replace("Handler:", "MemorySize: 256, Handler:"))
    shell.run("deploy")
    return shell


def test_configuration_files_and_lines(two_versions: Shell) -> None:
    done = two_versions.run("diff", "F", "1")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.decode().splitlines()
    assert lines[:2] == ["F 1 → $LATEST", "~ memory size: 128 → 256"]
    assert [line[:9] for line in lines if line[0] in "+-~"][1:] == ["~ app.py ", "+ new.txt", "- old.bin"]
    assert {"    -    print('first')", "    +hello", "    no text: its bytes differ"} <= set(lines)


def test_as_json(two_versions: Shell) -> None:
    found = json.loads(two_versions.run("diff", "F", "1", "$LATEST", "--json").stdout)
    assert (found["function"], found["before"], found["after"]) == ("F", "1", "$LATEST")
    assert found["configuration"] == [{"name": "memory size", "before": "128", "after": "256"}]
    changes = {file["path"]: (file["change"], file["before"], file["after"]) for file in found["files"]}
    assert changes["new.txt"] == ("added", 0, 6)
    assert changes["old.bin"] == ("removed", 2, 0)
    assert changes["app.py"][0] == "changed"


def test_the_same_and_the_unknown(two_versions: Shell) -> None:
    assert two_versions.run("diff", "F", "1", "1").stdout.decode() == "F 1 → 1\nnothing differs\n"
    done = two_versions.run("diff", "F", "1", "9")
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"function:F:9" in done.stderr
