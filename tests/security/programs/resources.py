"""Attempts to take the machine's memory, processes, files and time from everybody else."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress

from attack import Facts, attack

MB = 1 << 20


@attack(13, bites="")
def fork_bomb(facts: Facts) -> list[str]:
    """3,000 processes are not to be had; a thousand are the limit."""
    children: list[int] = []
    try:
        for _ in range(3000):
            child = os.fork()
            if child == 0:
                signal.pause()
                os._exit(0)
            children.append(child)
    except OSError as error:
        if error.errno != errno.EAGAIN:
            return [str(error)]
    finally:
        for child in children:
            os.kill(child, signal.SIGKILL)
        for child in children:
            os.waitpid(child, 0)
    if len(children) < 100:
        return [f"only {len(children)} processes: another limit was met"]
    return [f"{len(children)} processes"] if len(children) > 1024 else []


@attack(13, bites="")
def thread_bomb(facts: Facts) -> list[str]:
    """Threads count as processes do."""
    threading.stack_size(64 << 10)
    over = threading.Event()
    started = 0
    try:
        for _ in range(3000):
            threading.Thread(target=over.wait, daemon=True).start()
            started += 1
    except RuntimeError:
        pass
    finally:
        over.set()
    return [f"{started} threads"] if started > 1024 else []


@attack(14, bites="")
def eat_memory(facts: Facts) -> list[str]:
    """Six times what it may have."""
    held = [
        bytearray(os.urandom(1 * MB))
        for _ in range(facts["times"] * int(os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]))
    ]
    return [f"{len(held)} MB"]


@attack(14, bites="")
def eat_memory_in_children(facts: Facts) -> list[str]:
    """The same, shared out among children, none of which has too much by itself."""
    code = "held = __import__('os').urandom(48 << 20); print('up', flush=True); __import__('time').sleep(60)"
    count = 6 * int(os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]) // 48
    children = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) for _ in range(count)]
    up = [child for child in children if child.stdout and child.stdout.readline()]
    return [f"{48 * len(up)} MB"] if len(up) == count else []


@attack(14, bites="")
def eat_memory_in_files(facts: Facts) -> list[str]:
    """The same in files that have no name: they are memory, too."""
    size = 6 * int(os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"])
    descriptor = os.memfd_create("bomb")
    for _ in range(size):
        os.write(descriptor, bytes(MB))
    return [f"{size} MB"]


@attack(15, bites="")
def fill_disk(facts: Facts) -> list[str]:
    """/tmp takes what is configured; nothing else takes anything."""
    got = []
    for folder, most in (
        ("/tmp", facts["tmp_size"]),
        ("/dev/shm", 0),
        ("/", 0),
        ("/dev", 0),
        ("/run", 0),
        ("/var/tmp", 0),
    ):
        path, written = f"{folder}/bomb", 0
        try:
            with open(path, "wb", buffering=0) as file:
                while written <= most:
                    file.write(bytes(MB))
                    written += 1
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EROFS, errno.ENOENT, errno.EACCES):
                got.append(f"{folder}: {error}")
        finally:
            with suppress(OSError):
                os.unlink(path)
        if written > most:
            got.append(f"{folder}: {written} MB")
        if folder == "/tmp" and written < most // 2:
            got.append(f"/tmp: no more than {written} MB")
    return got


@attack(16, bites="")
def fill_inodes(facts: Facts) -> list[str]:
    """400,000 empty files."""
    try:
        for number in range(400):
            folder = f"/tmp/inodes/{number}"
            os.makedirs(folder, exist_ok=True)
            for name in range(1000):
                os.close(os.open(f"{folder}/{name}", os.O_CREAT))
    except OSError as error:
        return [] if error.errno in (errno.ENOSPC, errno.ENOMEM) else [str(error)]
    return ["400,000 files"]


@attack(21, bites="")
def daemonize(facts: Facts) -> list[str]:
    """A process that leaves its parent, its session and its group, and does not listen to signals."""
    code = (
        "import os, signal, time\n"
        "for number in (1, 2, 3, 15): signal.signal(number, signal.SIG_IGN)\n"
        "os.setsid()\n"
        "if os.fork(): os._exit(0)\n"
        "os.chdir('/')\n"
        "while True: time.sleep(0.05)\n"
    )
    subprocess.run([sys.executable, "-c", code, facts["stray_mark"]])
    return []


@attack(23, bites="")
def overstay(facts: Facts) -> list[str]:
    """Past the timeout, deaf to signals, with children."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    code = "import signal, time; signal.signal(15, signal.SIG_IGN)\nwhile True: time.sleep(0.1)"
    for _ in range(20):
        subprocess.Popen([sys.executable, "-c", code, facts["stray_mark"]])
    while True:
        time.sleep(1)


_BURNT = [0]


@attack(24, bites="")
def burn(facts: Facts) -> list[str]:
    """A thread that counts on after the response; what it has counted is told by the next call."""
    if not _BURNT[0]:

        def count() -> None:
            while True:
                _BURNT[0] += 1

        threading.Thread(target=count, daemon=True).start()
        _BURNT[0] = 1
    return [str(_BURNT[0]), str(time.process_time())]


@attack(25, bites="")
def flood(facts: Facts) -> list[str]:
    """A line that does not end."""
    block = b"x" * MB
    for _ in range(facts["megabytes"]):
        os.write(1, block)
    return []


@attack(29, bites="")
def forge_log(facts: Facts) -> list[str]:
    """Lines as the platform writes them, of another invocation."""
    forged = facts["forged"]
    print(f"END RequestId: {forged}")
    print(f"REPORT RequestId: {forged}\tDuration: 1.00 ms\tBilled Duration: 999999 ms\tMemory Size: 1 MB", flush=True)
    return []
