"""What functions reach, by the mode of their network; and how they come to their bucket in every one of them."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from tests.plugins.test_uplink import HELPERS, gateway
from tests.security import ordinary
from tests.security.arena import ROOT, Arena, arena, programs
from tests.support import require_tool
from workbench_bubblewrap import uplink

pytestmark = pytest.mark.bubblewrap
ORDINARY = pytest.param("ordinary", marks=pytest.mark.soak)
MOTO = """
import logging, sys
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
logging.getLogger("werkzeug").disabled = True
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()
server.stop()
"""
READER = """
import os, urllib.request
def handler(event, context):
    return urllib.request.urlopen(os.environ["AWS_ENDPOINT_URL"] + "/bucket/key", timeout=5).read().decode()
"""
#: Asks the engine, as far as the services' listener leads there, for all functions.
ASKER = """
import http.client
def handler(event, context):
    connection = http.client.HTTPConnection("127.0.0.1", 9002, timeout=5)
    signed = "AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/lambda/aws4_request, SignedHeaders=host, Signature=0"
    try:
        headers = {"Host": event["host"], "Authorization": signed, "X-Amz-Date": "20260101T000000Z"}
        connection.request("GET", "/2015-03-31/functions/", headers=headers)
        return connection.getresponse().read().decode()
    except (OSError, http.client.HTTPException):
        return "refused"
"""
#: Listens in its own network, and goes on to do so while it is frozen.
NEIGHBOUR = """
import socket
server = socket.create_server(("0.0.0.0", 7777))
def handler(event, context):
    return server.getsockname()[1]
"""


@pytest.fixture(scope="module")
def services() -> Iterator[str]:
    """The URL of services with one object in one bucket."""
    pytest.importorskip("moto")
    process = subprocess.Popen([sys.executable, "-c", MOTO], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdin is not None
    url = f"http://127.0.0.1:{int(process.stdout.readline())}"
    s3 = boto3.client(
        "s3", endpoint_url=url, region_name="us-east-1", aws_access_key_id="any", aws_secret_access_key="any"
    )
    s3.create_bucket(Bucket="bucket")
    s3.put_object(Bucket="bucket", Key="key", Body=b"what is in it", ACL="public-read")
    s3.close()
    yield url
    process.stdin.close()
    process.wait(20)
    process.stdout.close()


@pytest.fixture(scope="module", params=["root", ORDINARY])
def host(request: pytest.FixtureRequest, services: str) -> Iterator[Arena]:
    """Functions have no network, but for `roamer` and `roaming-reader`."""
    require_tool("slirp4netns")
    if uplink.find()[0] is None:
        pytest.skip(uplink.find()[1])
    modes = '[network]\n"*" = "none"\nroamer = "internet"\nroaming-reader = "internet"\n'
    with arena(user=request.param, settings=f'services = "{services}"\n{modes}') as opened:
        yield opened


@pytest.mark.parametrize("name", ["reader", "roaming-reader"])
def test_a_bucket_is_read_on_every_network(name: str, host: Arena) -> None:
    host.create(name, "app.handler", {"app.py": READER})
    assert host.invoke(name) == "what is in it"


def test_none_reaches_neither_the_host_nor_the_api_nor_another_environment(host: Arena, services: str) -> None:
    host.create("neighbour", "app.handler", {"app.py": NEIGHBOUR})
    port = host.invoke("neighbour")
    outside = [*host.facts["ports"], *host.facts["local_ports"], int(services.rpartition(":")[2])]
    assert host.got("control_api", ports=[*outside, port]) == []
    assert host.got("interfaces") == []
    assert host.got("abstract_unix") == []


def test_the_internet_is_not_the_host_s_loopback(host: Arena, services: str) -> None:
    host.create("roamer", "attack.handler", programs())
    ports = [*host.facts["local_ports"], int(services.rpartition(":")[2])]
    names = ["10.0.2.2", "10.0.2.3", "10.0.2.100", "169.254.1.1", gateway(), *host.facts["addresses"]]
    answer = host.run("control_api", "roamer", ports=ports, addresses=names)
    assert answer["Payload"]["got"] == []
    assert host.run("abstract_unix", "roamer")["Payload"]["got"] == []
    assert host.run("interfaces", "roamer")["Payload"]["got"][0] == "eth0"


def test_the_services_listener_is_no_way_to_the_engine() -> None:
    """AWS_ENDPOINT_URL, or the project, may name the engine itself: for its user, who does not mean its functions."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with arena(settings=f'network = "none"\nservices = "http://localhost:{port}"\n', port=port) as opened:
        opened.create("asker", "app.handler", {"app.py": ASKER})
        assert opened.invoke("asker", {"host": f"127.0.0.1:{port}"}) == "refused"


@pytest.mark.soak
def test_the_host_s_network_is_labelled_unsafe() -> None:
    with arena(settings='network = "host"\n') as opened:
        status = opened.command("status").decode()
        assert "functions in your own network (unsafe): all" in status
        assert len(opened.got("control_api", ports=opened.facts["local_ports"])) > 0


@pytest.mark.soak
@pytest.mark.parametrize("name", HELPERS)
def test_each_helper_works_for_an_ordinary_user(name: str) -> None:
    if shutil.which(name) is None:
        pytest.skip(f"needs {name}")
    with tempfile.TemporaryDirectory() as folder:
        os.chown(folder, ordinary.UID, ordinary.UID)
        done = subprocess.run(
            [*ordinary.command(ROOT), sys.executable, "-m", "tests.plugins.test_uplink", name, folder],
            cwd=ROOT,
            env={"PATH": os.environ["PATH"], "HOME": folder, "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            timeout=100,
        )
        assert done.stdout == "held\n", done.stderr
        assert Path(folder).exists()
