"""What single processes are."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

from workbench.backends.processes import told
from workbench.model.environments import ProcessState


def test_a_process_is_told_whatever_it_calls_itself() -> None:
    evil = "a b\n\x1b]52;c;x\x07) R 1 1"
    code = "import sys; print('up', flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", code, evil, "y" * 100_000]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        mine, other = sorted((os.getpid(), process.pid))
        assert [one.pid for one in told([other, mine, 1 << 22])] == [mine, other]
        (one,) = told([process.pid])
        assert one.command.startswith(f"{sys.executable} -c {code} {evil} y")
        assert len(one.command) <= 1024
        assert one.memory > 1 << 20
        assert one.cpu_seconds >= 0
        os.kill(process.pid, signal.SIGSTOP)
        os.waitpid(process.pid, os.WUNTRACED)
        assert told([process.pid])[0].state is ProcessState.STOPPED
        os.kill(process.pid, signal.SIGKILL)
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        if sys.platform == "linux":
            (one,) = told([process.pid])
            assert (one.state, one.command, one.memory) == (ProcessState.ENDED, "", 0)
            assert one.name
