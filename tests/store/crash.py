"""Writers that are killed: `python -m tests.store.crash FOLDER SECONDS SEED` prints how often, or what was lost.

One process forks a writer, kills it at a random moment, opens the folder again and compares what it finds with what was
acknowledged; over and over on the same folder. The write in hand may have happened or not, and nothing else may differ.
"""

from __future__ import annotations

import hashlib
import io
import os
import random
import signal
import sys
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.store.values import alias, event, version
from workbench.model.functions import Alias, Code, FunctionVersion
from workbench.model.invocations import QueuedEvent
from workbench.store.folder import StateFolder
from workbench.store.sqlite import SqliteStore

#: Kills, however long they take on a busy machine.
AT_LEAST = 25


@dataclass
class Records:
    """What should be there."""

    versions: dict[tuple[str, str], FunctionVersion] = field(default_factory=dict)
    aliases: dict[tuple[str, str], Alias] = field(default_factory=dict)
    events: dict[str, QueuedEvent] = field(default_factory=dict)
    numbers: dict[str, int] = field(default_factory=dict)


def archive(number: int) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as package:
        for part in range(3):
            package.writestr(zipfile.ZipInfo(f"{part}.py"), f"{number}-{part}" * 50)
    return buffer.getvalue()


def write(step: int, store: SqliteStore | None, records: Records) -> None:
    """One step of the history, done to the store if there is one, and to the records."""
    name = f"f{step % 3}"
    match step % 8:
        case 0 | 1:
            # The store puts the code before the version that names it, as the engine does.
            code = archive(step)
            sha256 = store.put_code(code) if store else _sha256(code)
            made = version(name, revision_id=str(step), code=Code(sha256=sha256, size=len(code)))
            if store:
                store.put_version(made)
            records.versions[made.key] = made
        case 2 | 3:
            number = records.numbers.get(name, 1)
            made = version(name, str(number), revision_id=str(step), code=_code(records, name))
            if store:
                published = store.publish(name, lambda next_: replace(made, version=str(next_)))
                assert published == made, f"{published.version} instead of {number}"
            records.numbers[name] = number + 1
            records.versions[made.key] = made
        case 4:
            changed = alias(function=name, revision_id=str(step))
            if store:
                store.put_alias(changed)
            records.aliases[name, changed.name] = changed
        case 5:
            queued = event(str(step), payload=b"%d" % step * 1000)
            if store:
                store.put_event(queued)
            records.events[queued.request_id] = queued
        case 6:
            if store:
                store.delete_event(str(step - 9))
            records.events.pop(str(step - 9), None)
        case 7:
            if step % 56 == 7:
                if store:
                    store.delete_function(name)
                records.versions = {key: value for key, value in records.versions.items() if key[0] != name}
                records.aliases = {key: value for key, value in records.aliases.items() if key[0] != name}
            elif store:
                for known in records.versions.values():
                    if known.version == "$LATEST":
                        store.extract(known.code.sha256)


def _code(records: Records, name: str) -> Code:
    latest = records.versions.get((name, "$LATEST"))
    return latest.code if latest else Code(sha256=_sha256(archive(0)), size=0)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def found(store: SqliteStore) -> Records:
    versions, aliases, events = store.load()
    return Records(
        {one.key: one for one in versions},
        {(one.function, one.name): one for one in aliases},
        {one.request_id: one for one in events},
    )


def same(one: Records, other: Records) -> bool:
    return (one.versions, one.aliases, one.events) == (other.versions, other.aliases, other.events)


def writer(path: Path, steps: Iterator[int], records: Records, acknowledge: int) -> None:
    store = SqliteStore(StateFolder(path))
    for step in steps:
        write(step, store, records)
        os.write(acknowledge, b".")


def main(path: Path, seconds: float, seed: int) -> str:
    rng = random.Random(seed)
    end = time.monotonic() + seconds
    records, done, kills = Records(), 0, 0
    while kills < AT_LEAST or time.monotonic() < end:
        read, acknowledge = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                os.close(read)
                writer(path, iter(range(done, 10**9)), records, acknowledge)
            finally:
                os._exit(1)
        os.close(acknowledge)
        os.read(read, 1)
        time.sleep(rng.random() * 0.03)
        os.kill(child, signal.SIGKILL)
        acknowledged = 1
        while dots := os.read(read, 65536):
            acknowledged += len(dots)
        os.close(read)
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status):
            return f"the writer ended by itself near step {done + acknowledged}"
        for step in range(done, done + acknowledged):
            write(step, None, records)
        done += acknowledged
        store = SqliteStore(StateFolder(path))
        there = found(store)
        if not same(there, records):
            write(done, None, records)
            done += 1
            if not same(there, records):
                return f"after step {done} the store has neither what was acknowledged nor one step more"
        for known in there.versions.values():
            store.code(known.code.sha256)
            tree = path / "trees" / known.code.sha256
            if tree.exists() and len(list(tree.iterdir())) != 3:
                return f"{tree} is incomplete"
        store.close()
        kills += 1
    return f"{kills} kills, {done} writes"


if __name__ == "__main__":
    print(main(Path(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])))
