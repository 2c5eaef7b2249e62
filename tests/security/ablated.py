"""`python ablated.py NAME,NAME... serve ...`: workbench without some of its mitigations, for attacks to get through."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from workbench.backends import process, proctable
from workbench.backends.api import Network
from workbench.backends.box import environment as box_environment
from workbench.backends.box import seccomp
from workbench.backends.cgroups import Cgroup
from workbench.engine.backend_host import BackendHost
from workbench_bubblewrap import arguments, backend, box, probe

MITIGATIONS: dict[str, Callable[[], None]] = {}


def mitigation(name: str) -> Callable[[Callable[[], None]], Callable[[], None]]:
    """Enter what removes a mitigation."""

    def enter(remove: Callable[[], None]) -> Callable[[], None]:
        MITIGATIONS[name] = remove
        return remove

    return enter


def replace(owner: Any, name: str, make: Callable[[Any], Any]) -> None:
    setattr(owner, name, make(getattr(owner, name)))


def edit_arguments(change: Callable[[list[str]], list[str]]) -> None:
    """Change bubblewrap's arguments as a list."""

    def wrap(original: Any) -> Any:
        def sandbox(*args: Any, **more: Any) -> list[str]:
            before: list[str] = original(*args, **more)
            after = change(list(before))
            assert after != before, "there is nothing to remove"
            return after

        return sandbox

    replace(arguments, "sandbox", wrap)


def without(*sequence: str) -> None:
    """Take a sequence of arguments away."""

    def change(options: list[str]) -> list[str]:
        for start in range(len(options)):
            if tuple(options[start : start + len(sequence)]) == sequence:
                return options[:start] + options[start + len(sequence) :]
        return options

    edit_arguments(change)


def edit_init(old: str, new: str) -> None:
    """Change the program of process 1."""
    text = box.INIT.read_text()
    assert old in text, old
    folder = Path(tempfile.mkdtemp(dir=os.environ["HOME"]))
    folder.chmod(0o755)
    changed = folder / "init.py"
    changed.write_text(text.replace(old, new))
    changed.chmod(0o644)
    box.INIT = changed  # type: ignore[misc]


# -- what can be seen and written ------------------------------------------------------------------------------------


@mitigation("a view of nothing but what is needed")
def _() -> None:
    folder = str(Path(os.environ["HOME"]).parent)  # home, state and sockets of the arena
    edit_arguments(lambda options: [*options[:-6], "--ro-bind", folder, folder, *options[-6:]])


@mitigation("a few files of /etc")
def _() -> None:
    replace(probe, "_ETC", lambda names: (*names, "shadow", "machine-id", "ssh"))


@mitigation("code is mounted read-only")
def _() -> None:
    def change(options: list[str]) -> list[str]:
        at = options.index("/var/task")
        return [*options[: at - 2], "--bind", *options[at - 1 :]]

    edit_arguments(change)


@mitigation("a read-only root")
def _() -> None:
    edit_arguments(lambda options: options[:-2])


@mitigation("a read-only /dev")
def _() -> None:
    without("--remount-ro", "/dev")


@mitigation("read-only settings of the kernel")
def _() -> None:
    without("--ro-bind", "/proc/sys", "/proc/sys")


@mitigation("kernel keys are masked")
def _() -> None:
    probe._MASKED = ()


@mitigation("a private /tmp")
def _() -> None:
    def change(options: list[str]) -> list[str]:
        at = options.index("--tmpfs")
        return [*options[: at - 4], "--bind", "/tmp", "/tmp", *options[at + 2 :]]

    edit_arguments(change)
    box_environment.BoxEnvironment._nodes = lambda self: 0  # type: ignore[method-assign]  # the host's are many


@mitigation("the size of /tmp")
def _() -> None:
    def change(options: list[str]) -> list[str]:
        at = options.index("--size")
        return options[:at] + options[at + 2 :]

    edit_arguments(change)


# -- namespaces and privileges ---------------------------------------------------------------------------------------


@mitigation("a process namespace")
def _() -> None:
    without("--unshare-pid")
    without("--as-pid-1")


@mitigation("a network namespace")
def _() -> None:
    BackendHost.network = lambda self, function: Network.HOST  # type: ignore[method-assign]


@mitigation("no user namespaces")
def _() -> None:
    without("--disable-userns", "--assert-userns-disabled")


@mitigation("a name of its own")
def _() -> None:
    without("--unshare-uts")
    without("--hostname", "sandbox")


@mitigation("no capabilities")
def _() -> None:
    edit_init('must(libc("capset", header, bytes(24)), "drop capabilities")', "")
    edit_arguments(lambda options: [word if word != "--cap-drop" else "--cap-add" for word in options])


@mitigation("a user of its own")
def _() -> None:
    edit_init("os.setresuid(uid, uid, uid)", "")
    edit_init('must(libc("capset", header, bytes(24)), "drop capabilities")', "")


@mitigation("init cannot be looked into")
def _() -> None:
    edit_init("PR_SET_DUMPABLE, 0,", "PR_SET_DUMPABLE, 1,")


@mitigation("a launcher without an environment")
def _() -> None:
    def wrap(original: Any) -> Any:
        return lambda command, *, env, **more: original(command, env=dict(os.environ), **more)

    replace(process, "spawn", wrap)
    without("--clearenv")


@mitigation("no descriptors but those that are named")
def _() -> None:
    # pass_fds makes subprocess close all others.
    descriptor = os.open("/", os.O_RDONLY)
    os.set_inheritable(descriptor, True)

    def wrap(original: Any) -> Any:
        return lambda command, *, pass_fds, **more: original(command, pass_fds=[*pass_fds, descriptor], **more)

    replace(process, "spawn", wrap)


@mitigation("init closes what it inherits")
def _() -> None:
    edit_init("    close_all_but(channel.fileno())\n", "    os.set_inheritable(channel.fileno(), False)\n")


@mitigation("no core dumps")
def _() -> None:
    backend._forbid_core_dumps = lambda: None


# -- system calls ----------------------------------------------------------------------------------------------------


@mitigation("the filter of system calls")
def _() -> None:
    seccomp.supported = lambda machine=None: False


@mitigation("filter: refused calls")
def _() -> None:
    seccomp.REFUSED = ()


@mitigation("filter: calls of tomorrow")
def _() -> None:
    seccomp.UNKNOWN_FROM = 0xFFFFFFFF


@mitigation("filter: clone")
def _() -> None:
    seccomp.NEW_NAMESPACE = 0


@mitigation("filter: clone3")
def _() -> None:
    seccomp.CLONE3 = 0xFFFFFFFE


@mitigation("filter: terminals")
def _() -> None:
    seccomp.TERMINAL_INJECTION = (0x5412 + 0x10000,)


@mitigation("filter: personalities")
def _() -> None:
    seccomp.PERSONALITY = (0xFFFFFFFE, 0xFFFFFFFE)


@mitigation("filter: families")
def _() -> None:
    seccomp.FAMILIES = tuple(range(47))


@mitigation("filter: protocols")
def _() -> None:
    seccomp.PROTOCOLS = {}


@mitigation("filter: leases")
def _() -> None:
    seccomp.LEASES = (0xFFFF,)


@mitigation("filter: core limit")
def _() -> None:
    seccomp.RLIMIT_CORE = 0xFFFF


@mitigation("filter: calling convention")
def _() -> None:
    seccomp._KILL_PROCESS = seccomp._ALLOW


# -- limits and ends -------------------------------------------------------------------------------------------------


def unlimited(**values: Any) -> None:
    def wrap(original: Any) -> Any:
        return lambda name, **limits: original(name, **{**limits, **values})

    replace(Cgroup, "create", wrap)


@mitigation("a limit of processes")
def _() -> None:
    unlimited(pids=None)
    box.MAX_PROCESSES = 1_000_000  # type: ignore[misc]


@mitigation("a limit of memory")
def _() -> None:
    unlimited(memory=None)


@mitigation("memory is watched")
def _() -> None:
    box_environment.MemoryWatch.add = lambda self, name, watched: None  # type: ignore[method-assign]


@mitigation("files of /tmp are counted")
def _() -> None:
    box_environment.BoxEnvironment._nodes = lambda self: 0  # type: ignore[method-assign]


@mitigation("files without a name are counted")
def _() -> None:
    box_environment.nameless_files = lambda pids: 0


@mitigation("everything in the group is killed")
def _() -> None:
    Cgroup.kill = lambda self: None  # type: ignore[method-assign]


@mitigation("who is continued is stopped again")
def _() -> None:
    box_environment.BoxEnvironment._stop_again = lambda self: None  # type: ignore[method-assign]


@mitigation("a process is more than its first thread")
def _() -> None:
    proctable._living = lambda pid, rest: (pid, rest)


@mitigation("what is idle is frozen")
def _() -> None:
    async def leave(self: Any) -> None:
        return None

    box_environment.BoxEnvironment.freeze = leave  # type: ignore[method-assign]


if __name__ == "__main__":
    from workbench.cli import main

    for name in filter(None, sys.argv.pop(1).split(",")):
        MITIGATIONS[name]()
    main()
