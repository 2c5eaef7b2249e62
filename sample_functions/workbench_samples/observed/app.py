"""Watched by two extensions from a layer: they say in the log what they are told."""


def handler(event, context):
    print("at work")
    return {"message": "look at the log"}
