"""Attempts at files, processes and sockets that are the host's, the engine's or another function's."""

from __future__ import annotations

import glob
import mmap
import os
import socket
import stat
import subprocess
import sys
import urllib.request
from contextlib import suppress

from attack import Facts, Loot, attack, libc


@attack(1)
def read_shadow(facts: Facts) -> list[str]:
    got = Loot()
    for path in (
        *("/etc/shadow", "/etc/gshadow", "/etc/sudoers", "/etc/ssh", "/etc/machine-id", "/etc/crontab"),
        *("/proc/1/root/etc/shadow", "/proc/self/root/etc/shadow", "/proc/self/cwd/../../etc/shadow"),
        *("/var/task/../../etc/shadow", "/tmp/../etc/shadow", "/../../etc/shadow", "/proc/1/cwd/etc/shadow"),
    ):
        got.attempt(path, lambda path=path: os.stat(path))
    return got


@attack(1)
def read_etc(facts: Facts) -> list[str]:
    """Of /etc there are the few files that every program needs, and none with a name of the host in it."""
    needed = {"alternatives", "ca-certificates", "group", "hosts", "ld.so.cache", "localtime", "mime.types"}
    needed |= {"nsswitch.conf", "passwd", "pki", "protocols", "services", "ssl", "resolv.conf"}
    got = [f"/etc/{name}" for name in os.listdir("/etc") if name not in needed]
    for path in ("/etc/passwd", "/etc/group", "/etc/hosts"):
        with open(path) as file:
            text = file.read()
        if len(text.splitlines()) > 2 or facts["host_name"] in text:
            got.append(f"{path}: {text[:200]}")
    with suppress(OSError):
        got += [f"/etc/ssl/{name}" for name in os.listdir("/etc/ssl") if name not in ("certs", "openssl.cnf")]
    return got


@attack(2)
def read_home(facts: Facts) -> list[str]:
    got = Loot()
    for path in (
        *(facts["home"], "/root", "/home", os.path.expanduser("~root"), "/mnt", "/media", "/srv", "/boot", "/sys"),
        *("/var/lib", "/var/log", "/var/spool", "/run/user", "/lib/modules/../../root", "/proc/1/cwd", "/lost+found"),
    ):
        got.attempt(path, lambda path=path: os.listdir(path))
    for root, folders, files in os.walk("/"):
        if root == "/":
            folders[:] = [name for name in folders if name not in ("proc", "usr", "sys")]
        elif root.count("/") == 3:
            folders.clear()
        if facts["canary"] in (*folders, *files):
            got.append(f"{root}/{facts['canary']}")
    return got


@attack(3, bites="root")
def write_outside_tmp(facts: Facts) -> list[str]:
    got = Loot()

    def plant(folder: str) -> str:
        path = f"{folder}/{facts['canary']}.planted"
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY))
        os.unlink(path)
        return path

    for folder in (
        *("/", "/etc", "/usr", "/usr/bin", "/usr/lib", "/var", "/var/task", "/var/runtime", "/var/lang", "/opt"),
        *("/dev", "/dev/shm", "/run", "/run/workbench", "/proc", "/sys", "/var/tmp", "/usr/tmp", "/home", "/root"),
    ):
        got.attempt(folder, lambda folder=folder: plant(folder))
    for path in (
        *("/proc/sys/kernel/core_pattern", "/proc/sys/kernel/modprobe", "/proc/sys/vm/overcommit_memory"),
        *("/proc/sys/kernel/hostname", "/proc/sys/net/ipv4/ip_forward", "/proc/sys/user/max_user_namespaces"),
        *("/proc/sys/kernel/pid_max", "/proc/sys/net/ipv4/ping_group_range", "/proc/sysrq-trigger", "/proc/mtrr"),
        *("/proc/self/exe", "/proc/1/exe", "/proc/irq/default_smp_affinity", "/proc/1/oom_score_adj"),
        *("/run/workbench/init.py", "/var/runtime/boot.py", "/etc/passwd", "/etc/hosts", "/bin/sh", sys.executable),
    ):
        got.attempt(path, lambda path=path: os.close(os.open(path, os.O_RDWR)))
    got.attempt("next process id", lambda: _write("/proc/sys/kernel/ns_last_pid", "300"))
    return got


def _write(path: str, text: str) -> str:
    with open(path, "w") as file:
        file.write(text)
    return "written"


@attack(3)
def rewrite_own_code(facts: Facts) -> list[str]:
    """The files of /var/task are links to blobs that other functions and versions may share."""
    got = Loot()
    code = os.path.join(os.environ["LAMBDA_TASK_ROOT"], "shared.txt")
    layer = "/opt/layer.txt"
    for path in (code, layer, os.path.dirname(code)):
        got.attempt(f"{path} utime", lambda path=path: os.utime(path))
        got.attempt(f"{path} chmod", lambda path=path: os.chmod(path, 0o777))
        got.attempt(f"{path} chown", lambda path=path: os.chown(path, os.getuid(), os.getgid()))
        got.attempt(f"{path} xattr", lambda path=path: os.setxattr(path, "user.x", b"x"))
    for path in (code, layer):
        got.attempt(f"{path} write", lambda path=path: os.close(os.open(path, os.O_WRONLY)))
        got.attempt(f"{path} truncate", lambda path=path: os.truncate(path, 3))
        got.attempt(f"{path} link", lambda path=path: os.link(path, "/tmp/hard"))
        got.attempt(f"{path} rename", lambda path=path: os.rename(path, path + ".gone"))
        got.attempt(f"{path} unlink", lambda path=path: os.unlink(path + ".gone"))
        got.attempt(f"{path} reopen", lambda path=path: _through_descriptor(path))
        got.attempt(f"{path} map", lambda path=path: _map_shared(path))
        got.attempt(f"{path} mem", lambda path=path: _through_memory(path))
    return got


def _through_descriptor(path: str) -> int:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return os.open(f"/proc/self/fd/{descriptor}", os.O_RDWR)
    finally:
        os.close(descriptor)


def _map_shared(path: str) -> str:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        mapped = mmap.mmap(descriptor, 4, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
        mapped[:4] = b"evil"
        return "written"
    finally:
        os.close(descriptor)


def _through_memory(path: str) -> str:
    """The kernel lets a process write to what it may only read of its own memory; what is a file's stays the file's."""
    with open(path, "rb") as file, open("/proc/self/mem", "r+b", buffering=0) as memory:
        mapped = mmap.mmap(file.fileno(), 0, mmap.MAP_SHARED, mmap.PROT_READ)
        with open("/proc/self/maps") as maps:
            address = next(int(line.split("-")[0], 16) for line in maps if line.rstrip().endswith(path))
        memory.seek(address)
        memory.write(b"evil")
        return mapped[:4].decode()


@attack(4)
def see_other_pids(facts: Facts) -> list[str]:
    got = Loot()
    pids = [int(name) for name in os.listdir("/proc") if name.isdecimal()]
    if len(pids) > 12:
        got.append(f"{len(pids)} processes")
    for pid in pids:
        with suppress(OSError), open(f"/proc/{pid}/cmdline", "rb") as file:
            if facts["victim_mark"].encode() in file.read():
                got.append(f"the victim is {pid} here")
    for pid in (facts["victim"], facts["engine"]):
        got.attempt(f"/proc/{pid}", lambda pid=pid: os.stat(f"/proc/{pid}"))
        got.attempt(f"signal 0 to {pid}", lambda pid=pid: os.kill(pid, 0))
        got.attempt(f"pidfd of {pid}", lambda pid=pid: os.pidfd_open(pid))
    return got


@attack(5)
def engine_env_leak(facts: Facts) -> list[str]:
    """A value of the engine's own environment, in any process that can be seen, and in our own."""
    secret = facts["engine_secret"]
    got = [name for name, value in os.environ.items() if secret in value or name in facts["engine_names"]]
    for path in (*glob.glob("/proc/[0-9]*/environ"), "/proc/1/environ", "/proc/1/cmdline"):
        with suppress(OSError), open(path, "rb") as file:
            text = file.read()
            if any(word.encode() in text for word in (secret, *facts["engine_names"])):
                got.append(path)
    return got


@attack(6)
def kill_and_trace(facts: Facts) -> list[str]:
    """Processes of the host, and process 1 of the box: its memory, its descriptors, its life."""
    got = Loot()
    for pid in (facts["victim"], facts["keeper"]):
        for number in (0, 10):
            got.attempt(f"signal {number} to {pid}", lambda pid=pid, number=number: os.kill(pid, number))
    for name in (
        *("mem", "environ", "maps", "smaps", "pagemap", "fd", "fdinfo", "map_files", "auxv", "stack", "syscall"),
        *("root/etc/hosts", "cwd/x", "exe", "ns/mnt", "ns/user", "task/1/mem", "task/1/fd", "task/1/environ", "timers"),
    ):
        got.attempt(f"/proc/1/{name}", lambda name=name: os.open(f"/proc/1/{name}", os.O_RDONLY))
    got.attempt("/proc/1/fd", lambda: os.listdir("/proc/1/fd"))
    got.attempt("/proc/1/root", lambda: os.listdir("/proc/1/root"))
    return got


@attack(6, bites="")
def kill_process_one(facts: Facts) -> list[str]:
    """Every signal, to process 1: it lives, and so do we."""
    for number in range(1, 65):
        with suppress(OSError):
            os.kill(1, number)
        with suppress(OSError):
            libc("syscall", 424, os.pidfd_open(1), number, None, 0)
    os.kill(1, 0)
    child = subprocess.run([sys.executable, "-c", "print('alive')"], capture_output=True, text=True)
    return [] if child.stdout == "alive\n" else [child.stderr]


@attack(9)
def docker_socket(facts: Facts) -> list[str]:
    got = Loot()
    for path in (
        *("/var/run/docker.sock", "/run/docker.sock", "/run/podman/podman.sock", "/run/containerd/containerd.sock"),
        *("/run/systemd/private", "/run/dbus/system_bus_socket", "/run/snapd.socket", "/run/user/0/bus"),
        *facts["sockets"],
    ):
        got.attempt(path, lambda path=path: socket.socket(socket.AF_UNIX).connect(path))
    return got


@attack(10)
def abstract_unix(facts: Facts) -> list[str]:
    got = Loot()
    got.attempt("connect", lambda: socket.socket(socket.AF_UNIX).connect("\0" + facts["abstract"]))
    datagram = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    got.attempt("send", lambda: datagram.sendto(b"x", "\0" + facts["abstract_datagram"]))
    with open("/proc/net/unix") as file:
        if facts["abstract"] in file.read():
            got.append("/proc/net/unix")
    return got


@attack(17)
def other_function(facts: Facts) -> list[str]:
    """Another function's code, variables and /tmp, and the engine's state, at their places on the host and here."""
    got = Loot()
    for path in (facts["state"], f"{facts['state']}/workbench.db", facts["scratch"], *facts["code_folders"]):
        got.attempt(path, lambda path=path: os.stat(path))
    got.attempt("/tmp", lambda: os.stat("/tmp/" + facts["tmp_canary"]))
    for root, folders, files in os.walk("/var"):
        if root == "/var":
            folders[:] = [name for name in folders if name != "lang"]
        got += [f"{root}/{name}" for name in files if name == facts["other_file"]]
    for path in glob.glob("/proc/[0-9]*/environ"):
        with suppress(OSError), open(path, "rb") as file:
            if facts["other_secret"].encode() in file.read():
                got.append(path)
    return got


@attack(18)
def control_api(facts: Facts) -> list[str]:
    """The engine's endpoint and front ends, a service of the host's loopback, and the addresses of the host."""
    got = Loot()
    for host in (
        *("127.0.0.1", "localhost", "::1", "0.0.0.0", "::", "0", "127.1", "2130706433", "0x7f000001", "127.0.0.53"),
        *("::ffff:127.0.0.1", "::ffff:0:0", "169.254.1.1", *facts["addresses"]),
    ):
        for port in facts["ports"]:
            got.attempt(f"{host}:{port}", lambda host=host, port=port: socket.create_connection((host, port), 2))
        url = f"http://{host}:{facts['ports'][0]}/2015-03-31/functions/"
        with suppress(OSError, ValueError):
            got.append(str(urllib.request.urlopen(url, timeout=2).status))
    return got


@attack(18)
def interfaces(facts: Facts) -> list[str]:
    """A network of its own, with nothing in it but the loopback."""
    got = [name for _, name in socket.if_nameindex() if name != "lo"]
    for path in ("/proc/net/tcp", "/proc/net/arp", "/proc/net/route", "/proc/net/fib_trie"):
        with suppress(OSError), open(path) as file:
            text = file.read()
            got += [f"{path} has {port}" for port in facts["ports"] if f":{port:04X} " in text]
            got += [f"{path} has {address}" for address in facts["addresses"] if address in text]
    return got


@attack(19)
def inherited_fds(facts: Facts) -> list[str]:
    """Beside 0, 1 and 2 there is what the runtime's client opened by itself: nothing of the host, no way to init."""
    got = []
    for name in sorted(os.listdir("/proc/self/fd"), key=int):
        try:
            target = os.readlink(f"/proc/self/fd/{name}")
            mode = os.fstat(int(name)).st_mode
        except OSError:  # the one that listed
            continue
        if int(name) < 3:
            fine = target == "/dev/null" if name == "0" else stat.S_ISFIFO(mode)
        elif stat.S_ISSOCK(mode):
            fine = _own_socket(int(name))
        else:
            fine = target.startswith("anon_inode:") or target in ("/dev/null", "/dev/urandom")
        if not fine:
            got.append(f"{name}: {target}")
    return got


def _own_socket(descriptor: int) -> bool:
    with socket.socket(fileno=os.dup(descriptor)) as found:
        if found.family == socket.AF_UNIX:  # a pair by which a client wakes itself; init's is of another type
            return found.type == socket.SOCK_STREAM
        return found.family == socket.AF_INET and found.getpeername() == ("127.0.0.1", 9001)


@attack(20)
def setuid_bins(facts: Facts) -> list[str]:
    """Mounts ignore setuid, and so does this process; a program of root's gives no rights."""
    got = Loot()
    for path in ("/", "/usr", "/usr/bin", "/tmp", "/var/task", "/var/runtime", "/dev", "/proc"):
        if os.path.exists(path) and not os.statvfs(path).f_flag & os.ST_NOSUID:
            got.append(f"{path} honours setuid")
    found = [path for path in glob.glob("/usr/*bin/*") if os.path.isfile(path) and os.stat(path).st_mode & stat.S_ISUID]
    for path in ("/usr/bin/su", "/usr/bin/mount", "/usr/bin/passwd", "/usr/bin/chsh", "/usr/bin/newgrp"):
        if path in found:
            done = subprocess.run(
                [path, "--version"], capture_output=True, text=True, env={"LD_TRACE_LOADED_OBJECTS": ""}
            )
            if "must be setuid" not in done.stderr and done.returncode == 127:
                got.append(f"{path}: {done.stderr}")
    program = f"/tmp/{facts['canary']}.suid"
    with open("/usr/bin/env", "rb") as source, open(program, "wb") as target:
        target.write(source.read())
    os.chmod(program, 0o6755)
    try:
        identity = subprocess.run(
            [program, sys.executable, "-c", "import os; print(os.getresuid())"], capture_output=True
        )
        if b"(0," in identity.stdout or b" 0" in identity.stdout:
            got.append(identity.stdout.decode())
    finally:
        os.unlink(program)
    return got


@attack(22)
def plant_links(facts: Facts) -> list[str]:
    """Links for whoever reads /tmp on the host, and the same seen from here."""
    got = Loot()
    for name, target in (("log", "/etc/shadow"), ("up", "../../../.."), ("state", facts["state"])):
        path = f"/tmp/{facts['canary']}-{name}"
        with suppress(FileExistsError):
            os.symlink(target, path)
        if target != "../../../..":
            got.attempt(path, lambda path=path: os.stat(path))
        os.unlink(path)
    got.attempt("/tmp on the host", lambda: os.stat(facts["tmp_of_the_host"]))
    return got


@attack(27, bites="")
def answer_for_another(facts: Facts) -> list[str]:
    """The Runtime API takes no answer to an invocation that another environment has, or that there never was."""
    got = Loot()
    base = f"http://{os.environ['AWS_LAMBDA_RUNTIME_API']}/2018-06-01/runtime"
    for request in (facts["other_request"], "00000000-0000-0000-0000-000000000000", "../../x", ""):
        for action in ("response", "error"):
            url = f"{base}/invocation/{request}/{action}"
            got.attempt(url, lambda url=url: urllib.request.urlopen(url, b'"stolen"', 5).status)
    got.attempt("init/error", lambda: urllib.request.urlopen(f"{base}/init/error", b"{}", 5).status)
    return got
