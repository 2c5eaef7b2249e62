"""Node.js: every node that version managers and PATH have, and Workbench's own client, which has no dependencies."""

from __future__ import annotations

import functools
import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from importlib import resources
from pathlib import Path

from workbench.engine.catalogue.languages import (
    Entry,
    Program,
    Programs,
    Realisation,
    by_version,
    candidates,
    named,
    prepared,
)

_BOOT = "index.mjs"


class NodeJs:
    """The language `nodejs`."""

    def look(self, entry: Entry, added: Sequence[Path]) -> tuple[str, str]:
        major = _major(entry)
        node = find_node(major, added)
        if node is None:
            return f"no Node.js {major} here", f"nvm install {major}"
        return f"{node.version} at {node.executable}", ""

    def own(self, entry: Entry) -> Program | None:
        return None

    def programs(self, entry: Entry, added: Sequence[Path]) -> Programs:
        return by_version(find_nodes(_major(entry), added))

    def realise(self, entry: Entry, version: str, program: Program | None, cache: Path) -> Realisation:
        command = (
            "{interpreter}",
            # The shares of memory are those of AWS's own bootstrap: without them V8 plans for the whole machine.
            "--max-old-space-size={old_space}",
            "--max-semi-space-size={semi_space}",
            f"{{runtime}}/{_BOOT}",
        )
        return Realisation(
            label=f"nodejs:{_major(entry)}.v{version.split('.')[1]}",
            client=_client(cache),
            command=command,
            ahead=(*command, "ahead"),
        )


def find_node(major: str, added: Sequence[Path] = ()) -> Program | None:
    """The newest node of a major version, such as `20`."""
    newest = list(by_version(find_nodes(major, added)).values())[-1:]
    return newest[0] if newest else None


def find_nodes(major: str, added: Sequence[Path] = ()) -> list[Program]:
    """Every node of a major version, those at `added` first."""

    def ask(path: Path) -> Program | None:
        node = _ask(path)
        return node if node is not None and node.version.startswith(f"{major}.") else None

    found = [node for path in _candidates(major) if (node := ask(path))]
    return [*named(added, ask, f"Node.js {major}"), *found]


def _major(entry: Entry) -> str:
    return str(entry["interpreter"]["version"])


def _candidates(major: str) -> Iterator[Path]:
    home = Path.home()
    data = Path(os.environ.get("XDG_DATA_HOME") or home / ".local/share")
    mac = home / "Library/Application Support"
    roots = [
        (Path(os.environ.get("NVM_DIR") or home / ".nvm"), f"versions/node/v{major}.*/bin/node"),
        (Path(os.environ.get("VOLTA_HOME") or home / ".volta"), f"tools/image/node/{major}.*/bin/node"),
        (Path(os.environ.get("ASDF_DATA_DIR") or home / ".asdf"), f"installs/nodejs/{major}.*/bin/node"),
        (Path(os.environ.get("MISE_DATA_DIR") or data / "mise"), f"installs/node/{major}.*/bin/node"),
    ]
    fnm = [os.environ.get("FNM_DIR"), data / "fnm", home / ".fnm", *([mac / "fnm"] if sys.platform == "darwin" else [])]
    roots += [(Path(root), f"node-versions/v{major}.*/installation/bin/node") for root in fnm if root]
    return candidates(roots, "node")


def _ask(path: Path) -> Program | None:
    """What a candidate says of itself; None when it does not run. A shim answers for what it stands for."""
    try:
        return _answer(path, path.stat().st_mtime_ns)
    except (OSError, subprocess.TimeoutExpired):
        return None


@functools.lru_cache(maxsize=64)
def _answer(path: Path, _changed: int) -> Program | None:
    """It is asked once for as long as the file stays the same, unless it could not be asked."""
    question = "process.versions.node + ' ' + process.execPath"
    answer = subprocess.run(
        [path, "--print", question],
        env={name: value for name, value in os.environ.items() if not name.startswith("NODE_")},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=10,
    )
    version, _, executable = answer.stdout.strip().partition(" ")
    if answer.returncode != 0 or not executable or not all(part.isdigit() for part in version.split(".")):
        return None
    program = Path(executable)
    return Program(version, program, program.parent.parent if program.parent.name == "bin" else program.parent)


def _client(cache: Path) -> Path:
    folder = resources.files("workbench_runtimes") / "nodejs"
    files = {file.name: file.read_bytes() for file in folder.iterdir() if file.name.endswith(".mjs")}
    digest = hashlib.sha256(b"".join(name.encode() + files[name] for name in sorted(files))).hexdigest()[:16]

    def fill(target: Path) -> None:
        for name, content in files.items():
            (target / name).write_bytes(content)

    return prepared(cache / f"nodejs-{digest}", fill, "Node.js")
