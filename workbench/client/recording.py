"""Recordings: the live stream in a file, and an engine that is only a recording. docs/live.md has the format."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from workbench.client.port import EnginePort
from workbench.live.past import PastOfDeltas
from workbench.live.view import CELLS, FORMAT, Cell, Delta, EngineStatus, Past
from workbench.model.codec import decode, decode_json, encode, encode_json
from workbench.model.errors import ResourceNotFound, UsageError
from workbench.model.functions import Alias, FunctionVersion

#: What the first line says it is, and the version of that line.
KIND, VERSION = "workbench recording", 1
#: Bytes of a line beyond which a file is no recording of ours.
MAX_LINE = 128_000_000
#: What of a function's view tells that its versions or aliases are others now.
_PUBLISHED = ("state", "runtime", "handler", "memory_size", "timeout", "versions", "aliases", "dirty")
_PUBLISHED_LINE = b'{"published"'
#: Deltas, and bytes of them, after which a frame has taken in enough, so that keys are answered while a dense recording
#: is played; and lines of log that it hands on.
_AT_ONCE, _BYTES, _LOGS = 250, 4_000_000, 10_000
#: Bytes that are read at once: a line can have half a million.
_BUFFER = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A function's versions and aliases, which the live view only names."""

    function: str
    versions: tuple[FunctionVersion, ...]
    aliases: tuple[Alias, ...]


# -- writing
class Tape:
    """A recording that is being made. `trouble` says why it ended early; what was written until then can be played."""

    def __init__(self, path: Path) -> None:
        """Begin a new file.

        Raises:
            UsageError: there is one already, or it cannot be written.
        """
        self.path = path
        self.deltas = 0
        self.trouble = ""
        self._begun = False
        self._last: Delta | None = None
        self._written: int | None = None
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise UsageError(f"cannot record into {path}: {error.strerror}") from error
        self._file = os.fdopen(descriptor, "wb")

    def begin(self, status: EngineStatus) -> None:
        """Write the first line; only the first engine counts."""
        if not self._begun:
            self._begun = True
            self._write({"kind": KIND, "v": VERSION, "status": status})

    def take(self, delta: Delta) -> None:
        """Write a delta if it says anything."""
        self._last = delta
        if not delta.empty:
            self.deltas += 1
            self._written = delta.t_mono_ns
            self._write(delta)

    def publish(self, published: Published) -> None:
        """Write the versions and aliases that the next delta is about."""
        self._write({"published": published})

    def close(self) -> None:
        """End the file with the moment of the last delta that was seen, so that a quiet end is as long as it was."""
        last = self._last
        if last is not None and last.empty and last.t_mono_ns != self._written:
            self._write(last)
        try:
            self._file.close()
        except OSError as error:
            self._end(error)

    def _write(self, value: Any) -> None:
        if self.trouble:
            return
        try:
            self._file.write(encode_json(value) + b"\n")
            self._file.flush()
        except OSError as error:
            self._end(error)

    def _end(self, error: OSError) -> None:
        self.trouble = self.trouble or f"{self.path}: {error.strerror}"


class _Recorded:
    """An engine whose deltas are recorded on their way to the face that asks for them."""

    def __init__(self, port: EnginePort, tape: Tape) -> None:
        self._port = port
        self._tape = tape
        self._known: dict[str, object] = {}

    async def status(self) -> EngineStatus:
        status = await self._port.status()
        self._tape.begin(status)
        return status

    async def changes(self, since: int) -> Delta:
        delta = await self._port.changes(since)
        for view in delta.functions:
            facts = encode([getattr(view, name) for name in _PUBLISHED])
            if self._known.get(view.name) != facts:
                self._known[view.name] = facts
                await self._publish(view.name)
        self._tape.take(delta)
        return delta

    async def _publish(self, name: str) -> None:
        try:
            versions, aliases = await self._port.list_versions(name), await self._port.list_aliases(name)
        except ResourceNotFound:  # deleted meanwhile: a later delta says so
            return
        self._tape.publish(Published(function=name, versions=versions, aliases=aliases))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._port, name)


def recorded(port: EnginePort, tape: Tape) -> EnginePort:
    """The same engine; what a face pulls from it goes to the tape too. It asks for `status` before `changes`."""
    made: Any = _Recorded(port, tape)
    engine: EnginePort = made
    return engine


# -- playing
class Player:
    """A recording as an engine that can only be watched: its clock is the recording's, `speed` times as fast.

    The file is read as it is played, one line ahead. `problem` says where it turned out to be damaged; it ends there.
    """

    def __init__(self, path: Path, *, speed: float = 1.0, now: Callable[[], float] = time.monotonic) -> None:
        """Open a file and read its beginning.

        Raises:
            UsageError: it cannot be read, is no recording, or a newer Workbench made it; with the line.
        """
        self.problem = ""
        self.paused = False
        self._path = path
        self._speed = speed
        self._now = now
        self._line = 0
        #: Versions and aliases as of the last delta, and those that come with the next one.
        self._published: dict[str, Published] = {}
        self._publishing: dict[str, Published] = {}
        try:
            self._file = path.open("rb", buffering=_BUFFER)
        except OSError as error:
            raise UsageError(f"cannot read {path}: {error.strerror}") from error
        try:
            self._status = self._header()
            first = self._read()
            if first is None or not first.full:
                self._line += first is None
                raise ValueError("a recording begins with everything there is")
        except ValueError as error:
            self._file.close()
            raise UsageError(f"{path}:{self._line}: {error}") from error
        #: The delta to come, and when: nanoseconds since the beginning.
        self._next: Delta | None = first
        self._next_at = 0
        self._last, self._last_at = first, 0
        self._past = PastOfDeltas()
        self._position = 0.0
        self._moved = now()
        #: Changes to go to that nobody has pulled yet: keys may come faster than a face pulls.
        self._steps = 0

    # -- what a person does
    @property
    def ended(self) -> bool:
        """Is there nothing more to come?"""
        return self._next is None

    def pause(self) -> None:
        """Hold still, or go on."""
        self._move()
        self.paused = not self.paused

    def step(self) -> None:
        """Go to the next change, and hold still there."""
        self._move()
        self.paused = True
        self._steps += 1

    def close(self) -> None:
        self._file.close()

    def _move(self) -> None:
        now = self._now()
        if not self.paused and self._next is not None:
            self._position += (now - self._moved) * self._speed * 1e9
        self._moved = now

    # -- what a face asks
    async def status(self) -> EngineStatus:
        return self._status

    async def changes(self, since: int) -> Delta:
        self._move()
        delta: Delta | None = None
        taken, enough = 0, self._file.tell() + _BYTES if self._next is not None else 0
        while self._next is not None and taken < _AT_ONCE and self._file.tell() < enough:
            if self._next_at > self._position:
                if not self._steps:
                    break
                self._steps -= 1
                self._position = float(self._next_at)
            delta = self._next if delta is None else merge(delta, self._next)
            taken += 1
            self._advance()
            await asyncio.sleep(0.001)  # a key that has arrived need not wait for all of them
        if delta is not None:
            self._past.take(delta)
            return delta
        ahead, last = self._ahead, self._last
        return Delta(
            seq=last.seq, t_mono_ns=last.t_mono_ns + ahead, wall=last.wall + ahead / 1e9, totals=replace(last.totals)
        )

    @property
    def _ahead(self) -> int:
        """Nanoseconds since the last delta."""
        return max(0, int(self._position) - self._last_at) if self._next is not None else 0

    async def past(self, function: str | None) -> Past:
        """What has been played of the last ten minutes."""
        return self._past.told(self._last.t_mono_ns + self._ahead, function)

    async def list_versions(self, name: str) -> tuple[FunctionVersion, ...]:
        return self._of(name).versions

    async def list_aliases(self, function: str) -> tuple[Alias, ...]:
        return self._of(function).aliases

    def _of(self, function: str) -> Published:
        found = self._published.get(function)
        if found is None:
            raise ResourceNotFound(f"the recording does not hold the versions of '{function}'")
        return found

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or not hasattr(EnginePort, name):
            raise AttributeError(name)

        async def refuse(*args: Any, **kwargs: Any) -> Any:
            raise UsageError("this is a recording: there is no engine that could do it")

        return refuse

    # -- the file
    def _advance(self) -> None:
        """The next delta becomes the last one. A clock that goes back is another engine's: it takes no time."""
        assert self._next is not None
        self._last, self._last_at = self._next, self._next_at
        self._published |= self._publishing
        self._publishing = {}
        try:
            self._next = self._read()
        except ValueError as error:
            self._next, self.problem = None, f"{self._path}:{self._line}: {error}"
        if self._next is None:
            self._file.close()
        else:
            self._next_at += max(0, self._next.t_mono_ns - self._last.t_mono_ns)

    def _header(self) -> EngineStatus:
        line = self._readline()
        if line is None:
            self._line = 1
            raise ValueError("the file is empty")
        data = self._json(line)
        if not isinstance(data, dict) or data.get("kind") != KIND:
            raise ValueError("this is no recording of Workbench")
        if not isinstance(data.get("v"), int) or data["v"] > VERSION:
            raise ValueError("a newer Workbench made this recording: upgrade Workbench")
        status: EngineStatus = decode(EngineStatus, data.get("status"))
        return replace(status, backend_why=f"a recording: {self._path.name}", urls={})

    def _read(self) -> Delta | None:
        """The next line; None at the end.

        Raises:
            ValueError: it is no delta, or not whole.
        """
        while (line := self._readline()) and line.startswith(_PUBLISHED_LINE):
            published: Published = decode(Published, self._json(line)["published"])
            self._publishing[published.function] = published
        if line is None:
            return None
        try:
            delta: Delta = decode_json(Delta, line)
        except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
            raise ValueError(f"damaged: {error}") from error
        if delta.v > FORMAT:
            raise ValueError("a newer Workbench made this recording: upgrade Workbench")
        return delta

    def _readline(self) -> bytes | None:
        try:
            line = self._file.readline(MAX_LINE)
        except OSError as error:
            raise ValueError(str(error.strerror)) from error
        if not line:
            return None
        self._line += 1
        if not line.endswith(b"\n"):
            raise ValueError("the line is too long" if len(line) == MAX_LINE else "the recording breaks off here")
        return line

    def _json(self, line: bytes) -> Any:
        try:
            return json.loads(line)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"damaged: {error}") from error


def player_port(player: Player) -> EnginePort:
    """A player as the port; what it cannot do it refuses."""
    made: Any = player
    port: EnginePort = made
    return port


def merge(before: Delta, after: Delta) -> Delta:
    """Two deltas in a row as one. The objects of both are taken over."""
    if after.full:
        return after
    environments = {view.id: view for view in before.environments}
    for view in after.environments:
        known = environments.pop(view.id, None)
        if known is not None:
            view.timeline = _cells(known.timeline, view.timeline)
        environments[view.id] = view
    functions = {view.name: view for view in before.functions} | {view.name: view for view in after.functions}
    # A delta lists its entities by their last change.
    invocations = {view.request_id: view for view in before.invocations}
    for invocation in after.invocations:
        invocations.pop(invocation.request_id, None)
        invocations[invocation.request_id] = invocation
    tables: dict[str, dict[str, Any]] = {
        "functions": functions,
        "environments": environments,
        "invocations": invocations,
    }
    changed = {
        "functions": {view.name for view in after.functions},
        "environments": {view.id for view in after.environments},
        "invocations": {view.request_id for view in after.invocations},
    }
    gone = {kind: [key for key in keys if key not in changed.get(kind, ())] for kind, keys in before.gone.items()}
    for kind, keys in after.gone.items():
        gone.setdefault(kind, []).extend(keys)
        for key in keys:
            tables.get(kind, {}).pop(key, None)
    return replace(
        after,
        full=before.full,
        functions=list(functions.values()),
        environments=list(environments.values()),
        invocations=list(invocations.values()),
        logs=[*before.logs, *after.logs][-_LOGS:],
        gone=gone,
    )


def _cells(before: list[Cell], after: list[Cell]) -> list[Cell]:
    cells = {cell.index: cell for cell in before} | {cell.index: cell for cell in after}
    return list(cells.values())[-CELLS:]
