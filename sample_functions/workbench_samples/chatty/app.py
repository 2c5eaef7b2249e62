"""Logs in every way that a Python function can. All of it arrives, in this order, stamped with the request id."""

import logging
import os
import sys

# Lambda has already given the root logger a handler, so basicConfig() would do nothing. Its level is WARNING: without
# this line, info and debug records never leave the function.
logger = logging.getLogger()
logger.setLevel(os.environ.get("LOG_LEVEL", "INFO"))


def handler(event, context):
    print("print goes to standard output, as it is")
    print("standard error arrives too", file=sys.stderr)

    logger.debug("a debug record: LOG_LEVEL is DEBUG in the template")
    logger.info("an info record, with its level, time and request id in front")
    logger.warning("a warning")
    logger.error("an error record is a log line: the invocation still succeeds")

    print("one print,\nthree lines,\nthree log lines")
    print("any alphabet: žluťoučký kůň, 東京, Ελλάδα, 🦜")

    try:
        1 / 0  # noqa: B018 - the point is the traceback
    except ZeroDivisionError:
        logger.exception("an exception that was caught, with its traceback")

    # {"lines": 100000} shows what happens when a function says too much.
    lines = event.get("lines", 0)
    for number in range(1, lines + 1):
        print(f"line {number} of {lines}")

    return {"lines": lines}
