"""The refusals of the Runtime API, in AWS's words.

Source: Lambda Developer Guide, "Using the Lambda runtime API for custom runtimes"; messages as in AWS's runtime
interface emulator.
"""

from __future__ import annotations

from workbench.engine.ports import Answer

INVALID_REQUEST_ID = Answer(400, "InvalidRequestID", "Invalid request ID")
TRUNCATED = Answer(400, "TruncatedHTTPRequest", "HTTP request detected as truncated")


def forbidden(action: str) -> Answer:
    """The runtime is not in a state to do that."""
    return Answer(403, "InvalidStateTransition", f"State transition is not allowed: {action}")


def entity_too_large(limit: int) -> Answer:
    """A response of more bytes than it may have."""
    return Answer(413, "RequestEntityTooLarge", f"Exceeded maximum allowed payload size ({limit} bytes).")
