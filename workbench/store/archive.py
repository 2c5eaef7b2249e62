"""Deployment packages: reading zip archives that nobody vouches for.

An archive is checked before a byte is written, inflated by counted bytes into a temporary folder, and that folder is
renamed into place. Limits: Lambda Developer Guide, "Lambda quotas".
"""

from __future__ import annotations

import io
import itertools
import os
import shutil
import stat
import tempfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from workbench.model.errors import InvalidParameterValue

MAX_UNZIPPED = 262_144_000
MAX_ENTRIES = 65_536
_CHUNK = 1 << 20
_UNREADABLE = "Could not unzip uploaded file. Please check your file, then try to upload again."


def extract(archive: bytes, target: Path) -> None:
    """Unpack into `target`, which must not exist; nothing is left behind on refusal.

    Raises:
        InvalidParameterValue: no zip, too large, or an entry that leaves the folder or is no plain file.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as package:
            entries = _checked(package)
            temporary = Path(tempfile.mkdtemp(prefix=".extract-", dir=target.parent))
            try:
                _inflate(package, entries, temporary)
                temporary.chmod(0o755)
                try:
                    temporary.rename(target)
                except OSError:
                    if not target.is_dir():
                        raise
            finally:
                shutil.rmtree(temporary, ignore_errors=True)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise InvalidParameterValue(_UNREADABLE) from error


def _checked(package: zipfile.ZipFile) -> list[tuple[zipfile.ZipInfo, PurePosixPath]]:
    infos = package.infolist()
    if len(infos) > MAX_ENTRIES:
        raise InvalidParameterValue(f"The archive has {len(infos)} entries; at most {MAX_ENTRIES} are accepted")
    if sum(info.file_size for info in infos) > MAX_UNZIPPED:
        raise InvalidParameterValue(f"Unzipped size must be smaller than {MAX_UNZIPPED} bytes")
    spans = sorted((info.header_offset, info.header_offset + 30 + info.compress_size) for info in infos)
    if any(following[0] < before[1] for before, following in itertools.pairwise(spans)):
        raise InvalidParameterValue(_UNREADABLE)
    files: set[PurePosixPath] = set()
    folders: set[PurePosixPath] = set()
    entries = []
    for info in infos:
        path = _safe(info.orig_filename)
        mode = info.external_attr >> 16
        if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise InvalidParameterValue(f"The archive's entry '{path}' is no plain file or folder")
        if info.is_dir():
            folders.add(path)
        elif path in files:
            raise InvalidParameterValue(f"The archive has '{path}' twice")
        else:
            files.add(path)
        folders.update(path.parents)
        entries.append((info, path))
    if clash := files & folders:
        raise InvalidParameterValue(f"The archive has '{sorted(clash)[0]}' as a file and as a folder")
    return entries


def _safe(name: str) -> PurePosixPath:
    path = PurePosixPath(name)
    drive = len(name) > 1 and name[1] == ":"
    if not name or "\0" in name or "\\" in name or drive or path.is_absolute() or ".." in path.parts:
        raise InvalidParameterValue(
            f"The archive's entry {name[:100]!r} would be written outside the function's folder"
        )
    return path


def _inflate(package: zipfile.ZipFile, entries: list[tuple[zipfile.ZipInfo, PurePosixPath]], folder: Path) -> None:
    room = MAX_UNZIPPED
    for info, path in entries:
        place = folder / path
        if info.is_dir():
            place.mkdir(parents=True, exist_ok=True)
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        with package.open(info) as source, place.open("xb") as file:
            while chunk := source.read(min(_CHUNK, room + 1)):
                room -= len(chunk)
                if room < 0:
                    raise InvalidParameterValue(f"Unzipped size must be smaller than {MAX_UNZIPPED} bytes")
                file.write(chunk)
        executable = (info.external_attr >> 16) & 0o111
        place.chmod(0o755 if executable else 0o644)
    for parent, names, _ in os.walk(folder):
        for name in names:
            Path(parent, name).chmod(0o755)
