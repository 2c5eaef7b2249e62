"""From what an environment should be to a container's configuration, as Docker's API takes it. Pure.

The flags are the same for every function and every image: nothing that comes from a template or an image adds to them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from workbench.backends.api import EnvironmentSpec, ImageSettings, Layout
from workbench.backends.box.environment import MAX_PROCESSES, MEMORY_SLACK
from workbench.model.runtimes import RuntimeVersion

PYTHON = "/run/workbench/python"
DOOR = "/run/workbench/door"
CHANNEL = "channel"
USER = "sbx_user1051"
#: Whom functions are on another machine, and where users are mapped: as on AWS.
REMOTE_USER = (993, 990)


def layout(runtime: RuntimeVersion, image: ImageSettings) -> Layout:
    """The paths inside; the interpreter is the image's own, as on AWS."""
    if runtime.image is not None:
        return Layout("/var/task", "/opt", "/var/runtime", "", image)
    interpreter = f"/var/lang/bin/{runtime.interpreter.name}" if runtime.interpreter is not None else ""
    return Layout(task="/var/task", opt="/opt", runtime="/var/runtime", interpreter=interpreter)


def etc_files(user: tuple[int, int]) -> dict[str, str]:
    """The files of /etc that name the user, and the machine."""
    uid, gid = user
    return {
        "passwd": f"root:x:0:0:root:/root:/sbin/nologin\n{USER}:x:{uid}:{gid}::/tmp:/sbin/nologin\n",
        "group": f"root:x:0:\n{USER}:x:{gid}:\n",
        "hosts": "127.0.0.1 localhost sandbox sandbox.localdomain\n::1 localhost\n",
    }


def container(
    spec: EnvironmentSpec,
    *,
    image: str,
    user: tuple[int, int],
    python: Path,
    command: tuple[str, ...],
    filters: tuple[str, ...],
    door: Path,
    labels: Mapping[str, str],
) -> dict[str, Any]:
    """The body of `POST /containers/create`.

    `python` and `door` are the host's folders shown as `PYTHON` and `DOOR`; `command` starts init's interpreter,
    `filters` are the paths inside of system call filters, beside the daemon's own; `door` has the files of `etc_files`
    beside the socket.
    """
    binds = {PYTHON: python, DOOR: door, **{f"/etc/{name}": door / name for name in etc_files(user)}}
    if spec.runtime.image is None:
        binds |= {"/var/task": spec.task, "/var/runtime": spec.runtime.client}
    if spec.opt is not None:
        binds["/opt"] = spec.opt
    return _closed_in(
        spec,
        image,
        user,
        labels,
        entry=[*command, f"{PYTHON}/init.py", f"{DOOR}/{CHANNEL}", "0", "1", "0", *filters],
        mounts=[
            {"Type": "bind", "Source": str(source), "Target": target, "ReadOnly": True}
            for target, source in binds.items()
        ]
        + [
            {"Type": "bind", "Source": str(source), "Target": target, "ReadOnly": False}
            for target, source in spec.file_systems.items()
        ],
    )


def remote_container(
    spec: EnvironmentSpec, *, image: str, command: tuple[str, ...], filters: tuple[str, ...], labels: Mapping[str, str]
) -> dict[str, Any]:
    """The same for a daemon on another machine: nothing is mounted, and init is reached through stdin and stdout."""
    entry = [*command, f"{PYTHON}/relay.py", f"{PYTHON}/init.py", *filters]
    body = _closed_in(spec, image, REMOTE_USER, labels, entry=entry, mounts=[])
    host = body["HostConfig"]
    # Whoever looks at how it ended removes it; and its daemon writes its hosts file.
    host |= {"AutoRemove": False, "ExtraHosts": ["sandbox:127.0.0.1", "sandbox.localdomain:127.0.0.1"]}
    host["PidsLimit"] += 1  # the relay's thread
    opened = dict.fromkeys(("AttachStdin", "AttachStdout", "AttachStderr", "OpenStdin", "StdinOnce"), True)
    return {**body, **opened}


def _closed_in(
    spec: EnvironmentSpec,
    image: str,
    user: tuple[int, int],
    labels: Mapping[str, str],
    *,
    entry: list[str],
    mounts: list[dict[str, Any]],
) -> dict[str, Any]:
    memory = (spec.memory_size << 20) + MEMORY_SLACK
    return {
        "Image": image,
        # Given here, nothing that the image would run runs: no entry point, no command, no health check.
        "Entrypoint": entry,
        "Cmd": [],
        "Healthcheck": {"Test": ["NONE"]},
        # A daemon that is stopped need not wait for functions, nor for an init that hears no signal.
        "StopSignal": "SIGKILL",
        "WorkingDir": "/",
        # Init's alone: a process gets just what it is started with.
        "Env": ["LD_PRELOAD=", "LD_AUDIT=", "LD_LIBRARY_PATH="],
        "User": "{}:{}".format(*user),
        "Hostname": "sandbox",
        "Labels": dict(labels),
        "HostConfig": {
            "AutoRemove": True,
            "NetworkMode": "none",
            "IpcMode": "none",
            "CgroupnsMode": "private",
            "CapDrop": ["ALL"],
            "SecurityOpt": ["no-new-privileges:true"],
            "Privileged": False,
            "ReadonlyRootfs": True,
            "Memory": memory,
            "MemorySwap": memory,
            "CpuShares": max(round(1024 * spec.vcpus), 2),
            "PidsLimit": MAX_PROCESSES + 1,
            "Tmpfs": {"/tmp": f"rw,exec,nosuid,nodev,size={spec.tmp_size}m,mode=1777"},
            "Mounts": mounts,
            # A function's output goes to the engine's pipe.
            "LogConfig": {"Type": "none"},
        },
    }
