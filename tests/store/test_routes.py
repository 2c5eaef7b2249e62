"""Routes last: by source, the newest source at the end, also in a state folder of the first version."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path

from workbench.model.routes import ApiKind, Route
from workbench.store.folder import StateFolder
from workbench.store.sqlite import MIGRATIONS, SqliteStore

ROUTE = Route(
    method="GET", path="/ä", function="f", qualifier="live", kind=ApiKind.REST, payload="1.0", stage="Prod", api="a",
    timeout=29.0, binary=("image/*",),
)  # fmt: skip


def test_routes_come_back_as_they_were(tmp_path: Path) -> None:
    other = (replace(ROUTE, path="/b"), replace(ROUTE, path="/c", timeout=None))
    store = SqliteStore(StateFolder(tmp_path / "state"))
    store.put_routes("one", (ROUTE,))
    store.put_routes("two", other)
    store.put_routes("gone", other)
    store.put_routes("gone", ())
    store.put_routes("one", (ROUTE,))
    store.close()
    again = SqliteStore(StateFolder(tmp_path / "state"))
    assert list(again.routes().items()) == [("two", other), ("one", (ROUTE,))]
    again.close()


def test_a_folder_of_the_first_version_gets_its_table(tmp_path: Path) -> None:
    StateFolder(tmp_path / "state").close()
    file = tmp_path / "state" / "state.db"
    with sqlite3.connect(file) as database:
        database.executescript(f"{MIGRATIONS[0]} PRAGMA user_version = 1;")
    database.close()
    file.chmod(0o600)
    store = SqliteStore(StateFolder(tmp_path / "state"))
    assert store.routes() == {}
    store.put_routes("one", (ROUTE,))
    store.close()
