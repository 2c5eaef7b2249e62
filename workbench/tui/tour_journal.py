"""What a tour has done, written down beside the engine's state: a tour that is cut off can be taken back later."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.model.attached import RuntimeManagement
from workbench.model.codec import decode, encode_json
from workbench.model.errors import ApiError, ResourceConflict, ResourceNotFound, UsageError
from workbench.model.functions import FunctionVersion
from workbench.model.names import FunctionRef
from workbench.tui.changes import settled

if TYPE_CHECKING:
    from workbench.client.port import EnginePort


class What(StrEnum):
    RESERVED = "reserved"
    PROVISIONED = "provisioned"
    VERSION = "version"
    DESCRIPTION = "description"
    ALIAS = "alias"
    RUNTIME = "runtime"


@dataclass(frozen=True, slots=True)
class Done:
    """One thing that was done, with what it was before. `qualifier` is the version or alias that it was done to."""

    what: What
    function: str
    qualifier: str | None = None
    reserved: int | None = None
    description: str = ""
    management: RuntimeManagement | None = None

    def __str__(self) -> str:
        match self.what:
            case What.RESERVED:
                return f"the reserved concurrency of {self.function}"
            case What.PROVISIONED:
                return f"provisioned concurrency of {self.function}:{self.qualifier}"
            case What.VERSION:
                return f"version {self.qualifier} of {self.function}"
            case What.DESCRIPTION:
                return f"the description of {self.function}"
            case What.ALIAS:
                return f"the alias {self.function}:{self.qualifier}"
            case _:
                return f"the runtime management of {self.function}"


class Journal:
    """A stack of what was done, newest last. One process has it at a time; without a `path` it is only in memory.

    A line is appended, or cut off, by one call: whenever the process ends, the file is whole.
    """

    def __init__(self, path: Path | None = None) -> None:
        """Open it, with what a tour that was cut off left in it.

        Raises:
            UsageError: another terminal UI has it, since a tour is under way there; or it is damaged.
        """
        self.done: list[Done] = []
        self._path = path
        self._file: int | None = None
        self._ends = [0]
        if path is None:
            return
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError:  # an engine of another machine or user: a tour that is cut off there is not remembered
            return
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for line in os.pread(self._file, 1_000_000, 0).splitlines(keepends=True):
                self.done.append(decode(Done, json.loads(line)))
                self._ends.append(self._ends[-1] + len(line))
        except BlockingIOError:
            self._close()
            raise UsageError("a tour is under way in another terminal UI", mend="end it there first") from None
        except ValueError as error:
            self._close()
            raise UsageError(f"{path} is damaged: {error}", mend="delete it") from error

    def push(self, done: Done) -> None:
        self.done.append(done)
        if self._file is not None:
            line = encode_json(done) + b"\n"
            os.write(self._file, line)
            self._ends.append(self._ends[-1] + len(line))

    def pop(self) -> None:
        """The newest is taken back."""
        self.done.pop()
        if self._file is not None:
            self._ends.pop()
            os.ftruncate(self._file, self._ends[-1])

    def close(self) -> None:
        """Let others have it. Where nothing is left to be taken back, no file stays."""
        if self._file is not None and self._path is not None and not self.done:
            self._path.unlink(missing_ok=True)
        self._close()

    def _close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None


def left_behind(path: Path) -> bool:
    """Was a tour cut off that left something to be taken back?"""
    try:
        if not path.stat().st_size:
            return False
        journal = Journal(path)
    except (OSError, UsageError):
        return False
    journal.close()
    return bool(journal.done)


async def take_back(port: Callable[[], EnginePort], journal: Journal) -> None:
    """Take everything back, the last first. What is gone already is no error.

    Raises:
        ApiError: something could not be taken back; the rest was.
        EngineGone: the engine did not answer; what is left stays in the journal.
    """
    failed: ApiError | None = None
    while journal.done:
        try:
            await _take_back(port(), journal.done[-1])
        except ResourceNotFound:
            pass  # its function, version or alias is gone
        except ApiError as error:
            failed = failed or error
        journal.pop()
    if failed is not None:
        raise failed


async def _take_back(port: EnginePort, done: Done) -> None:
    ref = FunctionRef(done.function, done.qualifier)
    match done.what:
        case What.RESERVED:
            await port.put_concurrency(ref, done.reserved)
        case What.PROVISIONED:
            await port.delete_provisioned_concurrency(ref)
        case What.VERSION:
            await port.delete_function(ref)
        case What.ALIAS:
            await port.delete_alias(done.function, done.qualifier or "")
        case What.RUNTIME:
            await port.put_runtime_management(ref, done.management or RuntimeManagement())
        case What.DESCRIPTION:
            now = (await port.get_function(ref)).configuration
            before = replace(now, description=done.description)
            await patiently(port, done.function, lambda: port.update_function_configuration(done.function, before))


async def patiently(
    port: EnginePort, function: str, change: Callable[[], Awaitable[FunctionVersion]]
) -> FunctionVersion:
    """Make a change when the one before has settled; an update takes a moment, as on AWS."""
    await settled(port, function)
    try:
        return await change()
    except ResourceConflict:  # another's update came between
        await settled(port, function)
        return await change()
