"""Who may speak to the AWS endpoint at all: programs on this machine, never a web page.

A page that a browser shows can send requests to loopback. What it cannot do, across origins, is name a loopback host
after DNS rebinding, leave `Origin` out of what mutates, or set `Authorization`. Any credentials
pass here; the module `signature` checks them where they matter.
Source: Fetch standard, "CORS protocol" and "Sec-Fetch-Site"; the answers are AWS's.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection

from workbench.http.lambda_api.shape import failure
from workbench.http.messages import Request, Response
from workbench.model.errors import AccessDenied, ApiError

_SCHEME = "AWS4-HMAC-SHA256 "
#: What a browser says of a request that no page made. A page on another local port is `same-site`.
_NO_OTHER_SITE = (None, "none", "same-origin")


class MissingAuthenticationToken(ApiError):
    """AWS's answer to a request that nobody signed."""

    code, status, message_key, kind = "MissingAuthenticationTokenException", 403, "message", None


def loopback_hosts(port: int) -> frozenset[str]:
    """The `Host` headers of a client that addresses this port on this machine by a name of the loopback."""
    names = ("localhost", "127.0.0.1", "[::1]")
    hosts = {f"{name}:{port}" for name in names}
    return frozenset(hosts.union(names) if port == 80 else hosts)


def refuse(request: Request, allowed_hosts: Collection[str]) -> Response | None:
    """A 403 for a request that AWS's endpoint must not serve, before it is routed; None for one that it may."""
    refused = refuse_web(request, allowed_hosts)
    if refused is None and not request.headers.get("authorization", "").startswith(_SCHEME):
        refused = _forbidden(MissingAuthenticationToken("Missing Authentication Token"))
    return refused


def refuse_web(request: Request, allowed_hosts: Collection[str]) -> Response | None:
    """A 403 for what a web page may have sent; None for the rest, signed or not."""
    headers = request.headers
    host = headers.get("host", "")
    if host not in allowed_hosts and host.lower() not in allowed_hosts:
        return _forbidden(AccessDenied(f"This endpoint answers to its loopback name only, not to Host '{host[:128]}'"))
    if "origin" in headers or headers.get("sec-fetch-site") not in _NO_OTHER_SITE:
        return _forbidden(AccessDenied("This endpoint answers no web page"))
    return None


def _forbidden(error: ApiError) -> Response:
    return failure(error, str(uuid.uuid4()))
