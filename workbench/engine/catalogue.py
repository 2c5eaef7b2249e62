"""Runtimes on this machine: the catalogue's identifiers, and the interpreter and client that realise each.

The catalogue comes from the packages that the entry-point group `workbench.runtimes` names.
"""

from __future__ import annotations

import asyncio
import hashlib
import importlib.util
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from workbench.model.errors import RuntimeUnavailable
from workbench.model.runtimes import RuntimeVersion

GROUP = "workbench.runtimes"
_BOOT = "boot.py"
#: What makes the official client: its package, its native half, and what it imports.
_CLIENT = ("awslambdaric", "runtime_client", "simplejson", "snapshot_restore_py")
#: What AWS's Python runtimes have beside it. botocore is a dependency of ours; without boto3 functions do not get it.
_SDK = ("boto3", "botocore", "dateutil", "jmespath", "s3transfer", "six", "urllib3")


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A Python on this machine: its version as `3.11.7`, its executable, and the tree that it needs."""

    version: str
    executable: Path
    prefix: Path


class Catalogue:
    """Satisfies `engine.ports.Runtimes`. `region` is part of a runtime version's ARN."""

    def __init__(self, region: str, cache: Path) -> None:
        self._region = region
        self._cache = cache
        self._resolved: dict[str, RuntimeVersion] = {}
        self._lock = asyncio.Lock()

    def known(self) -> tuple[str, ...]:
        return tuple(self._entries)

    def python(self, runtime: str) -> str | None:
        """The Python that a runtime needs, such as `3.12`; None for another language or one too old for the client."""
        wanted = self._entries[runtime].get("interpreter", {})
        return str(wanted["version"]) if runtime.startswith("python") and "client" in self._entries[runtime] else None

    async def resolve(self, runtime: str) -> RuntimeVersion:
        found = self._resolved.get(runtime)
        if found is None:
            async with self._lock:
                found = self._resolved.get(runtime)
                if found is None:
                    found = self._resolved[runtime] = await asyncio.to_thread(self._find, runtime)
        return found

    def arn(self, runtime: str) -> str | None:
        """The ARN of the runtime version that functions of this runtime get; None before one was resolved."""
        found = self._resolved.get(runtime)
        return found.arn if found else None

    @cached_property
    def _entries(self) -> dict[str, dict[str, Any]]:
        import tomli

        entries: dict[str, dict[str, Any]] = {}
        for package in entry_points(group=GROUP):
            folder = resources.files(package.value) / "catalogue"
            for file in sorted(folder.iterdir(), key=lambda item: item.name):
                if file.name.endswith(".toml"):
                    for entry in tomli.loads(file.read_text(encoding="utf-8"))["runtime"]:
                        entries[entry["id"]] = entry
        return entries

    def _find(self, runtime: str) -> RuntimeVersion:
        entry = self._entries.get(runtime)
        if entry is None:
            raise RuntimeUnavailable(f"there is no runtime '{runtime}'", mend="workbench doctor lists what runs here")
        python = self.python(runtime)
        if python is None:
            raise RuntimeUnavailable(f"Workbench cannot run '{runtime}' functions yet; Python functions run")
        interpreter = find_python(python)
        if interpreter is None:
            raise RuntimeUnavailable(
                f"no Python {python} for runtime '{runtime}' was found on this machine",
                mend=f"install it, for example with: uv python install {python}",
            )
        client = self._client(interpreter)
        minor, patch = interpreter.version.rsplit(".", 1)
        label = f"python:{minor}.v{patch}"
        digest = hashlib.sha256(f"{label} {interpreter.executable} {client.name}".encode()).hexdigest()
        return RuntimeVersion(
            runtime=runtime,
            label=label,
            arn=f"arn:aws:lambda:{self._region}::runtime:{digest}",
            interpreter=interpreter.executable,
            prefix=interpreter.prefix,
            client=client,
            boot=_BOOT,
            # Without the interpreter's own site-packages, which AWS does not have either: boot.py does the rest of
            # what `site` does.
            flags=("-S",),
        )

    def _client(self, interpreter: Interpreter) -> Path:
        """The folder with the official client for an interpreter, made once and then only looked at."""
        minor = ".".join(interpreter.version.split(".")[:2])
        boot = (resources.files("workbench_runtimes") / "python" / _BOOT).read_bytes()
        origins = {name: _origin(name) for name in _CLIENT}
        if importlib.util.find_spec("boto3") is not None:
            origins |= {name: _origin(name) for name in _SDK}
        stamp = json.dumps([minor, platform.machine(), [(str(o), o.stat().st_mtime_ns) for o in origins.values()]])
        folder = self._cache / f"python{minor}-{hashlib.sha256(stamp.encode() + boot).hexdigest()[:16]}"
        if folder.is_dir():
            return folder
        self._cache.mkdir(mode=0o755, parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=".client-", dir=self._cache))
        try:
            if minor == "{}.{}".format(*sys.version_info):
                _copy_client(origins, temporary)
            else:
                _fetch_client(minor, temporary)
            (temporary / _BOOT).write_bytes(boot)
            subprocess.run(
                [interpreter.executable, "-I", "-m", "compileall", "-q", "."],
                cwd=temporary,
                check=False,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            _readable(temporary)
            try:
                temporary.rename(folder)
            except OSError:
                if not folder.is_dir():  # another engine may have made it meanwhile
                    raise
        except OSError as error:
            raise RuntimeUnavailable(f"the Python client cannot be prepared in {self._cache}: {error}") from error
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        return folder


def find_python(minor: str) -> Interpreter | None:
    """The newest Python of a minor version, such as `3.12`; this process's own one without asking another."""
    if minor == "{}.{}".format(*sys.version_info):
        own = Path(sys.base_prefix) / "bin" / f"python{minor}"
        if own.exists():
            return Interpreter(platform.python_version(), own, Path(sys.base_prefix))
    found = [interpreter for path in _candidates(minor) if (interpreter := _ask(path, minor))]
    return max(found, key=lambda interpreter: int(interpreter.version.split(".")[2]), default=None)


def _candidates(minor: str) -> Iterator[Path]:
    name = f"python{minor}"
    roots = [
        (Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions", f"{minor}.*/bin/{name}"),
        (Path.home() / ".local/share/uv/python", f"cpython-{minor}.*/bin/{name}"),
    ]
    for root, pattern in roots:
        yield from sorted(root.glob(pattern))
    for folder in os.get_exec_path():
        path = Path(folder, name)
        # A pyenv shim only hands on to one of the versions above, or fails.
        if path.is_file() and ".pyenv/shims" not in folder:
            yield path


def _ask(path: Path, minor: str) -> Interpreter | None:
    """What a candidate says of itself; None when it does not run or is something else."""
    question = "import sys, platform as p; print(p.python_version(), p.python_implementation(), sys.base_prefix)"
    try:
        answer = subprocess.run([path, "-I", "-S", "-c", question], capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    parts = answer.stdout.split(maxsplit=2)
    if answer.returncode != 0 or len(parts) != 3 or parts[1] != "CPython" or not parts[0].startswith(f"{minor}."):
        return None
    prefix = Path(parts[2].strip())
    executable = prefix / "bin" / f"python{minor}"
    if not parts[0].split(".")[2].isdigit() or not executable.exists():
        return None
    return Interpreter(parts[0], executable, prefix)


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


def _readable(folder: Path) -> None:
    """Functions run as another user: everything here may be read by all."""
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
