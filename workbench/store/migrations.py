"""The steps that bring a database to the present format, counted in its `user_version`."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path

from workbench.model.errors import StateError


def migrate(db: sqlite3.Connection, file: Path, steps: Sequence[str]) -> None:
    """Run the steps that this database has not seen, each in a transaction of its own.

    Raises:
        StateError: a newer Workbench wrote it.
    """
    at = db.execute("PRAGMA user_version").fetchone()[0]
    if at > len(steps):
        raise StateError(f"{file} was written by a newer Workbench", mend="upgrade Workbench")
    for number, script in enumerate(steps[at:], start=at + 1):
        db.executescript(f"BEGIN IMMEDIATE; {script} PRAGMA user_version = {number}; COMMIT;")
