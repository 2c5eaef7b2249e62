"""Greets with a library that is not among its own files: it comes from a layer."""

import greetings


def handler(event, context):
    message = greetings.greet(event.get("name", "world"), event.get("language", "en"))
    return {"message": message, "library": greetings.__file__}
