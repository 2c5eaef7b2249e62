"""What the scenarios are replayed against: an engine of its own, and moto for the services around it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ACCOUNT, REGION = "111111111111", "us-east-1"
_WORKBENCH = str(Path(sys.executable).parent / "workbench")
_MOTO = """
import logging
import sys
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
logging.getLogger("werkzeug").disabled = True
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()
server.stop()
"""
#: How long a program may take to end.
_END_SECONDS = 60


@dataclass(slots=True)
class Target:
    """Two endpoints: Lambda's, and that of every other service."""

    url: str
    services: str
    account: str = ACCOUNT
    region: str = REGION
    _clients: dict[tuple[str, bool], Any] = field(default_factory=dict)

    def client(self, service: str, *, validate: bool = True) -> Any:
        """A boto3 client; without `validate` it sends what botocore would refuse. Nothing is tried twice."""
        import boto3
        from botocore.config import Config

        client = self._clients.get((service, validate))
        if client is None:
            client = self._clients[service, validate] = boto3.client(
                service,
                endpoint_url=self.url if service == "lambda" else self.services,
                region_name=self.region,
                aws_access_key_id="test",
                aws_secret_access_key="test",
                config=Config(
                    parameter_validation=validate,
                    retries={"total_max_attempts": 1},
                    read_timeout=120,
                    s3={"addressing_style": "path"},
                ),
            )
        return client

    def close(self) -> None:
        for client in self._clients.values():
            client.close()


@contextmanager
def open_target(folder: Path) -> Iterator[Target]:
    """Start both in processes of their own, with the engine's state in `folder`."""
    (folder / "workbench.toml").write_text(f'account = "{ACCOUNT}"\nregion = "{REGION}"\n')
    with _child([sys.executable, "-c", _MOTO], {"MOTO_ACCOUNT_ID": ACCOUNT}) as port:
        services = f"http://127.0.0.1:{int(port)}"
        command = [_WORKBENCH, "serve", "--json", "--port", "0", "--gateway-port", "0", "--backend", "subprocess"]
        settings = {
            "WORKBENCH_PROJECT": str(folder),
            "WORKBENCH_STATE": str(folder / "state"),
            "AWS_ENDPOINT_URL": services,
        }
        with _child(command, settings) as line:
            target = Target(json.loads(line)["lambda"], services)
            try:
                yield target
            finally:
                target.close()


@contextmanager
def _child(command: list[str], variables: dict[str, str]) -> Iterator[str]:
    """A program that runs until we are done; the first line that it prints."""
    process = subprocess.Popen(
        command, env={**os.environ, **variables}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        if not line:
            raise RuntimeError(f"{command[0]} did not start")
        yield line
    finally:
        process.stdin.close()
        process.terminate()
        process.wait(_END_SECONDS)
        process.stdout.close()
