"""The state folder: opened without following links, only if it is ours, by one engine at a time."""

from __future__ import annotations

import fcntl
import json
import os
import stat
import time
from pathlib import Path

from workbench.model.errors import StateError
from workbench.model.errors import StateLocked as StateLocked

FORMAT = 1


class StateFolder:
    """A locked state folder. `close` lets go of the lock."""

    def __init__(self, path: Path) -> None:
        """Open or make the folder.

        Raises:
            StateError: it is a link, not ours, of a newer format, or cannot be written.
            StateLocked: another engine holds it.
        """
        self.path = path
        self._lock = -1
        own_folder(path)
        try:
            ignore = path / ".gitignore"
            if not os.path.lexists(ignore):
                ignore.write_text("*\n")
            self._lock = os.open(path / "lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            if not _locked(self._lock):
                raise StateLocked(f"another engine uses {path}", mend="workbench stop ends it")
            # Of an engine that was killed. From here on the lock would vouch for it.
            (path / "endpoint.json").unlink(missing_ok=True)
            _check_format(path)
        except OSError as error:
            self.close()
            raise StateError(f"cannot use {path} as state folder: {error}") from error
        except StateError:
            self.close()
            raise

    def close(self) -> None:
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


def _locked(descriptor: int) -> bool:
    """Take the lock. A command that only asks whether an engine lives holds it for a moment, so one try is too few."""
    for _ in range(5):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.01)
        else:
            return True
    return False


def own_folder(path: Path) -> None:
    """Make a private folder, or take one that is there: never through a link, and only if it is ours.

    Raises:
        StateError: it is a link, no folder, or another user's.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = path.lstat()
    except OSError as error:
        raise StateError(f"cannot use {path} as state folder: {error.strerror}") from error
    if not stat.S_ISDIR(found.st_mode):
        raise StateError(f"{path} is a link or no folder", mend="remove it, or set WORKBENCH_STATE to another folder")
    if found.st_uid != os.geteuid():
        raise StateError(f"{path} belongs to another user", mend="set WORKBENCH_STATE to a folder of yours")
    if stat.S_IMODE(found.st_mode) & 0o077:
        path.chmod(0o700)


def own_file(path: Path) -> None:
    """Make a private file, or take one that is there, never through a link.

    Raises:
        StateError: it is a link or no file.
    """
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise StateError(f"cannot use {path}: {error.strerror}", mend="remove it if it is a link") from error


def _check_format(path: Path) -> None:
    marker = path / "format.json"
    if not marker.exists():
        write_durably(marker, json.dumps({"format": FORMAT}).encode())
        return
    try:
        found = json.loads(marker.read_bytes())["format"]
    except (ValueError, KeyError, TypeError) as error:
        raise StateError(f"{marker} is damaged: {error}", mend="move the folder away") from error
    if not isinstance(found, int) or found > FORMAT:
        raise StateError(f"{path} was written by a newer Workbench (format {found})", mend="upgrade Workbench")


def write_durably(path: Path, content: bytes) -> None:
    """Write a file so that after a crash it is there whole or not at all (mode 0600)."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.unlink(missing_ok=True)  # of an engine that was killed: in a container each has the same number
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.rename(temporary, path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Make renames in a folder durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
