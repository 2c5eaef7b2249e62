"""The interpreter of init, for images that have none: a copy of the parts of our own that init uses.

It is started through its own dynamic loader, with its own libraries, and so needs nothing of the image. About 10 MB.
"""

from __future__ import annotations

import compileall
import json
import os
import py_compile
import re
import shutil
import subprocess
import sys
from pathlib import Path

from workbench.backends.box import INIT
from workbench.model.errors import BackendError
from workbench_docker.configuration import PYTHON

_ASK = """
import sys
exec(compile(open(sys.argv[1]).read(), "init", "exec"), {"__name__": "init"})
import encodings.ascii, encodings.latin_1, encodings.utf_8, json, os
modules = [os.__file__, *(getattr(module, "__file__", None) for module in list(sys.modules.values()))]
mapped = {line.split(None, 5)[5].strip() for line in open("/proc/self/maps") if "/" in line}
print(json.dumps([[path for path in modules if path], sorted(mapped)]))
"""
_LOADER = re.compile(r"ld-(linux|musl|\d|[a-z0-9]+\.so)")


def make(folder: Path) -> tuple[str, ...]:
    """Make the copy, and return the command that starts it, with paths as seen inside.

    Raises:
        BackendError: it does not run.
    """
    executable = str(getattr(sys, "_base_executable", sys.executable))
    try:
        modules, mapped = _ask(executable)
        loader = _copy(folder, Path(executable).resolve(), modules, mapped)
        trial = _run([*_command(folder, loader), "-c", "import _ctypes, _socket, resource, select"])
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        raise BackendError(f"a copy of {executable} for containers cannot be made: {error}") from error
    if trial:
        raise BackendError(f"a copy of {executable} for containers does not run: {trial}")
    return _command(Path(PYTHON), loader)


def _command(folder: Path, loader: str) -> tuple[str, ...]:
    program = (f"{folder}/bin/python", "-I", "-S")
    return (f"{folder}/lib/{loader}", "--library-path", f"{folder}/lib", *program) if loader else program


def _ask(executable: str) -> tuple[list[str], list[str]]:
    """The files of the modules that init imports, and the files that are mapped then."""
    modules, mapped = json.loads(_run([executable, "-I", "-S", "-c", _ASK, str(INIT)]))
    return modules, mapped


def _run(command: list[str] | tuple[str, ...]) -> str:
    done = subprocess.run(
        command, env={}, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20, check=False
    )
    if done.returncode != 0:
        raise ValueError(done.stderr.strip() or f"exit code {done.returncode}")
    return done.stdout


def _copy(folder: Path, executable: Path, modules: list[str], mapped: list[str]) -> str:
    """Fill the folder; the name of the dynamic loader, empty for an interpreter that needs none."""
    library = Path(os.__file__).parent
    inside = folder / library.relative_to(sys.base_prefix)
    # getpath looks for both.
    (inside / "lib-dynload").mkdir(mode=0o755, parents=True)
    for name in modules:
        if (path := Path(name)).is_relative_to(library):
            _place(path, inside / path.relative_to(library))
    compileall.compile_dir(inside, quiet=2, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
    _place(executable, folder / "bin" / "python", mode=0o755)
    _place(INIT, folder / "init.py")
    loader = ""
    for path in map(Path, mapped):
        if ".so" not in path.name or path.is_relative_to(library):
            continue
        for name in (path.name, *_links_to(path)):
            _place(path, folder / "lib" / name, mode=0o755)
            if _LOADER.match(name):
                loader = name
    return loader


def _links_to(path: Path) -> list[str]:
    """A library's other names in its folder: programs ask for `libffi.so.8`, what is mapped is `libffi.so.8.1.2`."""
    stem = path.name.partition(".so")[0].partition("-")[0]
    return [
        link.name
        for link in path.parent.iterdir()
        if link.name.startswith(stem) and link.is_symlink() and link.resolve() == path
    ]


def _place(source: Path, target: Path, mode: int = 0o644) -> None:
    target.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    target.chmod(mode)
