"""The host folders that stand for file systems: making them, and who functions are in them.

On AWS an access point names the user that all its functions are, whatever they are otherwise. Here that is the owner of
the folder: so the environments of all functions may change each other's files, and the person whose folder it is may
too. Functions never are root, so a folder of root's is theirs to read only.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path

from workbench.model.errors import BackendError

#: Whose a folder becomes that root's engine makes, and whom functions are in one of root's.
USER = 1_999_999


def make(folder: Path) -> None:
    """Make a folder that is not there.

    Raises:
        BackendError: it cannot be made, or it is no folder.
    """
    try:
        if not folder.exists():
            folder.mkdir(mode=0o755, parents=True)
            if os.geteuid() == 0:
                os.chown(folder, USER, USER)
    except OSError as error:
        raise BackendError(f"the folder of a file system, {folder}, cannot be made: {error.strerror}") from error
    if not folder.is_dir():
        raise BackendError(f"{folder}, named as the folder of a file system, is no folder")


def user_of(folders: Iterable[Path]) -> int | None:
    """The user that an environment with these folders is to be where there is a choice; None when it does not matter.

    Raises:
        BackendError: a folder cannot be looked at.
    """
    for folder in folders:
        try:
            return folder.stat().st_uid or USER
        except OSError as error:
            raise BackendError(f"the folder of a file system, {folder}: {error.strerror}") from error
    return None


def read_only(folder: Path) -> str | None:
    """Why functions cannot write to a folder, with the mend; None when they can."""
    facts = folder.stat()
    root = os.geteuid() == 0
    if facts.st_mode & stat.S_IWOTH or (facts.st_uid != 0 if root else os.access(folder, os.W_OK)):
        return None
    mend = f"chown {USER} {folder}" if root else f"chmod o+w {folder}"
    return f"functions can only read {folder}, which belongs to user {facts.st_uid}; to let them write: {mend}"
