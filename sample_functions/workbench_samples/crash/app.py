"""Fails. The caller still gets status 200, with the header X-Amz-Function-Error and the error as the payload.

- `{}` raises: the error names the exception and carries its stack trace.
- `{"how": "exit"}` ends the process: Lambda can only say that the runtime exited, and starts it afresh next time.
"""

import os


class OutOfCoffee(Exception):
    """The class name becomes the errorType that the caller sees."""


def handler(event, context):
    how = event.get("how", "raise")
    if how == "exit":
        os._exit(3)
    return brew(cups=0)


def brew(cups):
    # A function of its own, so that the stack trace has two frames to show.
    if not cups:
        raise OutOfCoffee("no beans left")
    return {"cups": cups}
