"""Layers in the store: numbers, and trees over one another."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.engine.world import archive
from workbench.model.errors import StateError
from workbench.model.functions import Code
from workbench.model.layers import LayerPolicy, LayerStatement, LayerVersion
from workbench.store import layers
from workbench.store.folder import StateFolder
from workbench.store.sqlite import SqliteStore


@pytest.fixture
def open_store(tmp_path: Path) -> Iterator[Callable[[], SqliteStore]]:
    opened: list[SqliteStore] = []

    def open_() -> SqliteStore:
        if opened:
            opened.pop().close()
        opened.append(SqliteStore(StateFolder(tmp_path / "state")))
        return opened[0]

    yield open_
    opened.pop().close()


def version(number: int, name: str = "l") -> LayerVersion:
    statement = LayerStatement(id="s", action="lambda:GetLayerVersion", principal="*", organization_id="o-0123456789")
    return LayerVersion(
        name=name,
        version=number,
        code=Code(sha256="0" * 64, size=3),
        created=1.5,
        description="ä",
        runtimes=("python3.12",),
        policy=LayerPolicy(statements=(statement,), revision_id="r"),
    )


def put(store: SqliteStore, files: dict[str, str]) -> Code:
    zipped = archive(files)
    return Code(sha256=store.put_code(zipped), size=len(zipped))


def files_of(tree: Path) -> dict[str, str]:
    return {str(path.relative_to(tree)): path.read_text() for path in tree.rglob("*") if path.is_file()}


def test_what_was_published_is_there_again(open_store: Callable[[], SqliteStore]) -> None:
    store = open_store()
    made = [store.layers.publish(name, lambda number, name=name: version(number, name)) for name in ("l", "k", "l")]
    assert [(layer.name, layer.version) for layer in made] == [("l", 1), ("k", 1), ("l", 2)]
    assert open_store().layers.load() == [made[1], made[0], made[2]]


def test_no_number_is_given_twice(open_store: Callable[[], SqliteStore]) -> None:
    store = open_store()
    for expected in (1, 2, 3):
        assert store.layers.publish("l", version).version == expected
        store.layers.delete("l", expected)
        store = open_store()
    assert store.layers.load() == []


def test_damage_is_named(open_store: Callable[[], SqliteStore]) -> None:
    store = open_store()
    store._db.execute("INSERT INTO layers VALUES ('l', 1, '{}')")
    with pytest.raises(StateError, match="the layers in the state folder are damaged"):
        store.layers.load()


@pytest.mark.parametrize(
    ("trees", "merged"),
    [
        ([{"a": "1", "b/c": "1"}, {"a": "2", "b/d": "2"}], {"a": "2", "b/c": "1", "b/d": "2"}),
        ([{"a": "1"}, {"a": "2"}, {"a": "3"}], {"a": "3"}),
        ([{"x": "file"}, {"x/y": "2"}], {"x/y": "2"}),
        ([{"x/y": "1", "x/z": "1"}, {"x": "file"}], {"x": "file"}),
        ([{"python/a.py": "1"}], {"python/a.py": "1"}),
    ],
)
def test_later_layers_lie_on_top(
    open_store: Callable[[], SqliteStore], trees: list[dict[str, str]], merged: dict[str, str]
) -> None:
    store = open_store()
    codes = tuple(put(store, files) for files in trees)
    tree = store.extract_layers(codes)
    assert tree is not None
    assert files_of(tree) == merged
    assert store.extract_layers(codes) == tree
    assert open_store().extract_layers(codes) == tree
    assert [files_of(store.extract(code.sha256)) for code in codes] == trees


def test_the_order_makes_another_tree(open_store: Callable[[], SqliteStore]) -> None:
    store = open_store()
    one, two = put(store, {"a": "1"}), put(store, {"a": "2"})
    assert [files_of(store.extract_layers(order) or Path()) for order in ((one, two), (two, one))] == [
        {"a": "2"},
        {"a": "1"},
    ]
    assert store.extract_layers(()) is None


def test_links_are_laid_as_links_and_never_followed(tmp_path: Path) -> None:
    outside, one, two = (tmp_path / name for name in ("outside", "one", "two"))
    for folder in (outside, one, two / "lib"):
        folder.mkdir(parents=True)
    (one / "lib").symlink_to(outside)
    (one / "tool").symlink_to("lib/tool")
    (two / "lib" / "tool").write_text("2")
    target = tmp_path / "merged"
    layers.merge([one, two], target)
    assert list(outside.iterdir()) == []
    assert (target / "tool").is_symlink()
    assert (target / "tool").read_text() == "2"


def test_programs_stay_programs_and_a_file_system_without_links_gets_copies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: object, **options: object) -> None:
        raise PermissionError("no hard links here")

    tree = tmp_path / "tree"
    (tree / "bin").mkdir(parents=True)
    (tree / "bin" / "tool").write_text("x")
    (tree / "bin" / "tool").chmod(0o755)
    monkeypatch.setattr(os, "link", refuse)
    layers.merge([tree, tree], tmp_path / "merged")
    copy = tmp_path / "merged" / "bin" / "tool"
    assert (copy.read_text(), copy.stat().st_mode & 0o777, copy.stat().st_nlink) == ("x", 0o755, 1)


def test_a_full_disk_leaves_nothing(open_store: Callable[[], SqliteStore], monkeypatch: pytest.MonkeyPatch) -> None:
    store = open_store()
    codes = (put(store, {"a": "1"}), put(store, {"b": "2"}))

    def full(source: Path, place: Path) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(layers, "_link", full)
        with pytest.raises(StateError, match="No space left"):
            store.extract_layers(codes)
    assert list(store._trees.glob(".*")) == []
    assert files_of(store.extract_layers(codes) or Path()) == {"a": "1", "b": "2"}
