"""Takes its time, so that there is something to watch.

An execution environment serves one invocation at a time: fire this function five times at once, and Lambda starts
five of them.
"""

import time


def handler(event, context):
    seconds = event.get("seconds", 1)
    time.sleep(seconds)
    return {"slept": seconds}
