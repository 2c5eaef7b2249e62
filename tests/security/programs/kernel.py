"""Attempts at the kernel: what a call must not reach, with arguments that do no harm where it is reached."""

from __future__ import annotations

import ctypes
import fcntl
import os
import resource
import socket
import stat
import struct
import subprocess
import sys
import time
from contextlib import suppress

from attack import LIBC, Facts, Loot, attack, libc, numbers

NO_PROCESS = 0x7FFFFFFF
NEW_NAMESPACES = {
    "time": 0x80,
    "mount": 0x20000,
    "cgroup": 0x2000000,
    "uts": 0x4000000,
    "ipc": 0x8000000,
    "user": 0x10000000,
    "pid": 0x20000000,
    "net": 0x40000000,
}


@attack(6)
def trace_calls(facts: Facts) -> list[str]:
    got = Loot()
    got.call("ptrace", numbers(101, 117), 16, NO_PROCESS, 0, 0)
    got.call("process_vm_readv", numbers(310, 270), NO_PROCESS, 0, 0, 0, 0, 0)
    got.call("process_vm_writev", numbers(311, 271), NO_PROCESS, 0, 0, 0, 0, 0)
    got.call("process_madvise", 440, -1, 0, 0, 0, 0)
    got.call("pidfd_getfd", 438, -1, 0, 0)
    got.call("kcmp", numbers(312, 272), NO_PROCESS, NO_PROCESS, 0, 0, 0)
    got.call("move_pages", numbers(279, 239), NO_PROCESS, 0, 0, 0, 0, 0)
    got.call("migrate_pages", numbers(256, 238), NO_PROCESS, 0, 0, 0)
    for pid in (1, facts["victim"]):  # PTRACE_SEIZE: it does not stop what it gets hold of
        got.in_child(f"ptrace {pid}", lambda pid=pid: libc("ptrace", 0x4206, pid, 0, 0))
    return got


@attack(7)
def mount_ops(facts: Facts) -> list[str]:
    got = Loot()
    got.call("mount", numbers(165, 40), 0, 0, 0, 0, 0)
    got.call("umount2", numbers(166, 39), 0, 0)
    got.call("pivot_root", numbers(155, 41), 0, 0)
    got.call("chroot", numbers(161, 51), 0)
    got.call("open_tree", 428, -1, 0, 0)
    got.call("move_mount", 429, -1, 0, -1, 0, 0)
    got.call("fsopen", 430, 0, 0)
    got.call("fsconfig", 431, -1, 0, 0, 0, 0)
    got.call("fsmount", 432, -1, 0, 0)
    got.call("fspick", 433, -1, 0, 0)
    got.call("mount_setattr", 442, -1, 0, 0, 0, 0)
    got.call("statmount", 457, 0, 0, 0, 0)
    got.call("listmount", 458, 0, 0, 0, 0)
    got.call("open_tree_attr", 467, -1, 0, 0, 0, 0)
    got.call("name_to_handle_at", numbers(303, 264), -1, 0, 0, 0, 0)
    got.call("open_by_handle_at", numbers(304, 265), -1, 0, 0)
    for what, action in {
        "tmpfs": lambda: libc("mount", b"none", b"/tmp", b"tmpfs", 0, None),
        "proc": lambda: libc("mount", b"proc", b"/tmp", b"proc", 0, None),
        "cgroup": lambda: libc("mount", b"none", b"/tmp", b"cgroup2", 0, None),
        "rw": lambda: libc("mount", b"none", b"/", None, 0x1000 | 32, None),
        "umount": lambda: libc("umount2", b"/proc/sys", 2),
        "chroot": lambda: os.chroot("/tmp"),
    }.items():
        if facts["bounded"]:  # these would do it
            got.in_child(what, action)
    return got


@attack(8)
def new_namespaces(facts: Facts) -> list[str]:
    got = Loot()
    for name, flag in NEW_NAMESPACES.items():
        got.in_child(f"unshare {name}", lambda flag=flag: libc("unshare", flag))
        got.in_child(f"unshare user and {name}", lambda flag=flag: libc("unshare", 0x10000000 | flag))
    for name, flag in list(NEW_NAMESPACES.items())[1:]:
        for also in (0, 0x10000000):
            got.in_child(f"clone {name}", lambda flag=flag | also: _clone(flag))
            got.in_child(f"clone3 {name}", lambda flag=flag | also: _clone3(flag))
    got.call("setns", numbers(308, 268), -1, 0)
    for name in ("mnt", "user", "net", "pid", "cgroup"):
        for pid in ("1", "self"):
            path = f"/proc/{pid}/ns/{name}"
            got.in_child(path, lambda path=path: libc("setns", os.open(path, os.O_RDONLY), 0))
    return got


def _clone(flags: int) -> str:
    return _answer(libc("syscall", numbers(56, 220), ctypes.c_long(flags | 17), 0, 0, 0, 0))


def _clone3(flags: int) -> str:
    given = (ctypes.c_uint64 * 8)(flags, 0, 0, 0, 17, 0, 0, 0)
    return _answer(libc("syscall", 435, given, ctypes.c_long(64)))


def _answer(pid: int) -> str:
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    return "a child in it"


@attack(8)
def new_user_namespace(facts: Facts) -> list[str]:
    """By itself: it would give back every capability that was taken, over all that is made in it."""
    got = Loot()
    got.in_child("unshare", lambda: libc("unshare", NEW_NAMESPACES["user"]))
    return got


@attack(11)
def keyring(facts: Facts) -> list[str]:
    got = Loot()
    got.call("add_key", numbers(248, 217), 0, 0, 0, 0, -3)
    got.call("request_key", numbers(249, 218), 0, 0, 0, 0)
    got.call("keyctl", numbers(250, 219), 0xFFFF, 0, 0, 0, 0)
    for path in ("/proc/keys", "/proc/key-users"):
        try:
            with open(path) as file:
                text = file.read()
        except OSError:
            continue
        if facts["key"] in text:
            got.append(f"{path}: {text[:200]}")
    return got


@attack(12)
def tiocsti(facts: Facts) -> list[str]:
    got = Loot()
    for name, command in (("TIOCSTI", 0x5412), ("TIOCLINUX", 0x541C)):
        for high in (0, 1 << 32, 1 << 63, 0xFFFFFFFF << 32):
            value = ctypes.c_long(command | high).value
            got.call(f"{name} | {high:#x}", numbers(16, 29), -1, value, b"x")
    got.attempt("/dev/tty", lambda: os.open("/dev/tty", os.O_RDWR))
    got.attempt("/dev/console", lambda: os.open("/dev/console", os.O_RDWR))
    got += [f"{number} is a terminal" for number in range(3) if os.isatty(number)]
    if os.readlink("/proc/self/fd/0") != "/dev/null":
        got.append("stdin")
    return got


@attack(20)
def privileges(facts: Facts) -> list[str]:
    got = Loot()
    with open("/proc/self/status") as file:
        for line in file:
            name, _, value = line.partition(":")
            held = name.startswith("Cap") and int(value, 16)
            kept = {"NoNewPrivs": 1, "Seccomp": 2}.get(name.strip())
            if held or (kept is not None and int(value) != kept):
                got.append(line.strip())
            if name in ("Uid", "Gid", "Groups") and "0" in value.split():
                got.append(line.strip())
    for user in (0, 1, 1000):
        got.in_child(f"setuid {user}", lambda user=user: os.setresuid(user, user, user))
        got.in_child(f"setgid {user}", lambda user=user: os.setresgid(user, user, user))
    got.in_child("setgroups", lambda: os.setgroups([0]))
    return got


@attack(20, bites="root")
def raise_limits(facts: Facts) -> list[str]:
    """What an ordinary user may not raise for himself, and what belongs to the machine's administrator."""
    got = Loot()

    def raised(which: int) -> object:
        hard = resource.getrlimit(which)[1]
        if hard == resource.RLIM_INFINITY:
            raise ValueError
        return resource.setrlimit(which, (hard + 1, hard + 1))

    got.in_child("RLIMIT_NOFILE", lambda: raised(resource.RLIMIT_NOFILE))
    got.in_child("nice", lambda: os.setpriority(os.PRIO_PROCESS, 0, -5))
    got.in_child("realtime", lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1)))
    got.in_child("oom_score_adj", lambda: _lower_oom_score())
    return got


def _lower_oom_score() -> None:
    with open("/proc/self/oom_score_adj", "r+") as file:
        now = int(file.read())
        file.seek(0)
        file.write(str(max(now - 100, -1000)))


@attack(20, bites="root")
def device_nodes(facts: Facts) -> list[str]:
    got = Loot()

    def node(path: str, mode: int, major: int, minor: int) -> str:
        os.mknod(path, mode | 0o666, os.makedev(major, minor))
        os.unlink(path)
        return "made"

    for folder in ("/tmp", "/dev", "/dev/shm"):
        path = f"{folder}/{facts['canary']}.node"
        got.attempt(f"mem in {folder}", lambda path=path: node(path, stat.S_IFCHR, 1, 1))
        got.attempt(f"block in {folder}", lambda path=path: node(path, stat.S_IFBLK, 254, 0))
    for name in ("mem", "kmem", "port", "kmsg", "fuse", "kvm", "vsock", "vda", "sda", "loop0", "loop-control"):
        got.attempt(f"/dev/{name}", lambda name=name: os.stat(f"/dev/{name}"))
    for name in ("net/tun", "userfaultfd", "tty0", "tty1", "ttyS0", "vcs", "uinput", "input", "dri", "mapper/control"):
        got.attempt(f"/dev/{name}", lambda name=name: os.stat(f"/dev/{name}"))
    return got


@attack(20, bites="root")
def proc_and_sys(facts: Facts) -> list[str]:
    """What the kernel shows of the machine, and takes orders by."""
    got = Loot()
    for path in (
        *("/proc/kcore", "/proc/kmsg", "/proc/kpagecount", "/proc/kpageflags", "/proc/timer_list", "/proc/kpagecgroup"),
        *("/proc/sched_debug", "/proc/slabinfo", "/proc/vmallocinfo", "/proc/1/pagemap"),
    ):
        got.attempt(path, lambda path=path: os.close(os.open(path, os.O_RDONLY)))
    for path in (
        "/sys/kernel",
        "/sys/fs/cgroup",
        "/sys/kernel/debug",
        "/sys/kernel/security",
        "/sys/power",
        "/sys/block",
    ):
        got.attempt(path, lambda path=path: os.listdir(path))
    with open("/proc/kallsyms") as file:
        if file.readline().split()[0].strip("0"):
            got.append("/proc/kallsyms")
    with open("/proc/self/mounts") as file:
        got += [line for line in file if " rw" in line and line.split()[1] not in _WRITABLE]
    return got


#: Where something may be mounted writable: the private /tmp, and file systems of the kernel with rights of their own.
_WRITABLE = (
    "/tmp",
    "/proc",
    "/dev/pts",
    "/dev/null",
    "/dev/zero",
    "/dev/full",
    "/dev/random",
    "/dev/urandom",
    "/dev/tty",
)


@attack(20)
def odd_sockets(facts: Facts) -> list[str]:
    got = Loot()
    kinds = {"stream": 1, "datagram": 2, "raw": 3, "seqpacket": 5}
    for family in [number for number in range(3, 47) if number not in (10, 16)]:
        for name, kind in kinds.items():
            got.attempt(f"family {family} {name}", lambda family=family, kind=kind: socket.socket(family, kind))
    for family, kind, protocol in ((2, 3, 1), (2, 3, 255), (10, 3, 58), (2, 10, 0), (2, 2, 1)):
        got.attempt(f"{family} {kind} {protocol}", lambda f=family, k=kind, p=protocol: socket.socket(f, k, p))
    for family in (2, 10):
        for protocol in (33, 132, 136, 256, 262):  # DCCP, SCTP, UDP-Lite, SMC, multipath TCP
            for name, kind in {**kinds, "dccp": 6}.items():
                got.attempt(f"{family} {name} {protocol}", lambda f=family, k=kind, p=protocol: socket.socket(f, k, p))
    for protocol in range(1, 23):  # 0 is the one that names the interfaces
        got.attempt(f"netlink {protocol}", lambda protocol=protocol: socket.socket(16, socket.SOCK_RAW, protocol))
    got.attempt("pair", lambda: socket.socketpair(socket.AF_ALG))
    return got


@attack(20)
def dangerous_syscalls(facts: Facts) -> list[str]:
    got = Loot()
    got.call("bpf", numbers(321, 280), -1, 0, 0)
    got.call("perf_event_open", numbers(298, 241), 0, 0, 0, 0, 0)
    got.call("userfaultfd", numbers(323, 282), -1)
    got.call("io_setup", numbers(206, 0), -1, 0)
    got.call("mbind", numbers(237, 235), -1, 0, 0, 0, 0, 0)
    got.call("get_mempolicy", numbers(239, 236), -1, 0, 0, -1, -1)
    got.call("ustat", numbers(136, None), -1, 0)
    got.call("sysfs", numbers(139, None), -1)
    got.call("io_uring_setup", 425, 0, 0)
    got.call("io_uring_enter", 426, -1, 0, 0, 0, 0)
    got.call("io_uring_register", 427, -1, 0, 0, 0)
    got.call("kexec_load", numbers(246, 104), 0, 17, 0, 0)
    got.call("kexec_file_load", numbers(320, 294), -1, -1, 0, 0, -1)
    got.call("init_module", numbers(175, 105), 0, 0, 0)
    got.call("finit_module", numbers(313, 273), -1, 0, 0)
    got.call("delete_module", numbers(176, 106), 0, 0)
    got.call("reboot", numbers(169, 142), 0, 0, 0, 0)
    got.call("swapon", numbers(167, 224), 0, 0)
    got.call("swapoff", numbers(168, 225), 0)
    got.call("acct", numbers(163, 89), 1)
    got.call("syslog", numbers(103, 116), -1, 0, 0)
    got.call("quotactl", numbers(179, 60), -1, 0, 0, 0)
    got.call("quotactl_fd", 443, -1, 0, 0, 0)
    got.call("fanotify_init", numbers(300, 262), -1, 0)
    got.call("set_mempolicy", numbers(238, 237), -1, 0, 0)
    got.call("iopl", numbers(172, None), 4)
    got.call("ioperm", numbers(173, None), -1, -1, 1)
    got.call("modify_ldt", numbers(154, None), 0, 0, 0)
    got.call("listxattrat, for all calls that are newer than the filter", 465, -1, 1, 0, 0, 0, 0)
    got.call("a call of tomorrow", 5000, 0)
    got.call("x32", numbers(0x40000000 | 39, None))
    return got


@attack(20, bites="")
def other_calling_convention(facts: Facts) -> list[str]:
    """int 0x80 has other numbers: a filter by x86_64's would let `mount` pass as `brk`."""
    if numbers(1, None) is None:
        return []
    import mmap

    # mov eax, 20 (getpid there); int 0x80; ret
    code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    code.write(b"\xb8\x14\x00\x00\x00\xcd\x80\xc3")
    address = ctypes.addressof(ctypes.c_char.from_buffer(code))
    got = Loot()
    got.in_child("int 0x80", lambda: ctypes.CFUNCTYPE(ctypes.c_int)(address)())
    return got


@attack(20, bites="root")
def time_and_names(facts: Facts) -> list[str]:
    got = Loot()
    got.call("clock_settime", numbers(227, 112), 0, 1)
    got.call("settimeofday", numbers(164, 170), 1, 0)
    got.call("clock_adjtime", numbers(305, 266), 0, 1)
    got.call("sethostname", numbers(170, 161), 0, -1)
    got.call("setdomainname", numbers(171, 162), 0, -1)
    if facts["bounded"]:
        got.attempt("clock", lambda: time.clock_settime(time.CLOCK_REALTIME, time.time() + 3600))
        got.attempt("name", lambda: socket.sethostname("owned"))
    if socket.gethostname() == facts["host_name"]:
        got.append(socket.gethostname())
    return got


@attack(20)
def personalities(facts: Facts) -> list[str]:
    """Addresses that are not random, a stack that can be executed, another Linux."""
    got = Loot()
    for value in (0x40000, 0x400000, 0x100000, 0x8, 0x20000, 0x40000 | 0x8):
        got.in_child(hex(value), lambda value=value: libc("personality", ctypes.c_ulong(value)))
    return got


@attack(20)
def core_dumps(facts: Facts) -> list[str]:
    """No file here, and no helper of the host's that is fed with what a function prepares."""
    got = Loot()

    def lowered() -> object:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        LIBC.syscall(ctypes.c_long(numbers(160, 164) or 0), 4, bytes(16))
        found = resource.getrlimit(resource.RLIMIT_CORE)
        if found[0] == 1:
            raise ValueError
        return found

    got.in_child("RLIMIT_CORE, where 0 still starts a helper that core_pattern names", lowered)
    before = set(os.listdir("/tmp"))
    crash = subprocess.run([sys.executable, "-c", "import os; os.abort()"], cwd="/tmp")
    got += sorted(set(os.listdir("/tmp")) - before)
    if crash.returncode >= 0:
        got.append(f"abort: {crash.returncode}")
    return got


@attack(20)
def program_in_memory(facts: Facts) -> list[str]:
    """A program that is in no file has no more rights than its parent."""
    descriptor = os.memfd_create("x", 0)
    with open("/usr/bin/env", "rb") as file:
        os.write(descriptor, file.read())
    os.fchmod(descriptor, 0o6755)
    code = "print([line.split()[1] for line in open('/proc/self/status') if line[:3] in ('Uid', 'Cap', 'NoN')])"
    done = subprocess.run(
        [f"/proc/self/fd/{descriptor}", sys.executable, "-I", "-c", code],
        pass_fds=[descriptor],
        capture_output=True,
        text=True,
    )
    values = eval(done.stdout) if done.stdout.startswith("[") else []
    bad = [value for value in values if value == "0" or (len(value) == 16 and int(value, 16))]
    return [done.stdout] if bad else []


@attack(20, bites="root")
def interface_orders(facts: Facts) -> list[str]:
    """Addresses, routes and interfaces of the network namespace are not the function's to change."""
    got = Loot()
    probe = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    request = struct.pack("16sH22s", b"lo", 0, b"")  # SIOCSIFFLAGS: down
    if facts["bounded"]:
        got.attempt("lo down", lambda: fcntl.ioctl(probe, 0x8914, request))
    got.attempt("tun", lambda: os.open("/dev/net/tun", os.O_RDWR))
    return got


@attack(3, bites="root")
def kernel_settings(facts: Facts) -> list[str]:
    """Every setting of the kernel, those of one's own namespaces too."""
    got = Loot()
    for root, _, names in os.walk("/proc/sys"):
        for name in names:
            path = f"{root}/{name}"
            got.attempt(path, lambda path=path: os.close(os.open(path, os.O_WRONLY)))
    return got
