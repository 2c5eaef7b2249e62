"""CORS of function URLs: preflight requests are answered from the configuration, other answers get its headers.

Source: Lambda Developer Guide, "Function URLs", cross-origin resource sharing; Fetch standard, "CORS protocol".
Headers that the function sets itself are kept beside these, as on AWS.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workbench.http.gateway.events import Pairs
from workbench.http.messages import Response


def preflight(cors: Mapping[str, Any], method: str, headers: Mapping[str, str]) -> Response | None:
    """The answer to a preflight request; None for any other."""
    if method != "OPTIONS" or "origin" not in headers or "access-control-request-method" not in headers:
        return None
    allowed = marks(cors, headers)
    if not allowed:
        return Response(200, b"", [])
    for member, name in (
        ("AllowMethods", "Access-Control-Allow-Methods"),
        ("AllowHeaders", "Access-Control-Allow-Headers"),
    ):
        if cors.get(member):
            allowed.append((name, ",".join(cors[member])))
    if cors.get("MaxAge") is not None:
        allowed.append(("Access-Control-Max-Age", str(cors["MaxAge"])))
    return Response(200, b"", allowed)


def marks(cors: Mapping[str, Any], headers: Mapping[str, str]) -> Pairs:
    """The headers for a request from an origin that is allowed; none for others, and for requests without one."""
    origin = headers.get("origin")
    origins = cors.get("AllowOrigins", ())
    if origin is None or not ("*" in origins or origin in origins):
        return []
    credentials = cors.get("AllowCredentials", False)
    found = [("Access-Control-Allow-Origin", origin if credentials or "*" not in origins else "*")]
    if found[0][1] != "*":
        found.append(("Vary", "Origin"))
    if credentials:
        found.append(("Access-Control-Allow-Credentials", "true"))
    if cors.get("ExposeHeaders"):
        found.append(("Access-Control-Expose-Headers", ",".join(cors["ExposeHeaders"])))
    return found
