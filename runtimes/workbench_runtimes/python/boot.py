"""Process of a Python function: AWS's own runtime interface client, with the module path that AWS gives it.

Runs inside the environment, on the function's interpreter, started with -S: what the interpreter has installed of its
own is not there on AWS and must not be here. What else `site` does for a program is done below. As on AWS, this script
is the last word of the command: wrapper scripts insert options before it, or change _HANDLER.
"""

import os
import site
import sys


def main() -> None:
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

    client(["bootstrap", os.environ["_HANDLER"]])


if __name__ == "__main__":
    main()
