"""Raises while it is imported, as a function with a forgotten setting does. Its handler is never called."""

import os

if "COFFEE_MACHINE_URL" not in os.environ:
    raise RuntimeError("COFFEE_MACHINE_URL is not set: add it under Environment in template.yaml")


def handler(event, context):
    return {"machine": os.environ["COFFEE_MACHINE_URL"]}
