"""AWS's event stream encoding: frames of headers and a payload, each with two checksums.

Source: Smithy, "Amazon Event Stream Specification"; Lambda API reference, InvokeWithResponseStream.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from zlib import crc32

CONTENT_TYPE = "application/vnd.amazon.eventstream"
#: The number of the header type that Lambda's events use.
_STRING = 7


def event(kind: str, content_type: str, payload: bytes) -> bytes:
    """One event of an operation's output stream, as it stands on the wire."""
    headers = {":message-type": "event", ":event-type": kind, ":content-type": content_type}
    return frame(headers, payload)


def frame(headers: Mapping[str, str], payload: bytes) -> bytes:
    """A frame whose headers are all strings."""
    encoded = b"".join(_header(name, value) for name, value in headers.items())
    prelude = struct.pack("!II", 16 + len(encoded) + len(payload), len(encoded))
    head = prelude + struct.pack("!I", crc32(prelude)) + encoded
    return head + payload + struct.pack("!I", crc32(payload, crc32(head)))


def _header(name: str, value: str) -> bytes:
    text = value.encode("utf-8")
    return struct.pack("!B", len(name)) + name.encode("ascii") + struct.pack("!BH", _STRING, len(text)) + text
