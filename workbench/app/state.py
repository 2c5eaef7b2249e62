"""A project's state folder without an engine."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

from workbench.client.project import Project
from workbench.model.errors import StateError
from workbench.store.folder import StateFolder, own_folder
from workbench.store.history import HistoryFile
from workbench.store.prune import Pruned, size_of
from workbench.store.sqlite import SqliteStore


def engine_log(project: Project) -> int:
    """The open log file of an engine that is started in the background, never through a link.

    Raises:
        StateError: the state folder or the file cannot be used.
    """
    own_folder(project.state)
    path = project.state / "engine.log"
    try:
        return os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StateError(f"cannot use {path}: {error.strerror}", mend="remove it if it is a link") from error


def prune(project: Project, history: float) -> Pruned:
    """Take out of a state folder what nothing refers to, and history that is older than so many seconds.

    Raises:
        StateLocked: an engine runs.
        StateError: the folder cannot be used.
    """
    with closing(StateFolder(project.state)) as folder:
        places = [project.state / name for name in ("code", "trees")] + list(project.state.glob("history.db*"))
        before = size_of(*places)
        store = SqliteStore(folder)
        past = HistoryFile(project.state, invocations=project.history_invocations, size=project.history_bytes)
        with closing(store), closing(past):
            archives, trees = store.prune()
            invocations, damaged = past.prune(time.time() - history)
        return Pruned(archives, trees, invocations, damaged, max(0, before - size_of(*places)))


@contextmanager
def past(project: Project) -> Iterator[HistoryFile]:
    """The history of a project without an engine, to be looked at only."""
    history = HistoryFile(project.state, read_only=True)
    try:
        yield history
    finally:
        history.close()
