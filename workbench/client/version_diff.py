"""What differs between two versions of a function: settings, files, and the lines of small text files. Pure.

The archives are a stranger's: nothing is unpacked, every read is bounded by counted bytes, and what is not text is
not shown.
"""

from __future__ import annotations

import difflib
import io
import lzma
import zipfile
import zlib
from dataclasses import dataclass, fields
from enum import Enum
from typing import Any

from workbench.model.functions import Code, FunctionConfiguration, FunctionVersion

#: Files of an archive that are looked at, and bytes and lines of a file up to which its lines are compared.
FILES, BYTES, LINES = 10_000, 128 * 1024, 2_000
#: What a damaged, encrypted or strangely compressed entry comes as.
_UNREADABLE = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, NotImplementedError, RuntimeError, EOFError, OSError)


class Change(Enum):
    """What became of a file or a setting, with the sign that tells it without colour."""

    ADDED = "+"
    REMOVED = "-"
    CHANGED = "~"


@dataclass(frozen=True, slots=True)
class SettingChange:
    """A setting's value before and after, as text; None where it is not set."""

    name: str
    before: str | None
    after: str | None

    @property
    def change(self) -> Change:
        if self.before is None:
            return Change.ADDED
        return Change.REMOVED if self.after is None else Change.CHANGED


@dataclass(frozen=True, slots=True)
class FileChange:
    """A file with its sizes before and after, in bytes."""

    path: str
    change: Change
    before: int = 0
    after: int = 0


@dataclass(frozen=True, slots=True)
class CodeDiff:
    """The files that differ, and how many do not. `note` says what was left out."""

    files: tuple[FileChange, ...] = ()
    same: int = 0
    note: str = ""


def settings(before: FunctionVersion, after: FunctionVersion) -> list[SettingChange]:
    """The settings that differ, spelled in lower case with spaces; an environment's variables one by one.

    A container image is one of them, with its digest: what is in it is not compared.
    """
    found = []
    if before.code != after.code and (before.code.image or after.code.image):
        found.append(SettingChange("image", _image(before.code), _image(after.code)))
    for field in fields(FunctionConfiguration):
        old, new = getattr(before.configuration, field.name), getattr(after.configuration, field.name)
        if field.name == "environment":
            found += _mapping("environment ", old or {}, new or {})
        elif field.name == "settings":
            found += _mapping("", old, new)
        elif old != new:
            name = field.name.replace("_", " ")
            found.append(SettingChange(name, _text(old), _text(new)))
    return found


def _image(code: Code) -> str | None:
    return None if code.image is None else f"{code.image} (sha256:{code.sha256[:12]}…)"


def _mapping(prefix: str, old: Any, new: Any) -> list[SettingChange]:
    return [
        SettingChange(prefix + key, _text(old.get(key)), _text(new.get(key)))
        for key in sorted({*old, *new})
        if old.get(key) != new.get(key)
    ]


def _text(value: object) -> str | None:
    if value is None:
        return None
    if isinstance(value, tuple):
        return ", ".join(str(part) for part in value) or "none"
    return str(value) if value != "" else "none"


def files(before: bytes, after: bytes) -> CodeDiff:
    """Compare two archives by what their directories say: size and CRC-32 of each file. One of no bytes has no files.

    Raises:
        zipfile.BadZipFile: one of them is no archive.
    """
    old, new = _directory(before), _directory(after)
    changes = []
    for path in sorted({*old, *new}):
        was, now = old.get(path), new.get(path)
        if was is None and now is not None:
            changes.append(FileChange(path, Change.ADDED, 0, now.file_size))
        elif was is not None and now is None:
            changes.append(FileChange(path, Change.REMOVED, was.file_size, 0))
        elif was is not None and now is not None and (was.CRC, was.file_size) != (now.CRC, now.file_size):
            changes.append(FileChange(path, Change.CHANGED, was.file_size, now.file_size))
    cut = FILES in (len(old), len(new))
    return CodeDiff(
        tuple(changes), len({*old, *new}) - len(changes), f"only the first {FILES} files are compared" if cut else ""
    )


def _directory(archive: bytes) -> dict[str, zipfile.ZipInfo]:
    if not archive:
        return {}
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        entries = (info for info in opened.infolist() if not info.is_dir())
        return {info.filename: info for info, _ in zip(entries, range(FILES), strict=False)}


def lines(change: FileChange, before: bytes, after: bytes) -> list[str]:
    """The unified difference of one file, or one line that says why there is none to show."""
    old, new = _read(before, change.path), _read(after, change.path)
    if isinstance(old, str) or isinstance(new, str):
        return [old if isinstance(old, str) else str(new)]
    found = list(difflib.unified_diff(old, new, "before", "after", lineterm="", n=3))[2:]
    return found or ["only the ends of lines differ"]


def _read(archive: bytes, path: str) -> list[str] | str:
    """The lines of a text file, none where there is no such file; else a sentence."""
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as opened:
            try:
                info = opened.getinfo(path)
            except KeyError:
                return []
            with opened.open(info) as stream:
                data = stream.read(BYTES + 1)
    except _UNREADABLE as error:
        return f"cannot be read: {error}"
    if len(data) > BYTES:
        return f"larger than the {BYTES // 1024} KB up to which lines are compared"
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return "no text: its bytes differ"
    if "\0" in text:
        return "no text: its bytes differ"
    found = text.splitlines()
    return found if len(found) <= LINES else f"more than the {LINES} lines up to which lines are compared"
