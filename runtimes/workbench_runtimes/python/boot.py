"""Process of a Python function: AWS's own runtime interface client, with the module path that AWS gives it.

`boot.py` runs a function. `boot.py ahead` is the runtime of a spare: it loads all that needs no function, asks the
Runtime API which one it is, and goes on as the other does.

Runs inside the environment, on the function's interpreter, started with -S: what the interpreter has installed of its
own is not there on AWS and must not be here. What else `site` does for a program is done below. As on AWS, this script
is the last word of the command: wrapper scripts insert options before it, or change _HANDLER.
"""

import os
import site
import sys

TYPE_CHECKING = False  # not from typing: its import is part of every cold start
if TYPE_CHECKING:
    from typing import Any

    from awslambdaric.bootstrap import StandardLogSink

ASSIGNMENT = "/_workbench/assignment"


def main() -> None:
    if sys.argv[1:] == ["ahead"]:
        become(assignment())
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    # Where the layers are: /opt, another folder where nothing can be mounted there, or nowhere.
    opt = sys._xoptions["opt"]
    layers = (f"{opt}/python/lib/{version}/site-packages", f"{opt}/python") if opt else ()
    # The folder of this script is first on the path; the function's own code goes before it, layers next.
    sys.path[0:0] = [os.environ["LAMBDA_TASK_ROOT"], *layers]
    site.setquit()
    site.setcopyright()
    site.sethelper()
    site.execsitecustomize()

    from awslambdaric.__main__ import main as client
    from awslambdaric.bootstrap import StandardLogSink

    StandardLogSink.log = write_record

    client(["bootstrap", os.environ["_HANDLER"]])


def write_record(sink: "StandardLogSink", message: str, frame_type: "bytes | None" = None) -> None:
    """Write a record of `logging`, and end its line: one with a traceback does not end itself.

    On AWS each record is an event of its own, and what is printed next is another.
    """
    sys.stdout.write(message if message.endswith("\n") else f"{message}\n")


def assignment() -> "dict[str, Any]":
    """Wait until there is a function. The engine hears what is loaded: code with modules of that name is not for us."""
    import _socket
    import json

    import awslambdaric.__main__  # noqa: F401

    # So that the compiler is in memory: the function's code is compiled each time, nothing can be written beside it.
    with open(__file__, encoding="utf-8") as file:
        compile(file.read(), __file__, "exec")
    host, _, port = os.environ["AWS_LAMBDA_RUNTIME_API"].rpartition(":")
    loaded = ",".join(sorted({name.partition(".")[0] for name in sys.modules}))
    asking = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
    asking.connect((host, int(port)))
    asking.sendall(f"GET {ASSIGNMENT} HTTP/1.1\r\nHost: {host}\r\nWorkbench-Modules: {loaded}\r\n\r\n".encode())
    answer = b""
    while True:
        more = asking.recv(65536)
        if not more:
            sys.exit("the engine has ended without an assignment")
        answer += more
        head, found, body = answer.partition(b"\r\n\r\n")
        if found and len(body) >= int(head.lower().partition(b"content-length:")[2].split(None, 1)[0]):
            break
    asking.close()
    if not head.startswith(b"HTTP/1.1 200 "):
        sys.exit(f"there is no assignment: {head!r} {body!r}")
    assigned: dict[str, Any] = json.loads(body)
    return assigned


def become(assigned: "dict[str, Any]") -> None:
    """Be what `boot.py` alone would be by now, had it been started with the function's variables."""
    import time

    from awslambdaric import bootstrap

    # A variable that nobody gave: the interpreter sets it where the machine lacks the locale of LANG.
    own = {name: value for name, value in os.environ.items() if name == "LC_CTYPE"}
    os.environ.clear()
    os.environ.update({**assigned["environment"], **own})
    os.chdir(assigned["folder"])
    del sys.argv[1:]
    sys.orig_argv[:] = assigned["command"]
    sys._xoptions["opt"] = assigned["layers"]
    time.tzset()
    # Both are read when the client is loaded.
    bootstrap._AWS_LAMBDA_LOG_FORMAT = bootstrap.LogFormat.from_str(os.environ.get("AWS_LAMBDA_LOG_FORMAT"))
    bootstrap._AWS_LAMBDA_LOG_LEVEL = bootstrap._get_log_level_from_env_var(os.environ.get("AWS_LAMBDA_LOG_LEVEL"))


if __name__ == "__main__":
    main()
