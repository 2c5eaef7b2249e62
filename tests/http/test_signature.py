"""What `auth = "strict"` lets in: held to AWS's documented signature, and to what botocore signs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as Botocore

from workbench.client.credentials import Credentials
from workbench.http.lambda_api.signature import Signatures
from workbench.http.messages import Request
from workbench.model.errors import ApiError

OURS = Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
INVALID, INCOMPLETE = "InvalidSignatureException", "IncompleteSignatureException"
PATHS = (
    "/2015-03-31/functions/",
    "/2015-03-31/functions/hello/invocations?Qualifier=%24LATEST",
    "/2015-03-31/functions/arn%3Aaws%3Alambda%3Aus-east-1%3A000000000000%3Afunction%3Ahello%3Alive/invocations",
    "/2017-03-31/tags/arn%3Aaws%3Alambda%3Aa%3A1%3Afunction%3Ah?tagKeys=b&tagKeys=a%20space&tagKeys=%C3%A9",
    "/2015-03-31/functions/?MaxItems=10&Marker=eyJ4IjoxfQ%3D%3D",
)


def signed(
    url: str, body: bytes = b"", credentials: Credentials = OURS, service: str = "lambda", **headers: str
) -> Request:
    """What botocore would send, as the wire hands it on."""
    request = AWSRequest(
        "POST", f"http://127.0.0.1:3001{url}", data=body, headers={"X-Amz-Log-Type": "Tail", **headers}
    )
    pair = Botocore(credentials.access_key_id, credentials.secret_access_key)
    SigV4Auth(pair, service, "eu-west-1").add_auth(request)
    path, _, query = url.partition("?")
    sent = {name.lower(): value for name, value in request.headers.items()}
    return Request("POST", path, query, {**sent, "host": "127.0.0.1:3001"}, body)


def error(request: Request, **options: Any) -> tuple[str, str]:
    with pytest.raises(ApiError) as raised:
        Signatures(OURS, **options).check(request)
    return raised.value.code, raised.value.message


def test_aws_s_own_example() -> None:
    # `get-vanilla` of AWS's Signature Version 4 test suite.
    scope = "AKIDEXAMPLE/20150830/us-east-1/service/aws4_request"
    signature = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
    authorization = f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host;x-amz-date, Signature={signature}"
    headers = {"host": "example.amazonaws.com", "x-amz-date": "20150830T123600Z", "authorization": authorization}
    signatures = Signatures(OURS, lambda: datetime(2015, 8, 30, 12, 36, tzinfo=UTC), "service")
    signatures.check(Request("GET", "/", "", headers, b""))
    with pytest.raises(ApiError):
        signatures.check(Request("GET", "/", "a=b", headers, b""))


@pytest.mark.parametrize("url", PATHS)
def test_what_botocore_signs_is_let_in(url: str) -> None:
    assert Signatures(OURS).refuse(signed(url, b'{"a": 1}', **{"X-Amz-Note": "two  spaces "})) is None


@pytest.mark.parametrize("part", ["method", "path", "query", "body", "x-amz-log-type", "host", "signature"])
def test_nothing_that_was_signed_can_be_changed(part: str) -> None:
    request = signed(PATHS[1], b"{}")
    if part == "signature":
        request.headers["authorization"] = request.headers["authorization"][:-1] + "!"
    elif part in request.headers:
        request.headers[part] += "x"
    else:
        value = getattr(request, part)
        setattr(request, part, value + (b"x" if isinstance(value, bytes) else "x"))
    code, message = error(request)
    assert code == "InvalidSignatureException"
    assert message.startswith("The request signature we calculated does not match the signature you provided.")


def test_the_secret_is_asked_for_and_not_the_name_alone() -> None:
    assert error(signed("/", credentials=Credentials("AKIDEXAMPLE", "guessed")))[0] == "InvalidSignatureException"
    assert error(signed("/", credentials=Credentials("any", "any"))) == (
        "UnrecognizedClientException",
        "The security token included in the request is invalid.",
    )


@pytest.mark.parametrize(("minutes", "what"), [(-5.1, "Signature not yet current"), (5.1, "Signature expired")])
def test_a_signature_is_good_for_five_minutes(minutes: float, what: str) -> None:
    now = datetime.now(UTC)
    request = signed("/")
    assert Signatures(OURS, lambda: now + timedelta(minutes=minutes * 0.9)).refuse(request) is None
    code, message = error(request, now=lambda: now + timedelta(minutes=minutes))
    assert (code, message.partition(":")[0]) == ("InvalidSignatureException", what)


def test_it_is_good_for_lambda_alone() -> None:
    assert error(signed("/", service="s3")) == (
        "InvalidSignatureException",
        "Credential should be scoped to correct service: 'lambda'. ",
    )


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ("", INCOMPLETE),
        ("Credential=AKIDEXAMPLE", INCOMPLETE),
        ("Credential=AKIDEXAMPLE/1, SignedHeaders=host, Signature=0", INCOMPLETE),
        ("Credential=AKIDEXAMPLE/19700101/r/lambda/aws4_request, SignedHeaders=host, Signature=0", INVALID),
        ("Credential=AKIDEXAMPLE/{day}/r/lambda/aws4_request, SignedHeaders=date, Signature=0", INVALID),
        ("Credential=AKIDEXAMPLE/{day}/\xff/lambda/aws4_request, SignedHeaders=host, Signature=\xff", INVALID),
    ],
)
def test_what_is_no_signature_at_all_is_refused_in_aws_s_words(parameters: str, code: str) -> None:
    request = signed("/")
    day = request.headers["x-amz-date"][:8]
    request.headers["authorization"] = "AWS4-HMAC-SHA256 " + parameters.replace("{day}", day)
    assert error(request)[0] == code
    refused = Signatures(OURS).refuse(request)
    assert refused is not None
    assert refused.status == 403
    del request.headers["x-amz-date"]
    assert error(request)[0] == "IncompleteSignatureException"


@pytest.mark.parametrize(
    "names", ["x-amz-date;x-amz-log-type", "host;host;x-amz-date;x-amz-log-type", "host;x-amz-date"]
)
def test_what_is_acted_on_is_signed_and_once(names: str) -> None:
    request = signed("/")
    signed_names = "host;x-amz-date;x-amz-log-type"
    assert signed_names in request.headers["authorization"]
    request.headers["authorization"] = request.headers["authorization"].replace(signed_names, names)
    assert error(request)[1].startswith("'Host' and each 'X-Amz-' header must be a 'SignedHeader'")


@pytest.mark.parametrize("url", ["/_url/open/../hello/", "/./a", f"/?{'a=b&' * 200}"])
def test_what_is_signed_is_what_is_routed_and_of_bounded_size(url: str) -> None:
    assert error(signed(url))[0] == INVALID


def test_before_the_body_is_there_it_is_looked_who_asks() -> None:
    head = signed("/", b"a body")
    head.body = b""
    assert Signatures(OURS).refuse_head(head) is None
    assert Signatures(OURS).refuse(head) is not None
    assert Signatures(OURS).refuse_head(signed("/", credentials=Credentials("any", "any"))) is not None
