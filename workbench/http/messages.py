"""One HTTP request and one response, as values between the wire and the handlers."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field


@dataclass(slots=True)
class Request:
    """`path` is as sent, still percent-encoded; `query` is without the `?`; header names are lower case."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes


@dataclass(slots=True)
class Response:
    """`content-length` is added by the wire."""

    status: int
    body: bytes = b""
    headers: list[tuple[str, str]] = field(default_factory=list)


@dataclass(slots=True)
class StreamedResponse:
    """A response whose body comes piece by piece. The wire frames it, and closes `body` when the client goes away."""

    status: int
    body: AsyncGenerator[bytes, None]
    headers: list[tuple[str, str]] = field(default_factory=list)
