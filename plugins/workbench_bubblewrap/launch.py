"""From an environment's description to a running sandbox with its init ready to start processes."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from socket import socket

from workbench.backends import cgroups, process
from workbench.backends.api import EnvironmentSpec, Host, Layout, Network
from workbench.backends.cgroups import Cgroup, Role
from workbench.model.errors import BackendError
from workbench_bubblewrap import arguments, seccomp
from workbench_bubblewrap.arguments import GID, MB, Machine
from workbench_bubblewrap.channel import Channel, OnMessage, listener_from

INIT = Path(__file__).with_name("init.py")
#: What a sandbox is allowed beyond MemorySize: init, bubblewrap's own process and the kernel's tables. Files in /tmp
#: are charged to the function's memory, as they are kept in it.
MEMORY_SLACK = 16 * MB
MAX_PROCESSES = 1024
#: Those of them that are not the function's: bubblewrap and init.
OWN_PROCESSES = 2
#: What of bubblewrap's or init's words is kept for an error message.
MAX_WORDS = 4096


@dataclass(slots=True)
class Box:
    """A running sandbox. `init` is the host's process id of its process 1."""

    bwrap: subprocess.Popen[bytes]
    channel: Channel
    init: int
    init_fd: int | None
    listener: socket | None
    layout: Layout
    group: Cgroup | None
    words: int
    baseline: int

    def kill(self) -> None:
        """End everything in the sandbox, frozen or not."""
        if self.init_fd is not None:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self.init_fd, signal.SIGKILL)
        if self.group is not None:
            self.group.kill()
        if self.bwrap.returncode is None:
            os.kill(self.bwrap.pid, signal.SIGKILL)

    def said(self) -> str:
        """What bubblewrap and init have written to stderr."""
        return words(self.words)


async def launch(
    spec: EnvironmentSpec, host: Host, bwrap: str, machine: Machine, uid: int | None, on_message: OnMessage,
    on_end: Callable[[int], None],
) -> Box:
    """Make a sandbox. `on_end` is called when it is gone, also before this returns.

    Raises:
        BackendError: with bubblewrap's own words; nothing is left behind.
    """
    return await _Launch(spec, host, bwrap, machine, uid, on_message, on_end).run()
