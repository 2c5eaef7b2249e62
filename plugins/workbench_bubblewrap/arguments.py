"""From what an environment should be to bubblewrap's arguments. Pure: what the machine is like comes in as a value."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from workbench.backends.api import EnvironmentSpec, Layout, Network
from workbench.model.errors import BackendError
from workbench.model.runtimes import RuntimeVersion

#: Who a function is inside, when an ordinary user runs the engine. As on AWS.
UID, GID = 993, 990
USER = "sbx_user1051"
INIT = "/run/workbench/init.py"
LANGUAGE = "/var/lang"
#: Where the Python that runs init is shown, when the function's own language is another one.
PYTHON = "/var/workbench/python"
MB = 1 << 20

#: bubblewrap's options, and the versions that brought them.
SIZE_SINCE = (0, 7, 0)
DISABLE_USERNS_SINCE = (0, 8, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What the arguments depend on besides the environment.

    root: the engine runs as root, so there is no user namespace, and init gives up the rights.
    setuid: bwrap is installed setuid root, and then refuses some options.
    python, python_prefix: a Python for init, and the tree that it needs, for functions in another language.
    links: top-level links such as /bin -> usr/bin. folders: those that are directories of their own.
    etc: files and folders below /etc that are shown as they are. masked: files below /proc that nobody may read.
    private: folders of the user's: no folder that one of them is in is shown.
    """

    root: bool
    version: tuple[int, ...]
    python: Path
    python_prefix: Path
    setuid: bool = False
    links: Mapping[str, str]
    folders: tuple[str, ...] = ()
    etc: tuple[str, ...] = ()
    masked: tuple[str, ...] = ()
    private: tuple[Path, ...] = ()

    @property
    def sizes(self) -> bool:
        """Can /tmp be limited?"""
        return self.version >= SIZE_SINCE

    @property
    def disables_userns(self) -> bool:
        """Can bubblewrap itself forbid further user namespaces?"""
        return not self.root and not self.setuid and self.version >= DISABLE_USERNS_SINCE


@dataclass(frozen=True, slots=True)
class Place:
    """Where an interpreter is inside: its path there, and the host folder, or file, that is shown at `root`, if any."""

    interpreter: str
    tree: Path | None
    root: str = LANGUAGE


def place(runtime: RuntimeVersion, machine: Machine, task: Path | None = None) -> Place:
    """A distribution's own interpreter is where it is; any other tree is shown at /var/lang, as on AWS.

    A tree that holds the user's files too (a program in ~/bin has the home for its tree) or the function's, and with
    them others', is not shown: what is no Python is shown alone then.

    Raises:
        BackendError: the interpreter is outside of its tree, or a Python whose tree may not be shown.
    """
    if runtime.interpreter is None or runtime.prefix is None:
        return Place("", None)
    private = (*machine.private, *([] if task is None else [task]))
    return _place(runtime.interpreter, runtime.prefix, LANGUAGE, private, alone=not runtime.is_python)


def init_place(runtime: RuntimeVersion, where: Place, machine: Machine) -> Place:
    """The Python that runs init: the function's own interpreter, or for another language Workbench's.

    Raises:
        BackendError: as for `place`.
    """
    if runtime.is_python:
        return where
    return _place(machine.python, machine.python_prefix, PYTHON, machine.private)


def _place(interpreter: Path, prefix: Path, root: str, private: Iterable[Path], *, alone: bool = False) -> Place:
    if prefix.is_relative_to("/usr"):
        return Place(str(interpreter), None, root)
    for path, tree in ((interpreter, prefix), (interpreter.resolve(), prefix.resolve())):
        if path.is_relative_to(tree) and tree != Path("/"):
            held = next((folder for folder in private if folder.resolve().is_relative_to(tree.resolve())), None)
            if held is None:
                return Place(str(PurePosixPath(root) / path.relative_to(tree)), tree, root)
            if alone:
                return Place(f"{root}/bin/{path.name}", path, f"{root}/bin/{path.name}")
            raise BackendError(
                f"the interpreter {interpreter} cannot be shown to a function: its folder {tree} holds {held}, too",
                mend="install it into a folder of its own, as pyenv and uv do",
            )
    raise BackendError(f"the interpreter {interpreter} is not below {prefix}")


def layout(where: Place) -> Layout:
    """The paths of a sandbox."""
    return Layout(task="/var/task", opt="/opt", runtime="/var/runtime", interpreter=where.interpreter)


def etc_files(uid: int, gid: int) -> dict[str, str]:
    """The few files of /etc that are written for the sandbox."""
    return {
        "/etc/passwd": f"root:x:0:0:root:/root:/sbin/nologin\n{USER}:x:{uid}:{gid}::/tmp:/sbin/nologin\n",
        "/etc/group": f"root:x:0:\n{USER}:x:{gid}:\n",
        "/etc/hosts": "127.0.0.1 localhost sandbox sandbox.localdomain\n::1 localhost\n",
        "/etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
    }


def namespaces(machine: Machine, network: Network) -> list[str]:
    """Namespaces and privileges: also what the health check tries."""
    arguments = ["--unshare-ipc", "--unshare-pid", "--unshare-uts", "--unshare-cgroup-try", "--hostname", "sandbox"]
    if network is not Network.HOST:
        arguments += ["--unshare-net"]  # bubblewrap brings its loopback up
    if not machine.root:
        arguments += ["--unshare-user", "--uid", str(UID), "--gid", str(GID)]
    if machine.disables_userns:
        arguments += ["--disable-userns", "--assert-userns-disabled"]
    arguments += ["--new-session", "--die-with-parent", "--as-pid-1", "--clearenv", "--cap-drop", "ALL"]
    if machine.root:  # just what init needs to give up the rest
        for capability in ("CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP"):
            arguments += ["--cap-add", capability]
    return arguments


def system(machine: Machine) -> list[str]:
    """The system's programs and libraries, read-only, and the kernel's file systems."""
    arguments = ["--ro-bind", "/usr", "/usr"]
    for link, target in machine.links.items():
        arguments += ["--symlink", target, link]
    for folder in machine.folders:
        arguments += ["--ro-bind", folder, folder]
    # An ordinary user's function would own the settings of its own namespaces.
    arguments += ["--proc", "/proc", "--ro-bind", "/proc/sys", "/proc/sys", "--dev", "/dev"]
    for path in machine.masked:
        arguments += ["--ro-bind", "/dev/null", path]  # mounted so that devices do not work: it cannot even be opened
    return arguments


def sandbox(
    spec: EnvironmentSpec, machine: Machine, where: Place, *, init: Path, data: Mapping[str, int], seccomp: int | None
) -> list[str]:
    """All of bubblewrap's arguments but the command; they are handed over by `--args`, so that nothing shows in `ps`.

    `data` names descriptors with the content of files. The order matters: the last two close what is above them.
    """
    etc = machine.etc
    if spec.network is Network.HOST:
        etc = (*etc, "/etc/resolv.conf")
    binds = {
        **{path: path for path in etc},
        "/var/runtime": str(spec.runtime.client),
        "/var/task": str(spec.task),
        INIT: str(init),
    }
    folders = ["/opt", LANGUAGE]
    if spec.opt is not None:
        binds["/opt"] = str(spec.opt)
    starter = init_place(spec.runtime, where, machine)
    for shown in (where, starter):
        if shown.tree is not None:
            binds[shown.root] = str(shown.tree)
    arguments = [*namespaces(machine, spec.network), *system(machine), "--perms", "1777"]
    if machine.sizes:
        arguments += ["--size", str(spec.tmp_size * MB)]
    arguments += ["--tmpfs", "/tmp"]
    # Made one by one: the parents that bubblewrap makes on the way to a mount are open to their owner only.
    for folder in _with_parents([*folders, *map(_parent, (*binds, *data, *spec.file_systems))]):
        arguments += ["--dir", folder]
    for inside, outside in binds.items():
        arguments += ["--ro-bind-try" if inside in etc else "--ro-bind", outside, inside]
    for inside, shared in spec.file_systems.items():
        arguments += ["--bind", str(shared), inside]
    for path, descriptor in data.items():
        arguments += ["--perms", "0444", "--ro-bind-data", str(descriptor), path]
    if starter.tree is not None:
        # For init alone: an interpreter built to find its library by the absolute path of its old place.
        arguments += ["--setenv", "LD_LIBRARY_PATH", f"{starter.root}/lib"]
    if seccomp is not None:
        arguments += ["--seccomp", str(seccomp)]
    return [*arguments, "--chdir", "/", "--remount-ro", "/dev", "--remount-ro", "/"]


def init_command(
    interpreter: str, *, channel: int, uid: int | None, listen: bool, max_processes: int | None
) -> list[str]:
    """What runs as process 1. `uid`: whom to become; None when a user namespace has seen to it."""
    numbers = (channel, uid or 0, int(listen), max_processes or 0)
    return [interpreter, "-I", "-S", INIT, *map(str, numbers)]


def _parent(path: str) -> str:
    return str(PurePosixPath(path).parent)


def _with_parents(folders: list[str]) -> list[str]:
    """The folders and all above them, outer ones first, each once; not the root."""
    found = {str(path) for folder in folders for path in (PurePosixPath(folder), *PurePosixPath(folder).parents)}
    return sorted(found - {"/"})
