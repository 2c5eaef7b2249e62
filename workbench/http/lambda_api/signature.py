"""Whether a request was signed with the state folder's own credentials: `auth = "strict"` of workbench.toml.

Source: AWS IAM User Guide, "Create a signed AWS API request" (Signature Version 4); the answers are AWS's.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, unquote

from workbench.client.credentials import Credentials
from workbench.http.lambda_api.shape import failure
from workbench.http.messages import Request, Response
from workbench.model.errors import ApiError

_ALGORITHM = "AWS4-HMAC-SHA256"
#: How far the client's clock may be from ours.
_SKEW = timedelta(minutes=5)
_TIME = "%Y%m%dT%H%M%SZ"
_PARAMETERS = ("Credential", "Signature", "SignedHeaders")
_SPACES, _SLASHES = re.compile(r" +"), re.compile(r"/+")
_DOTS = frozenset({".", ".."})
_MOST_PAIRS = 200


class UnrecognizedClient(ApiError):
    """Signed by somebody whom nobody knows."""

    code, status, message_key, kind = "UnrecognizedClientException", 403, "message", None


class InvalidSignature(ApiError):
    """Another signature than the right one, or one of another time."""

    code, status, message_key, kind = "InvalidSignatureException", 403, "message", None


class IncompleteSignature(ApiError):
    """Something of the signature is not there."""

    code, status, message_key, kind = "IncompleteSignatureException", 403, "message", None


@dataclass(frozen=True, slots=True)
class _Claim:
    """What a request says of its signature; `scope` is day, region, service and `aws4_request`."""

    scope: tuple[str, ...]
    names: list[str]
    signed_at: str
    signature: str


class Signatures:
    """Checks signatures for one of AWS's services. `now` is the time in UTC."""

    def __init__(
        self,
        credentials: Credentials,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        service: str = "lambda",
    ) -> None:
        self._credentials = credentials
        self._now = now
        self._service = service

    def refuse(self, request: Request) -> Response | None:
        """A 403 unless the whole request was signed with the credentials, for the service, in time."""
        return _refusal(self.check, request)

    def refuse_head(self, request: Request) -> Response | None:
        """The same before the body is there, and so before the signature can be checked: by what it claims."""
        return _refusal(self._claim, request)

    def check(self, request: Request) -> None:
        """Return if it was.

        Raises:
            ApiError: it was not; AWS's code and words.
        """
        claim = self._claim(request)
        digest = hashlib.sha256(_canonical(request, claim.names)).hexdigest()
        to_sign = "\n".join((_ALGORITHM, claim.signed_at, "/".join(claim.scope), digest))
        key = f"AWS4{self._credentials.secret_access_key}".encode()
        for step in (*claim.scope, to_sign):
            key = hmac.digest(key, step.encode(), "sha256")
        if not hmac.compare_digest(key.hex().encode(), claim.signature.encode()):
            raise InvalidSignature(
                "The request signature we calculated does not match the signature you provided. Check your AWS Secret "
                "Access Key and signing method. Consult the service documentation for details."
            )

    def _claim(self, request: Request) -> _Claim:
        headers = request.headers
        authorization = headers.get("authorization", "")
        given = dict(
            part.strip().partition("=")[::2] for part in authorization.removeprefix(_ALGORITHM).strip().split(",")
        )
        missing = [f"Authorization header requires '{name}' parameter." for name in _PARAMETERS if not given.get(name)]
        signed_at = headers.get("x-amz-date", "")
        if not signed_at:
            missing.append("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")
        if missing:
            raise IncompleteSignature(" ".join(missing))
        identifier, _, scope = given["Credential"].partition("/")
        if identifier != self._credentials.access_key_id:
            raise UnrecognizedClient("The security token included in the request is invalid.")
        parts = tuple(scope.split("/"))
        if len(parts) != 4:
            raise IncompleteSignature(
                "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got "
                f"'{given['Credential']}'"
            )
        day, _, service, terminator = parts
        if service != self._service:
            raise InvalidSignature(f"Credential should be scoped to correct service: '{self._service}'. ")
        if terminator != "aws4_request" or not signed_at.startswith(day):
            raise InvalidSignature("Credential should be scoped with a valid date and terminated by 'aws4_request'.")
        self._check_time(signed_at)
        names = given["SignedHeaders"].split(";")
        # What is acted on must have been signed. Each once: who repeats a long one would have us build a longer one.
        acted_on = {"host", *(name for name in headers if name.startswith("x-amz-"))}
        if len(set(names)) != len(names) or not acted_on.issubset(names):
            raise InvalidSignature(
                "'Host' and each 'X-Amz-' header must be a 'SignedHeader' in the AWS Authorization, once."
            )
        if not _DOTS.isdisjoint(request.path.split("/")) or request.query.count("&") >= _MOST_PAIRS:
            raise InvalidSignature("The path has a dot segment, or the query too many fields, to be signed.")
        return _Claim(parts, names, signed_at, given["Signature"])

    def _check_time(self, signed_at: str) -> None:
        try:
            signed = datetime.strptime(signed_at, _TIME).replace(tzinfo=UTC)
        except ValueError:
            raise IncompleteSignature(
                f"Date must be in ISO-8601 'basic format'. Got '{signed_at}'. See http://en.wikipedia.org/wiki/ISO_8601"
            ) from None
        now = self._now()
        if signed < now - _SKEW:
            raise InvalidSignature(
                f"Signature expired: {signed_at} is now earlier than {now - _SKEW:{_TIME}} ({now:{_TIME}} - 5 min.)"
            )
        if signed > now + _SKEW:
            raise InvalidSignature(
                f"Signature not yet current: {signed_at} is still later than {now + _SKEW:{_TIME}} "
                f"({now:{_TIME}} + 5 min.)"
            )


def _refusal(check: Callable[[Request], object], request: Request) -> Response | None:
    try:
        check(request)
    except ApiError as error:
        return failure(error, str(uuid.uuid4()))
    return None


def _canonical(request: Request, names: list[str]) -> bytes:
    """What was signed, of what has arrived. There are no dot segments: who signs resolves them, who routes does not."""
    path = _SLASHES.sub("/", request.path) or "/"
    pairs = sorted(tuple(map(_encoded, pair.partition("=")[::2])) for pair in request.query.split("&") if pair)
    lines = (
        request.method,
        quote(path, safe="/~", encoding="latin-1"),
        "&".join(f"{name}={value}" for name, value in pairs),
        *(f"{name}:{_SPACES.sub(' ', request.headers.get(name, '').strip())}" for name in names),
        "",
        ";".join(names),
        hashlib.sha256(request.body).hexdigest(),
    )
    return "\n".join(lines).encode("latin-1", "replace")


def _encoded(text: str) -> str:
    return quote(unquote(text), safe="-_.~")
