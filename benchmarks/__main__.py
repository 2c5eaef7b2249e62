"""`python -m benchmarks [NAME ...]`: run all benchmarks, or those named.

start   `workbench --help` and a one-shot `workbench fire`, beside `python -c pass` and a plain official client
warm    a warm invocation through the AWS endpoint, beside a TCP ping-pong
cold    a cold start by backend, beside a plain official client
control GetFunction and CreateFunction beside a request that does nothing; 200 functions churned by eight clients
timeout how soon after its timeout a handler with 20 children, all deaf to SIGTERM, is gone
ui      the terminal UI: first paint, and keys while 50,000 events a second are replayed
plugins warm invocations beside plugins that sleep, block, raise and talk rubbish (only when named)
flood   1 GB of log in one invocation, and 100 MB without a newline (only when named)
"""

from __future__ import annotations

import sys

from benchmarks import cold, control, flood, plugins, start, timeout, ui, warm
from benchmarks.tools import machine

ALL = {
    "start": start.run,
    "warm": warm.run,
    "cold": cold.run,
    "control": control.run,
    "timeout": timeout.run,
    "ui": ui.run,
}
#: They take long: only when they are named.
NAMED = {"plugins": plugins.run, "flood": flood.run}


def main() -> None:
    names = sys.argv[1:] or list(ALL)
    if unknown := [name for name in names if name not in ALL | NAMED]:
        sys.exit(f"there is no benchmark '{unknown[0]}'; there are: {', '.join(ALL | NAMED)}")
    print(machine())
    for name in names:
        print(f"\n{name}")
        (ALL | NAMED)[name]()


if __name__ == "__main__":
    main()
