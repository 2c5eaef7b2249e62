"""What the attack programs share, and the handler that runs them inside a function.

A program is a function of the facts that the test knows about the host. It returns what it *got*: a line for each thing
that a boundary should have refused; nothing at all when everything was refused. These modules are a Lambda function's
code, and the tests import them for the table: standard library only, Python 3.10 and newer.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Facts = Mapping[str, Any]
Program = Callable[[Facts], list[str]]

#: What a kernel or a filter answers when it refuses.
REFUSED = (errno.EPERM, errno.ENOSYS, errno.EACCES)
LIBC = ctypes.CDLL(None, use_errno=True)
_COLUMN = {"x86_64": 0, "aarch64": 1}


@dataclass(frozen=True)
class Attack:
    """A program for a row of the threat model.

    bites: without a boundary it gets something, run by root or by an ordinary user; "" where that cannot be shown
    without harm to the machine.
    """

    row: int
    name: str
    program: Program
    bites: str


ATTACKS: dict[str, Attack] = {}


def attack(row: int, *, bites: str = "anyone") -> Callable[[Program], Program]:
    """Enter a program into the table. `bites`: "anyone", "root" or ""."""

    def enter(program: Program) -> Program:
        ATTACKS[program.__name__] = Attack(row, program.__name__, program, bites)
        return program

    return enter


class Loot(list[str]):
    """What an attack got."""

    def attempt(self, what: str, action: Callable[[], object]) -> None:
        """It should be refused; what comes back instead is loot."""
        try:
            result = action()
        except (OSError, ValueError):
            return
        self.append(f"{what}: {str(result)[:200]}")

    def call(self, what: str, number: int | None, *arguments: int | bytes | ctypes.Array[Any]) -> None:
        """A system call must be refused before it looks at its arguments, which make no sense."""
        if number is None:
            return
        ctypes.set_errno(0)
        result = LIBC.syscall(ctypes.c_long(number), *map(_argument, arguments))
        if result != -1:
            self.append(f"{what}: {result}")
        elif ctypes.get_errno() not in REFUSED:
            self.append(f"{what}: {os.strerror(ctypes.get_errno())}")

    def in_child(self, what: str, action: Callable[[], object], seconds: int = 10) -> None:
        """As `attempt`, where success would change the process."""
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            signal.alarm(seconds)
            mine = Loot()
            mine.attempt(what, action)
            os.write(writer, "\n".join(mine).encode()[:4000])
            os._exit(0)
        os.close(writer)
        with os.fdopen(reader, "rb") as pipe:
            told = pipe.read().decode()
        os.waitpid(child, 0)
        self.extend(filter(None, told.split("\n")))


def _argument(value: int | bytes | ctypes.Array[Any]) -> Any:
    return ctypes.c_long(value) if isinstance(value, int) else value


def numbers(x86_64: int | None, aarch64: int | None) -> int | None:
    """A system call's number on this processor."""
    return (x86_64, aarch64)[_COLUMN[platform.machine()]]


def libc(name: str, *arguments: Any) -> int:
    """Call the C library.

    Raises:
        OSError: it failed.
    """
    ctypes.set_errno(0)
    result: int = getattr(LIBC, name)(*arguments)
    if result == -1:
        raise OSError(ctypes.get_errno(), name)
    return result


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Run the attack that the event names."""
    import corners  # noqa: F401  # these enter their programs into the table
    import escapes  # noqa: F401
    import kernel  # noqa: F401
    import resources  # noqa: F401

    return {"got": list(ATTACKS[event["attack"]].program(event["facts"])), "id": _id()}


_HERE: list[str] = []


def _id() -> str:
    """The same for all invocations in one environment's process."""
    if not _HERE:
        _HERE.append(os.urandom(8).hex())
    return _HERE[0]
