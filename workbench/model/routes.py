"""Routes of the HTTP front ends: which function answers which request, and in which of AWS's ways.

Source: API Gateway Developer Guide, "Routes for HTTP APIs" and "Set up a proxy resource"; Lambda Developer Guide,
"Function URLs".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

#: The route of an HTTP API, and of a function URL, that takes what no other does.
DEFAULT = "$default"
#: The method that stands for every one.
ANY = "ANY"


class ApiKind(StrEnum):
    """The kinds of front end."""

    REST = "rest"
    HTTP = "http"
    URL = "url"


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One method of one path, and the function behind it.

    `path` begins with a slash and may hold `{name}` and, at its end, `{name+}`; or it is `$default`. `payload` is the
    payload format version. `api` is the id of the API or of the function URL. `timeout` is in seconds, None for the
    function's own. `binary` are a REST API's binary media types. `auth` is a function URL's AuthType. `streaming` says
    that the response goes out as it is written (a function URL's InvokeMode RESPONSE_STREAM). `cors` is a function
    URL's, spelled as AWS does.
    """

    method: str
    path: str
    function: str
    qualifier: str | None = None
    kind: ApiKind
    payload: str
    stage: str
    api: str
    timeout: float | None = None
    binary: tuple[str, ...] = ()
    auth: str = "NONE"
    streaming: bool = False
    cors: Mapping[str, Any] | None = None

    def __str__(self) -> str:
        if self.kind is ApiKind.URL:
            return f"function URL /_url/{self.function}{f':{self.qualifier}' if self.qualifier else ''}/"
        return self.path if self.path == DEFAULT else f"{self.method} {self.path}"
