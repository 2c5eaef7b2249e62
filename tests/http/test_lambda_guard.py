"""Web pages and unsigned requests are refused before routing."""

import pytest

from tests.http.conftest import error_of
from workbench.http.lambda_api.guard import loopback_hosts, refuse, refuse_web
from workbench.http.messages import Request

HOSTS = loopback_hosts(3001)
SIGNED = {"authorization": "AWS4-HMAC-SHA256 Credential=any/20261123/us-east-1/lambda/aws4_request, Signature=0"}
GOOD = {"host": "localhost:3001", **SIGNED}


def request(headers, method="POST", path="/2015-03-31/functions/fn/invocations"):
    return Request(method, path, "", headers, b"{}")


@pytest.mark.parametrize("host", ["localhost:3001", "127.0.0.1:3001", "[::1]:3001", "LocalHost:3001"])
def test_any_credentials_pass_by_a_loopback_name(host):
    assert refuse(request({"host": host, **SIGNED}), HOSTS) is None


@pytest.mark.parametrize(
    "host",
    [
        "evil.com",
        "evil.com:3001",
        "127.0.0.1.nip.io:3001",
        "0.0.0.0:3001",
        "localhost",
        "localhost:3002",
        "localhost:3001.evil.com",
        "localhost.:3001",
        "user@localhost:3001",
        "127.0.0.1:3001\x00",
        "127.1:3001",
        "",
        None,
    ],
)
def test_other_hosts_are_refused(host):
    headers = {**GOOD, "host": host}
    if host is None:
        del headers["host"]
    status, code, body = error_of(refuse(request(headers), HOSTS))
    assert (status, code) == (403, "AccessDeniedException")
    assert "loopback" in body["Message"]


@pytest.mark.parametrize(
    "extra",
    [
        {"origin": "http://evil.com"},
        {"origin": "null"},
        {"origin": "http://localhost:3001"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
def test_web_pages_are_refused_without_cors_headers(extra, method):
    response = refuse(request({**GOOD, **extra}, method), HOSTS)
    assert error_of(response)[:2] == (403, "AccessDeniedException")
    assert not [name for name, _ in response.headers if name.lower().startswith("access-control")]


def test_a_preflight_for_a_private_network_is_refused():
    headers = {
        "host": "127.0.0.1:3001",
        "origin": "https://evil.com",
        "access-control-request-method": "POST",
        "access-control-request-private-network": "true",
    }
    assert refuse(request(headers, "OPTIONS"), HOSTS).status == 403


@pytest.mark.parametrize("authorization", [None, "", "Basic YTpi", "Bearer token", "AWS4-HMAC-SHA256"])
def test_unsigned_requests_are_refused(authorization):
    headers = {"host": "localhost:3001", "content-type": "text/plain"}
    if authorization is not None:
        headers["authorization"] = authorization
    assert error_of(refuse(request(headers), HOSTS)) == (
        403,
        "MissingAuthenticationTokenException",
        {"message": "Missing Authentication Token"},
    )


def test_what_is_not_awss_needs_no_signature_but_no_web_page_either():
    assert refuse_web(request({"host": "localhost:3001"}), HOSTS) is None
    assert refuse_web(request({**GOOD, "host": "evil.com"}), HOSTS).status == 403
    assert refuse_web(request({**GOOD, "origin": "null"}), HOSTS).status == 403


def test_port_80_may_go_unsaid():
    assert refuse(request({**GOOD, "host": "localhost"}), loopback_hosts(80)) is None
