"""Takes memory until it is killed for it: Runtime.OutOfMemory in the REPORT line, and no stack trace at all."""

import os

STEP = 16  # MB at a time


def handler(event, context):
    limit = int(os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"])

    # Where nothing enforces the limit, stop at four times as much rather than take the machine down.
    hoard = []
    for taken in range(STEP, 4 * limit + 1, STEP):
        # Bytes that are not zero: the kernel hands out zero pages for free and counts a page when it is written.
        hoard.append(b"x" * (STEP * 1024 * 1024))
        print(f"holding {taken} MB of {limit} MB")

    return {"survived": f"took {taken} MB with a limit of {limit} MB: this backend does not enforce memory"}
