"""Deployment packages: reading zip archives that nobody vouches for.

An archive is checked before a byte of it is kept; later it is inflated, by counted bytes, into a temporary folder that
is renamed into place. Limits: Lambda Developer Guide, "Lambda quotas".
"""

from __future__ import annotations

import io
import itertools
import os
import shutil
import stat
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from workbench.model.errors import InvalidParameterValue

MAX_UNZIPPED = 262_144_000
#: Files and folders together, those included that are only implied by a file's path.
MAX_ENTRIES = 65_536
#: Bytes of a path inside the archive, and of one name in it (the least that file systems take).
MAX_PATH, MAX_NAME = 1024, 255
#: Stored and deflated, which is what Lambda unpacks. bzip2 inflates without a bound on memory.
_METHODS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
_CHUNK = 1 << 20
_UNREADABLE = "Could not unzip uploaded file. Please check your file, then try to upload again."


def check(archive: bytes) -> None:
    """Inflate to the end and write nothing.

    Raises:
        InvalidParameterValue: no zip, too large, or an entry that leaves the folder or is no file, folder or link.
    """
    with _opened(archive) as package:
        room = _Room()
        for info, path in _checked(package):
            if _is_link(info):
                _target(package, info, path)
            elif not info.is_dir():
                for _ in _pieces(package, info, room):
                    pass


def extract(archive: bytes, target: Path) -> None:
    """Unpack into `target`, which must not exist; nothing is left behind on refusal.

    Raises:
        InvalidParameterValue: what `check` would refuse, or this file system does not tell two of its names apart.
    """
    with _opened(archive) as package:
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


def unzipped(archive: bytes) -> int:
    """The size of what an archive that `check` has taken holds: each entry was found to be as large as it says."""
    with zipfile.ZipFile(io.BytesIO(archive)) as package:
        return sum(info.file_size for info in package.infolist())


@contextmanager
def _opened(archive: bytes) -> Iterator[zipfile.ZipFile]:
    """The archive, open; whatever reading it raises becomes Lambda's complaint."""
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as package:
            yield package
    except (
        FileExistsError,  # two names that this file system does not tell apart
        zipfile.BadZipFile,
        zlib.error,
        struct.error,
        EOFError,
        NotImplementedError,
        OverflowError,
        RuntimeError,
        ValueError,
    ) as error:
        raise InvalidParameterValue(_UNREADABLE) from error


def _checked(package: zipfile.ZipFile) -> list[tuple[zipfile.ZipInfo, PurePosixPath]]:
    infos = package.infolist()
    if len(infos) > MAX_ENTRIES:
        raise InvalidParameterValue(f"The archive has {len(infos)} entries; at most {MAX_ENTRIES} are accepted")
    if sum(info.file_size for info in infos) > MAX_UNZIPPED:
        raise InvalidParameterValue(f"Unzipped size must be smaller than {MAX_UNZIPPED} bytes")
    spans = sorted((info.header_offset, info.header_offset + 30 + info.compress_size) for info in infos)
    spans.append((package.start_dir, package.start_dir))
    if any(following[0] < before[1] for before, following in itertools.pairwise(spans)):
        raise InvalidParameterValue(_UNREADABLE)
    files: set[str] = set()
    folders: set[str] = set()
    entries = []
    for info in infos:
        path = _safe(info.orig_filename)
        mode = info.external_attr >> 16
        if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK):
            raise InvalidParameterValue(f"The archive's entry '{path}' is no file, folder or link")
        if info.is_dir():
            folders.add(str(path))
        elif info.compress_type not in _METHODS or not path.parts:
            raise InvalidParameterValue(_UNREADABLE)
        elif str(path) in files:
            raise InvalidParameterValue(f"The archive has '{path}' twice")
        else:
            files.add(str(path))
        parent = str(path).rpartition("/")[0]
        while parent and parent not in folders:
            folders.add(parent)
            parent = parent.rpartition("/")[0]
        if len(files) + len(folders) > MAX_ENTRIES:
            raise InvalidParameterValue(f"The archive has more than {MAX_ENTRIES} files and folders")
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
    if len(name.encode()) > MAX_PATH or any(len(part.encode()) > MAX_NAME for part in path.parts):
        raise InvalidParameterValue(f"The archive's entry {name[:100]!r} has too long a name")
    return path


def _inflate(package: zipfile.ZipFile, entries: list[tuple[zipfile.ZipInfo, PurePosixPath]], folder: Path) -> None:
    room = _Room()
    links: dict[Path, str] = {}
    for info, path in entries:
        place = folder / path
        if _is_link(info):
            place.parent.mkdir(parents=True, exist_ok=True)
            links[place] = _target(package, info, path)
            continue
        if info.is_dir():
            place.mkdir(parents=True, exist_ok=True)
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        with place.open("xb") as file:
            file.writelines(_pieces(package, info, room))
        executable = (info.external_attr >> 16) & 0o111
        place.chmod(0o755 if executable else 0o644)
    for parent, names, _ in os.walk(folder):
        for name in names:
            Path(parent, name).chmod(0o755)
    for place, target in links.items():  # last, when nothing more is written that could go through one
        place.symlink_to(target)


class _Room:
    """The bytes that an archive may still inflate to, whatever its entries announce."""

    def __init__(self) -> None:
        self.left = MAX_UNZIPPED

    def take(self, size: int) -> None:
        self.left -= size
        if self.left < 0:
            raise InvalidParameterValue(f"Unzipped size must be smaller than {MAX_UNZIPPED} bytes")


def _pieces(package: zipfile.ZipFile, info: zipfile.ZipInfo, room: _Room) -> Iterator[bytes]:
    """The content of an entry, which must be as large as it announces; its checksum is held by `zipfile`."""
    size = 0
    with package.open(info) as source:
        while chunk := source.read(min(_CHUNK, room.left + 1)):
            room.take(len(chunk))
            size += len(chunk)
            yield chunk
    if size != info.file_size:
        raise InvalidParameterValue(_UNREADABLE)


def _is_link(info: zipfile.ZipInfo) -> bool:
    return stat.S_ISLNK(info.external_attr >> 16) and not info.is_dir()


def _target(package: zipfile.ZipFile, info: zipfile.ZipInfo, path: PurePosixPath) -> str:
    """Where a link leads, which must be inside the folder.

    Its `..` come first and so climb only through the folders that the link is in, which are no links. What follows only
    descends. So no link leads out, whichever others it passes and whatever layer is laid over it.
    """
    if info.file_size > MAX_PATH:
        raise InvalidParameterValue(f"The archive's link '{path}' has too long a target")
    with package.open(info) as source:
        content = source.read(MAX_PATH + 1)
    if len(content) != info.file_size:
        raise InvalidParameterValue(_UNREADABLE)
    target = content.decode()
    parts = PurePosixPath(target).parts
    climbs = sum(1 for _ in itertools.takewhile("..".__eq__, parts))
    if (
        not target
        or "\0" in target
        or target.startswith("/")
        or climbs > len(path.parts) - 1
        or ".." in parts[climbs:]
        or any(len(part.encode()) > MAX_NAME for part in parts)
    ):
        raise InvalidParameterValue(f"The archive's link '{path}' leads outside the function's folder")
    return target
