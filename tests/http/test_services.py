"""What the API asks of other services, against an S3 and an EC2 of the test's own."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

import pytest

from workbench.http.services import NoServices, ServicesAt
from workbench.model.errors import InvalidParameterValue

NO_KEY = "<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message></Error>"
NO_SUBNET = (
    "<Response><Errors><Error><Code>InvalidSubnetID.NotFound</Code><Message>The subnet ID 'subnet-9' does not exist"
    "</Message></Error></Errors><RequestID>1</RequestID></Response>"
)
SUBNETS = (
    '<DescribeSubnetsResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><subnetSet><item>'
    "<subnetId>subnet-1</subnetId><vpcId>vpc-1</vpcId></item></subnetSet></DescribeSubnetsResponse>"
)


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path.startswith("/bucket/code.zip"):
            self._send(200, "v2" if "versionId=2" in self.path else "v1")
        else:
            self._send(404, NO_KEY)

    def do_POST(self) -> None:
        form = parse_qs(self.rfile.read(int(self.headers["content-length"])).decode())
        if form["Action"] == ["DescribeSubnets"]:
            known = form["SubnetId.1"] == ["subnet-1"]
            self._send(200 if known else 400, SUBNETS if known else NO_SUBNET)
        else:
            self._send(501, "<Response/>")

    def _send(self, status: int, body: str) -> None:
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def services(monkeypatch: pytest.MonkeyPatch) -> Iterator[ServicesAt]:
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL_EC2", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    opened = ServicesAt(f"http://127.0.0.1:{server.server_port}", "us-east-1")
    yield opened
    opened.close()
    server.shutdown()
    thread.join()
    server.server_close()


async def test_an_object_and_one_version_of_it(services: ServicesAt) -> None:
    assert await services.get_object("bucket", "code.zip", None) == b"v1"
    assert await services.get_object("bucket", "code.zip", "2") == b"v2"


async def test_an_object_that_is_not_there_is_missed_in_the_words_of_aws(services: ServicesAt) -> None:
    with pytest.raises(InvalidParameterValue) as caught:
        await services.get_object("bucket", "other.zip", None)
    assert caught.value.message == (
        "Error occurred while GetObject. S3 Error Code: NoSuchKey. S3 Error Message: The specified key does not exist."
    )


async def test_subnets_lead_to_their_vpc(services: ServicesAt) -> None:
    assert await services.vpc_of(["subnet-1"], ["sg-1"]) == "vpc-1"
    assert await services.vpc_of([], []) is None
    with pytest.raises(InvalidParameterValue, match=r"EC2 Error Code: InvalidSubnetID\.NotFound\. EC2 Error Message"):
        await services.vpc_of(["subnet-9"], [])


async def test_without_an_endpoint_nothing_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.delenv("AWS_ENDPOINT_URL_S3", raising=False)
    for services in (NoServices(), ServicesAt(None, "us-east-1")):
        with pytest.raises(InvalidParameterValue, match="no endpoint of S3 is configured"):
            await services.get_object("bucket", "code.zip", None)
        assert await services.vpc_of(["subnet-1"], []) is None


async def test_a_service_that_does_not_answer_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1")
    services = ServicesAt(None, "us-east-1")
    with pytest.raises(InvalidParameterValue, match=r"s3://bucket/code\.zip cannot be fetched: Could not"):
        await services.get_object("bucket", "code.zip", None)
    services.close()


async def test_an_endpoint_that_is_no_url_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL_EC2", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    services = ServicesAt("localhost:4566", "us-east-1")
    with pytest.raises(InvalidParameterValue, match=r"code\.zip cannot be fetched: Invalid endpoint: localhost:4566"):
        await services.get_object("bucket", "code.zip", None)
    with pytest.raises(InvalidParameterValue, match="EC2 cannot be asked: Invalid endpoint: localhost:4566"):
        await services.vpc_of(["subnet-1"], [])
