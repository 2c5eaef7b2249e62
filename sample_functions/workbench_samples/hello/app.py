"""The smallest useful function: an event in, a result out, one setting from the environment."""

import os

# Code outside the handler runs once per execution environment, in its INIT phase.
GREETING = os.environ.get("GREETING", "Hello")


def handler(event, context):
    """Greet event["name"]. What is returned becomes the JSON that the caller gets."""
    name = event.get("name", "world")
    return {"message": f"{GREETING}, {name}!"}
