"""Attempts to get out of an environment. `python escapes.py BACKEND-MODULE` prints what came of each as JSON.

Each attempt is a program that runs as a function would; it prints `held`, or what it got. The full set, with an attempt
for every row of the threat model, belongs to the security tests; these are the ones that a change here breaks first.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
import tempfile
from pathlib import Path

from workbench.testing import conformance
from workbench.testing.kit import Subject

ABSTRACT = f"\0workbench-escape-{os.getpid()}"

#: What attempts share: `got` collects what should not have worked.
PRELUDE = """
import os, socket, sys
got = []
def attempt(what, action):
    try: result = action()
    except (OSError, ValueError): return
    got.append((what, result))
"""
CONCLUSION = "\nprint('held' if not got else got, flush=True)\n"

ATTEMPTS = {
    "read_shadow": """
for path in ("/etc/shadow", "/etc/gshadow", "/proc/1/root/etc/shadow", "/proc/self/root/etc/shadow",
             "/var/task/../../etc/shadow", "/tmp/../etc/shadow", "/etc/sudoers", "/etc/ssh"):
    attempt(path, lambda: os.stat(path))
""",
    "read_home": """
for path in (HOME, "/root", "/home", "/mnt", "/media", "/srv", "/var/lib", "/run/user", "/run/docker.sock"):
    attempt(path, lambda: os.listdir(path) if os.path.isdir(path) else os.stat(path))
""",
    "write_outside_tmp": """
for folder in ("/", "/etc", "/usr", "/usr/bin", "/var", "/var/task", "/var/runtime", "/var/lang", "/opt", "/dev",
               "/dev/shm", "/run", "/run/workbench", "/proc", "/sys"):
    attempt(folder, lambda: open(folder + "/canary", "w"))
for path in ("/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger", "/proc/self/exe", "/run/workbench/init.py",
             "/etc/passwd", "/etc/hosts"):
    attempt(path, lambda: open(path, "r+"))
attempt("remove", lambda: os.unlink("/var/task/file"))
""",
    "see_other_processes": """
pids = {int(name) for name in os.listdir("/proc") if name.isdecimal()}
if pids - {1, os.getpid()}: got.append(sorted(pids))
""",
    "touch_init": """
for name in ("environ", "mem", "maps", "fd/0", "cwd/x", "root/etc/hosts"):
    attempt(name, lambda: open("/proc/1/" + name).read(1))
attempt("fd", lambda: os.listdir("/proc/1/fd"))
for number in (1, 2, 9, 15, 19, 10, 12): attempt("", lambda: os.kill(1, number))
got = [entry for entry in got if entry[0]]
""",
    "have_capabilities": """
for line in open("/proc/self/status"):
    name, _, value = line.partition(":")
    if name.startswith("Cap") and int(value, 16): got.append(line)
    if name == "NoNewPrivs" and int(value) != 1: got.append(line)
    if name == "Seccomp" and int(value) != 2: got.append(line)
    if name == "Groups" and "0" in value.split(): got.append(line)
""",
    "be_root": """
if 0 in (*os.getresuid(), *os.getresgid()): got.append(os.getresuid())
for user in (0, 1): attempt(user, lambda: os.setuid(user))
attempt("groups", lambda: os.setgroups([0]))
""",
    "make_namespaces": """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
for flag in (0x10000000, 0x20000, 0x40000000, 0x20000000, 0x10000000 | 0x20000):
    if libc.unshare(flag) == 0: got.append(hex(flag))
for number in (56, 435):  # clone with CLONE_NEWUSER and SIGCHLD, clone3
    if number == 56 and (pid := libc.syscall(56, 0x10000011, 0, 0, 0, 0)) >= 0:
        if pid == 0: os._exit(0)
        got.append("clone")
if libc.mount(b"none", b"/tmp", b"tmpfs", 0, None) == 0: got.append("mount")
if libc.chroot(b"/tmp") == 0: got.append("chroot")
if libc.ptrace(16, 1, 0, 0) == 0: got.append("ptrace")
""",
    "reach_the_host_s_loopback": """
attempt("loopback", lambda: socket.create_connection(("127.0.0.1", PORT), 1))
interfaces = [name for _, name in socket.if_nameindex()]
if interfaces != ["lo"]: got.append(interfaces)
attempt("internet", lambda: socket.create_connection(("192.0.2.1", 80), 1))
""",
    "reach_the_host_s_abstract_sockets": """
peer = socket.socket(socket.AF_UNIX)
attempt("abstract", lambda: peer.connect(ABSTRACT))
""",
    "reach_a_terminal": """
attempt("tty", lambda: open("/dev/tty"))
attempt("console", lambda: open("/dev/console"))
if any(os.isatty(fd) for fd in range(3)): got.append("isatty")
""",
    "open_odd_sockets": """
for family in (17, 38, 40):  # packet, alg, vsock
    attempt(family, lambda: socket.socket(family, socket.SOCK_RAW if family == 17 else socket.SOCK_SEQPACKET))
attempt("raw", lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1))
""",
    "fork_without_end": """
import time
children = 0
for _ in range(1100):
    try: pid = os.fork()
    except OSError: break
    if pid == 0: time.sleep(30); os._exit(0)
    children += 1
else: got.append(children)
if children < 500: got.append(children)
""",
}


async def run_all(backend: str) -> dict[str, str]:
    """What came of each attempt, in one environment."""
    results: dict[str, str] = {}

    async def attempts(subject: Subject) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_UNIX) as abstract:
            abstract.bind(ABSTRACT)
            abstract.listen()
            names = {"HOME": str(Path.home()), "PORT": server.getsockname()[1], "ABSTRACT": ABSTRACT}
            known = "".join(f"{name} = {value!r}\n" for name, value in names.items())
            for name, code in ATTEMPTS.items():
                async with subject.environment(memory_size=1024) as running:
                    program = await running.start(known + PRELUDE + code + CONCLUSION)
                    results[name] = (await program.output.all()).strip()

    with tempfile.TemporaryDirectory() as folder:
        await conformance.run(attempts, conformance.find(backend), Path(folder))
    return results


if __name__ == "__main__":
    print(json.dumps(asyncio.run(run_all(sys.argv[1]))))
