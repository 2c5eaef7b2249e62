"""Process 1 of a sandbox: `python -I -S init.py CHANNEL UID LISTEN NPROC [FILTER]`.

Standard library only, Python 3.8 and newer.

It opens the listening sockets of the Runtime API and of the services inside the sandbox and hands them out, gives up
every privilege, then serves requests that arrive on CHANNEL, a Unix socket of type SEQPACKET: the number of an
inherited descriptor, or a path to connect to. A message is fields joined by NUL:

    to it:    start ID CWD ARGC ARGV... NAME=VALUE...  (with the descriptor for stdout and stderr)
              signal ID NUMBER | connect ID PORT | stop | continue | reset
    from it:  ready (with the two listeners: the Runtime API's, the services')
              started ID | connected ID (with a socket) | failed ID MESSAGE | nowhere ID MESSAGE (there is no CWD)
              exited ID CODE PEAK | stopped | cleared
              (CODE negative: the signal that ended it; PEAK: the most memory it had, in KB)

It reaps whatever is orphaned in the sandbox. It ends, and with it everything in the sandbox, when the channel closes.

Modules that begin with an underscore are used in place of their wrappers: `socket`, `signal` and `ctypes` import enough
to double the time to start, and that is part of every cold start.
"""

from __future__ import annotations

import _ctypes
import _signal  # type: ignore[import-not-found]  # the C part of signal
import _socket
import errno
import os
import resource
import select
import sys

TYPE_CHECKING = False  # not from typing: its import would cost more than all the rest
if TYPE_CHECKING:
    from typing import Any

ADDRESS = ("127.0.0.1", 9001)
SERVICES = ("127.0.0.1", 9002)
#: Clients try for one second to connect: nothing may be turned away while the engine is busy.
BACKLOG = 4096
MAX_FILES = 1024
#: Bytes of a core dump: with 0 the kernel would still start the helper that the host may name for them.
NO_CORE = 1
MAX_MESSAGE = 1 << 20

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 1, 4, 24, 38
PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 22, 2
PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL = 47, 4
CAPABILITY_VERSION_3 = 0x20080522
#: What Python, and this program, do not leave at its default.
CHANGED_SIGNALS = (_signal.SIGINT, _signal.SIGPIPE, _signal.SIGXFSZ, _signal.SIGCHLD)


def main() -> None:
    uid, listen, processes = map(int, sys.argv[2:5])
    channel = open_channel(sys.argv[1])
    close_all_but(channel.fileno())
    listeners = [open_listener(ADDRESS), open_listener(SERVICES)] if listen else []
    drop_privileges(uid)
    limit(processes)
    for path in sys.argv[5:]:
        load_filter(path)
    numbers = b"".join(listener.fileno().to_bytes(4, sys.byteorder) for listener in listeners)
    channel.sendmsg([b"ready"], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, numbers)] if listeners else [])
    # Not before: what this user has on its way through sockets, from other sandboxes too, counts for who sends more.
    lower(resource.RLIMIT_NOFILE, MAX_FILES)
    for listener in listeners:
        listener.close()
    serve(channel, *wake_on_child())


def open_channel(name: str) -> _socket.socket:
    if not name.startswith("/"):
        return _socket.socket(fileno=int(name))
    channel = _socket.socket(_socket.AF_UNIX, _socket.SOCK_SEQPACKET)
    channel.connect(name)
    os.dup2(channel.fileno(), 2)  # nobody hears stderr there: what goes wrong is told on the channel
    return channel


def close_all_but(descriptor: int) -> None:
    os.set_inheritable(descriptor, False)
    for number in map(int, os.listdir("/proc/self/fd")):
        if number > 2 and number != descriptor:
            os.closerange(number, number + 1)  # does not mind that the one that listed is closed already


def open_listener(address: tuple[str, int]) -> _socket.socket:
    listener = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
    listener.setsockopt(_socket.SOL_SOCKET, _socket.SO_REUSEADDR, 1)
    listener.bind(address)
    listener.listen(BACKLOG)
    return listener


# -- privileges ---------------------------------------------------------------------------------------------------


LIBC = _ctypes.dlopen(None, 2)  # type: ignore[arg-type]  # None: this program, and with it the C library


def libc(name: str, *arguments: object) -> int:
    result: int = _ctypes.call_function(_ctypes.dlsym(LIBC, name), arguments)
    return result


def must(done: int, what: str) -> None:
    if done != 0:
        raise OSError("cannot " + what)


def drop_privileges(uid: int) -> None:
    """Become a user without capabilities, without a way to get any, whom the sandbox's other processes cannot touch."""
    if uid:  # there is no user namespace: until here this is the host's root
        capability = 0
        while libc("prctl", PR_CAPBSET_DROP, capability, 0, 0, 0) == 0:
            capability += 1
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    must(libc("prctl", PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0), "clear ambient capabilities")
    header = CAPABILITY_VERSION_3.to_bytes(4, sys.byteorder) + bytes(4)
    must(libc("capset", header, bytes(24)), "drop capabilities")
    must(libc("prctl", PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "renounce new privileges")
    must(libc("prctl", PR_SET_DUMPABLE, 0, 0, 0, 0), "become undumpable")
    # A change of user has cleared what bubblewrap set.
    must(libc("prctl", PR_SET_PDEATHSIG, int(_signal.SIGKILL), 0, 0, 0), "tie its life to its parent's")


def load_filter(path: str) -> None:
    """Load a system call filter, an array of `struct sock_filter`, for this process and all that it starts."""
    with open(path, "rb") as file:
        code = file.read()
    array: Any = type("Code", (_ctypes.Array,), {"_type_": Byte, "_length_": len(code)})
    program = array.from_buffer_copy(code)
    # struct sock_fprog: a 16-bit count, then, aligned, the address
    described = (len(code) // 8).to_bytes(8, "little") + _ctypes.addressof(program).to_bytes(8, "little")
    must(libc("prctl", PR_SET_SECCOMP, SECCOMP_MODE_FILTER, described, 0, 0), "load the system call filter")


class Byte(_ctypes._SimpleCData):  # type: ignore[type-arg]
    _type_ = "B"


def limit(processes: int) -> None:
    os.umask(0o022)
    lower(resource.RLIMIT_CORE, NO_CORE)
    if processes:  # where no cgroup limits them
        lower(resource.RLIMIT_NPROC, processes)


def lower(which: int, value: int) -> None:
    hard = resource.getrlimit(which)[1]
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    resource.setrlimit(which, (value, value))


# -- service ------------------------------------------------------------------------------------------------------


def wake_on_child() -> tuple[int, int]:
    """A pipe that becomes readable when a child ends."""
    readable, writable = os.pipe()
    os.set_blocking(readable, False)
    os.set_blocking(writable, False)
    _signal.set_wakeup_fd(writable, warn_on_full_buffer=False)
    _signal.signal(_signal.SIGCHLD, lambda *_: None)
    # The kernel shields process 1 only from signals that it has no handler for; Python has one for SIGINT.
    _signal.signal(_signal.SIGINT, _signal.SIG_IGN)
    return readable, writable


def serve(channel: _socket.socket, readable: int, _writable: int) -> None:
    started: dict[int, bytes] = {}  # process id: ID
    poll = select.poll()
    poll.register(channel.fileno(), select.POLLIN)
    poll.register(readable, select.POLLIN)
    while True:
        ready = [descriptor for descriptor, _ in poll.poll()]
        if readable in ready:
            os.read(readable, 4096)
            reap(channel, started)
        if channel.fileno() in ready:
            message, rights, _, _ = channel.recvmsg(MAX_MESSAGE, 64, _socket.MSG_CMSG_CLOEXEC)
            if not message:
                os._exit(0)
            output = int.from_bytes(rights[0][2][:4], sys.byteorder) if rights else -1
            fields = message.split(b"\0")
            if fields[0] == b"connect":
                connect(channel, fields[1], int(fields[2]))
                continue
            answer = handle(fields, output, started, channel)
            if output >= 0:
                os.close(output)
            if answer:
                channel.send(b"\0".join(answer))


def handle(
    fields: list[bytes], output: int, started: dict[int, bytes], channel: _socket.socket
) -> tuple[bytes, ...] | None:
    kind = fields[0]
    if kind == b"start":
        return start(fields[1], output, fields[2], int(fields[3]), fields[4:], started)
    if kind == b"signal":
        for process, name in started.items():
            if name == fields[1]:
                kill(-process, int(fields[2]))
    elif kind == b"stop":
        kill(-1, _signal.SIGSTOP)
        return (b"stopped",)
    elif kind == b"continue":
        kill(-1, _signal.SIGCONT)
    elif kind == b"reset":
        kill(-1, _signal.SIGKILL)
        reap(channel, started, 0)  # whoever loses its parent becomes ours: until nobody is left
        return (b"cleared",)
    return None


def start(
    name: bytes, output: int, folder: bytes, count: int, rest: list[bytes], started: dict[int, bytes]
) -> tuple[bytes, ...]:
    arguments, environment = rest[:count], dict(entry.split(b"=", 1) for entry in rest[count:])
    actions = (
        (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
        (os.POSIX_SPAWN_DUP2, output, 1),
        (os.POSIX_SPAWN_DUP2, output, 2),
    )
    try:
        os.chdir(folder)
    except OSError as error:
        return b"nowhere", name, told(error)
    try:
        try:
            process = os.posix_spawn(
                found(arguments[0], environment.get(b"PATH", b"")),
                arguments,
                environment,
                file_actions=actions,
                setsid=True,
                setsigmask=(),
                setsigdef=CHANGED_SIGNALS,
            )
        finally:
            os.chdir("/")
    except OSError as error:
        return b"failed", name, told(error)
    started[process] = name
    return b"started", name


def found(program: bytes, path: bytes) -> bytes:
    """Where a program is that an image names without a folder, as for a shell."""
    if b"/" not in program:
        for folder in path.split(b":"):
            file = (folder or b".") + b"/" + program
            if os.access(file, os.X_OK) and not os.path.isdir(file):
                return file
    return program


def told(error: OSError) -> bytes:
    return os.fsencode(error.strerror or "") + b": " + os.fsencode(error.filename or "")


def connect(channel: _socket.socket, name: bytes, port: int) -> None:
    """Hand out a connection to a port inside. It does not wait: whether it comes about shows on the socket."""
    outgoing = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
    outgoing.setblocking(False)
    error = outgoing.connect_ex((ADDRESS[0], port))
    if error in (0, errno.EINPROGRESS):
        rights = [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, outgoing.fileno().to_bytes(4, sys.byteorder))]
        try:
            channel.sendmsg([b"connected\0" + name], rights)
        except OSError as refused:
            error = refused.errno or errno.EIO
    if error not in (0, errno.EINPROGRESS):
        channel.send(b"\0".join((b"failed", name, os.fsencode(os.strerror(error)))))
    outgoing.close()


def reap(channel: _socket.socket, started: dict[int, bytes], wait: int = os.WNOHANG) -> None:
    while True:
        try:
            ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT | wait)
        except ChildProcessError:
            return
        if ended is None:
            return
        process = ended.si_pid
        name = started.pop(process, None)
        if name is not None:
            # What it left in its group goes with it; before it is reaped, while the number is surely its own.
            kill(-process, _signal.SIGKILL)
        _, status, usage = os.wait4(process, 0)
        if name is not None:
            code = -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
            channel.send(b"\0".join((b"exited", name, b"%d" % code, b"%d" % usage.ru_maxrss)))


def kill(target: int, number: int) -> None:
    """Send a signal to a process group (`-group`), or to everything in the sandbox but this (-1)."""
    try:
        os.kill(target, number)
    except ProcessLookupError:  # nobody is there
        return


if __name__ == "__main__":
    main()
