"""Pruning: what nothing refers to goes, what anything refers to stays."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from tests.engine.world import archive
from tests.store.test_history import record
from tests.store.values import version
from workbench.model.functions import Code
from workbench.store.folder import StateFolder
from workbench.store.history import HistoryFile
from workbench.store.prune import size_of
from workbench.store.sqlite import SqliteStore


def test_code_that_a_version_or_its_layers_have_stays(tmp_path: Path) -> None:
    with closing(SqliteStore(StateFolder(tmp_path / "state"))) as store:
        used, one, two, old = (store.put_code(archive({f"{name}.py": name})) for name in ("used", "one", "two", "old"))
        layers = (Code(sha256=one, size=1), Code(sha256=two, size=1))
        store.put_version(version(code=Code(sha256=used, size=1), layers=layers))
        tree = store.extract_layers(layers)
        assert tree is not None
        for sha256 in (used, old):
            store.extract(sha256)
        assert store.prune() == (1, 1)
        assert not (tmp_path / "state/code" / old).exists()
        assert {path.name for path in (tmp_path / "state/code").iterdir()} == {used, one, two}
        assert {path.name for path in (tmp_path / "state/trees").iterdir()} == {used, one, two, tree.name}
        assert store.prune() == (0, 0)
        store.delete_function("f")
        assert store.prune() == (3, 4)


def test_old_history_and_damaged_files_go_and_the_file_shrinks(tmp_path: Path) -> None:
    (tmp_path / "history.db.damaged-20200101-000000").write_bytes(b"x")
    with closing(HistoryFile(tmp_path)) as history:
        history.append([record(f"old-{n}", wall=1000.0, event=b"e" * 100_000) for n in range(20)])
        history.append([record("new", wall=5000.0)])
        before = size_of(tmp_path)
        assert history.prune(2000.0) == (20, 1)
        assert [past.request_id for past in history.newest(function=None, status=None, limit=9, before=None)] == ["new"]
        assert size_of(tmp_path) < before - 2_000_000
        assert history.prune(2000.0) == (0, 0)


def test_what_was_never_there_is_not_made(tmp_path: Path) -> None:
    assert HistoryFile(tmp_path).prune(0) == (0, 0)
    assert list(tmp_path.iterdir()) == []


def test_a_file_with_two_names_counts_once_and_a_missing_one_nothing(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * 100_000)
    alone = size_of(tmp_path / "a")
    (tmp_path / "b").hardlink_to(tmp_path / "a")
    assert size_of(tmp_path / "a", tmp_path / "b", tmp_path / "nobody") == alone >= 100_000
