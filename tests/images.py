"""A Docker image made of this machine's own programs, for tests that can reach no registry.

It has what AWS's images have at the same places: the interpreters in /var/lang, a shell, curl; and their libraries.
"""

from __future__ import annotations

import functools
import importlib.util
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import Any

from workbench.engine.catalogue.languages import Program
from workbench.engine.catalogue.python import find_python

#: One a test run, so that the end of one leaves the image of another.
NAME = f"workbench-tests/this-machine-{os.getpid()}"
PROGRAMS = ("sh", "bash", "curl", "env", "cat", "sed", "grep", "tr", "head", "tail", "cut", "mktemp", "rm", "date")
FOLDERS = ("dev", "etc", "opt", "proc", "root", "run", "sys", "tmp", "usr/bin", "usr/lib", "var/runtime", "var/task")
#: What a library of this machine's interpreter has that no function needs.
SKIPPED = re.compile(
    r"/(site-packages|dist-packages|test|tests|idlelib|ensurepip|tkinter|turtledemo|lib2to3|pydoc_data|config-[^/]*)/"
    r"|/_tkinter\.|/_test[^/]*\.so$|\.opt-[12]\.pyc$"
)


@functools.cache
def pythons() -> dict[str, Program]:
    """The Pythons of the catalogue that this machine has, by minor version."""
    found = {minor: find_python(minor) for minor in ("3.10", "3.11", "3.12", "3.13", "3.14")}
    return {minor: python for minor, python in found.items() if python is not None}


def build(client: Any, name: str = NAME, *, languages: bool = True) -> None:
    """Make the image, by a `docker.APIClient`; without languages it is small and quickly made."""
    with tempfile.TemporaryFile() as file:
        with tarfile.open(fileobj=file, mode="w") as tar:
            Maker(tar).make(languages=languages)
        file.seek(0)
        answer = client.import_image_from_data(file, repository=name, tag="latest")
        if "error" in answer:
            raise RuntimeError(answer)


class Maker:
    """Fills a tar file, each path once."""

    def __init__(self, tar: tarfile.TarFile) -> None:
        self._tar = tar
        self._added: set[str] = set()
        self._needed: set[Path] = set()

    def make(self, *, languages: bool) -> None:
        for folder in FOLDERS:
            self._folder(folder)
        for link in ("bin", "lib", "lib64"):
            self._folder(f"usr/{link}")
            self._link(link, f"usr/{link}")
        if languages:
            self._pythons()
            if node := shutil.which("node"):
                self._file(Path(node).resolve(), "var/lang/bin/node")
        for name in PROGRAMS:
            if path := shutil.which(name, path="/usr/bin:/bin"):
                self._file(Path(path).resolve(), f"usr/bin/{name}")
        for path in self._libraries():
            inside = str(path).lstrip("/")
            self._file(path.resolve(), inside if inside.startswith("usr/") else f"usr/{inside}")

    def _pythons(self) -> None:
        for minor, python in pythons().items():
            self._python(python.prefix, f"python{minor}")
        client = importlib.util.find_spec("runtime_client")
        if client is not None and client.origin is not None:
            self._needed.add(Path(client.origin))

    def _python(self, prefix: Path, version: str) -> None:
        self._file((prefix / "bin" / version).resolve(), f"var/lang/bin/{version}")
        library = prefix / "lib" / version
        for path in sorted(library.rglob("*")):
            if path.is_file() and not SKIPPED.search(f"/{path.relative_to(library)}"):
                self._file(path, f"var/lang/{path.relative_to(prefix)}")
        for path in (prefix / "lib").glob("libpython*.so*"):
            if path.is_symlink() and (path.parent / os.readlink(path)).parent == path.parent:
                self._link(f"var/lang/lib/{path.name}", os.readlink(path))
            else:
                self._file(path.resolve(), f"var/lang/lib/{path.name}")

    def _libraries(self) -> set[Path]:
        """What the dynamic loader takes for all that was added, the loader itself too."""
        found: set[Path] = set()
        for path in self._needed:
            said = subprocess.run(["ldd", path], capture_output=True, text=True, check=False).stdout
            found |= {Path(word) for word in re.findall(r"(/\S+) \(0x", said)}
        own = [python.prefix for python in pythons().values() if python.prefix != Path("/usr")]
        return {path for path in found if not any(path.is_relative_to(prefix) for prefix in own)}

    def _file(self, source: Path, inside: str) -> None:
        if inside in self._added:
            return
        self._added.add(inside)
        if source.stat().st_mode & 0o111 or ".so" in source.name:
            self._needed.add(source)
        info = self._tar.gettarinfo(source, inside)
        info.uid = info.gid = 0
        info.mode = 0o755 if info.mode & 0o111 else 0o644
        with source.open("rb") as file:
            self._tar.addfile(info, file)

    def _folder(self, inside: str) -> None:
        if inside not in self._added:
            self._added.add(inside)
            info = tarfile.TarInfo(inside)
            info.type, info.mode = tarfile.DIRTYPE, {"tmp": 0o1777, "root": 0o700}.get(inside, 0o755)
            self._tar.addfile(info)

    def _link(self, inside: str, target: str) -> None:
        info = tarfile.TarInfo(inside)
        info.type, info.linkname = tarfile.SYMTYPE, target
        self._tar.addfile(info)
