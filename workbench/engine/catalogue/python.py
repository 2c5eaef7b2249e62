"""Python: every CPython that pyenv, uv and PATH have, and AWS's own client for it."""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import json
import os
import platform
import shutil
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
from workbench.model.errors import RuntimeUnavailable

_BOOT = "boot.py"
#: What makes the official client: its package, its native half, and what it imports.
_CLIENT = ("awslambdaric", "runtime_client", "simplejson", "snapshot_restore_py")
#: What AWS's Python runtimes have beside it. botocore is a dependency of ours; without boto3 functions do not get it.
_SDK = ("boto3", "botocore", "dateutil", "jmespath", "s3transfer", "six", "urllib3")


class Python:
    """The language `python`."""

    def look(self, entry: Entry, added: Sequence[Path]) -> tuple[str, str]:
        minor = _minor(entry)
        python = find_python(minor, added)
        if python is None:
            return f"no Python {minor} here", f"uv python install {minor}"
        return f"{python.version} at {python.executable}", ""

    def own(self, entry: Entry) -> Program | None:
        return _own(_minor(entry))

    def programs(self, entry: Entry, added: Sequence[Path]) -> Programs:
        return by_version(find_pythons(_minor(entry), added))

    def realise(self, entry: Entry, version: str, program: Program | None, cache: Path) -> Realisation:
        if program is None:
            raise RuntimeUnavailable(f"there is no interpreter for runtime '{entry['id']}'")
        minor, patch = version.rsplit(".", 1)
        return Realisation(
            label=f"python:{minor}.v{patch}",
            client=_client(program, cache),
            # -S: without the interpreter's own site-packages, which AWS does not have either; boot.py does the rest of
            # what `site` does.
            command=("{interpreter}", "-S", "-X", "opt={opt}", f"{{runtime}}/{_BOOT}"),
            ahead=("{interpreter}", "-S", f"{{runtime}}/{_BOOT}", "ahead"),
        )


def _minor(entry: Entry) -> str:
    return str(entry["interpreter"]["version"])


def _client(python: Program, cache: Path) -> Path:
    """The folder with the official client for an interpreter."""
    minor = ".".join(python.version.split(".")[:2])
    boot = (resources.files("workbench_runtimes") / "python" / _BOOT).read_bytes()
    origins = {name: _origin(name) for name in _CLIENT}
    if importlib.util.find_spec("boto3") is not None:
        origins |= {name: _origin(name) for name in _SDK}
    stamp = json.dumps([minor, platform.machine(), [(str(o), o.stat().st_mtime_ns) for o in origins.values()]])

    def fill(folder: Path) -> None:
        if minor == "{}.{}".format(*sys.version_info):
            _copy_client(origins, folder)
        else:
            _fetch_client(minor, folder)
        (folder / _BOOT).write_bytes(boot)
        subprocess.run(
            [python.executable, "-I", "-m", "compileall", "-q", "."],
            cwd=folder,
            check=False,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    digest = hashlib.sha256(stamp.encode() + boot).hexdigest()[:16]
    return prepared(cache / f"python{minor}-{digest}", fill, "Python")


def find_python(minor: str, added: Sequence[Path] = ()) -> Program | None:
    """The newest Python of a minor version, such as `3.12`; this process's own one without asking another."""
    own = _own(minor)
    if own is not None:
        return own
    newest = list(by_version(find_pythons(minor, added)).values())[-1:]
    return newest[0] if newest else None


def find_pythons(minor: str, added: Sequence[Path] = ()) -> list[Program]:
    """Every Python of a minor version: those at `added` first, then this process's own one."""
    own = _own(minor)
    found = [python for path in _candidates(minor) if (python := _ask(path, minor))]
    first = named(added, lambda path: _ask(path, minor), f"Python {minor}")
    return [*first, *([own] if own is not None else []), *found]


def _own(minor: str) -> Program | None:
    if minor != "{}.{}".format(*sys.version_info):
        return None
    own = Path(sys.base_prefix) / "bin" / f"python{minor}"
    return Program(platform.python_version(), own, Path(sys.base_prefix)) if own.exists() else None


def _candidates(minor: str) -> Iterator[Path]:
    name = f"python{minor}"
    roots = [
        (Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions", f"{minor}.*/bin/{name}"),
        (Path.home() / ".local/share/uv/python", f"cpython-{minor}.*/bin/{name}"),
    ]
    # A pyenv shim only hands on to one of the versions above, or fails.
    return (path for path in candidates(roots, name) if ".pyenv/shims" not in str(path.parent))


def _ask(path: Path, minor: str) -> Program | None:
    """What a candidate says of itself; None when it does not run or is something else."""
    try:
        return _answer(path, minor, path.stat().st_mtime_ns)
    except (OSError, subprocess.TimeoutExpired):
        return None


@functools.lru_cache(maxsize=64)
def _answer(path: Path, minor: str, _changed: int) -> Program | None:
    """It is asked once for as long as the file stays the same, unless it could not be asked."""
    question = "import sys, platform as p; print(p.python_version(), p.python_implementation(), sys.base_prefix)"
    answer = subprocess.run([path, "-I", "-S", "-c", question], capture_output=True, text=True, timeout=10)
    parts = answer.stdout.split(maxsplit=2)
    if answer.returncode != 0 or len(parts) != 3 or parts[1] != "CPython" or not parts[0].startswith(f"{minor}."):
        return None
    prefix = Path(parts[2].strip())
    executable = prefix / "bin" / f"python{minor}"
    if not parts[0].split(".")[2].isdigit() or not os.path.exists(executable):
        return None
    return Program(parts[0], executable, prefix)


def _origin(module: str) -> Path:
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise RuntimeUnavailable(
            f"Workbench's own installation lacks '{module}', a part of AWS's Python client",
            mend="install Workbench again",
        )
    return Path(spec.origin)


def _copy_client(origins: dict[str, Path], target: Path) -> None:
    for name, origin in origins.items():
        if origin.name == "__init__.py":
            shutil.copytree(origin.parent, target / name, ignore=shutil.ignore_patterns("tests"))
        else:
            shutil.copy2(origin, target / origin.name)


def _fetch_client(minor: str, target: Path) -> None:
    """Get the client's wheels for another minor version than our own.

    Raises:
        RuntimeUnavailable: with pip's last words.
    """
    from importlib.metadata import version

    wanted = [name for name in ("awslambdaric", "boto3") if importlib.util.find_spec(name) is not None]
    command = [
        *(sys.executable, "-m", "pip", "install", "--quiet", "--target", str(target), "--python-version", minor),
        *("--only-binary=:all:", "--no-compile", *(f"{name}=={version(name)}" for name in wanted)),
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise RuntimeUnavailable(f"AWS's client for Python {minor} cannot be fetched: {last}", mend=" ".join(command))
