"""Sleeps past its Timeout: the environment is ended, and the caller gets Sandbox.Timedout."""

import time


def handler(event, context):
    # A function that may run long can look at the clock, and give up in good order.
    left = context.get_remaining_time_in_millis()
    print(f"{left} ms left, going to sleep for longer than that")
    time.sleep(left / 1000 + 60)
    return "nobody will ever read this"
