"""Counts, to show what survives from one invocation to the next.

A global and a file in /tmp last as long as their execution environment. A new environment starts both at zero, and no
two environments see each other's: never keep anything here that you cannot afford to lose.
"""

import os
import tempfile
from pathlib import Path

# A log stream belongs to one environment, and its name ends in an id of its own. As part of the file's name it keeps
# the count honest even in the subprocess backend, where all environments share the machine's /tmp.
ENVIRONMENT = os.environ.get("AWS_LAMBDA_LOG_STREAM_NAME", "local").rstrip("]")[-12:]
COUNT_FILE = Path(tempfile.gettempdir(), f"workbench-counter-{ENVIRONMENT}")

in_memory = 0


def handler(event, context):
    global in_memory
    in_memory += 1

    in_tmp = int(COUNT_FILE.read_text()) if COUNT_FILE.exists() else 0
    in_tmp += 1
    COUNT_FILE.write_text(str(in_tmp))

    return {"environment": ENVIRONMENT, "in_memory": in_memory, "in_tmp": in_tmp}
