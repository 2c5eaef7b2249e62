"""Media types, and a REST API's list of those that it takes for binary.

Source: API Gateway Developer Guide, "Binary media types for REST APIs" and "Return binary media from a Lambda proxy
integration" (the first media type of Accept decides).
"""

from __future__ import annotations


def media_type(header: str | None) -> str:
    """The media type of a Content-Type header, or the first one of an Accept header, in lower case; empty if none."""
    return (header or "").partition(",")[0].partition(";")[0].strip().lower()


def matches(kind: str, binary: tuple[str, ...]) -> bool:
    """Is this one of the binary media types? They may end in `/*`; `*/*` takes all."""
    for pattern in binary:
        pattern = pattern.lower()
        if pattern in ("*/*", kind) or (pattern.endswith("/*") and kind.startswith(pattern[:-1])):
            return True
    return False
