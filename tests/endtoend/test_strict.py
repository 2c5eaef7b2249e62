"""`auth = "strict"`: who cannot read the state folder cannot call the Lambda API, whatever user he is (threats: 48)."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from tests.endtoend.conftest import SAMPLES, WORKBENCH, Served, Shell
from tests.endtoend.test_aws_clients import client_for

NOBODY = 65534


@pytest.fixture
def strict(shell: Shell, tmp_path: Path) -> Shell:
    project = tmp_path / "project"
    shutil.copytree(SAMPLES, project)
    (project / "workbench.toml").write_text('auth = "strict"\n')
    shell.env["WORKBENCH_PROJECT"] = str(project)
    return shell


def client_by_profile(shell: Shell, url: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """One whose profile asks `workbench credentials`, and to which nothing else of ours is told."""
    config = shell.state.parent / "aws-config"
    config.write_text(f"[profile bench]\nregion = us-east-1\ncredential_process = {WORKBENCH} credentials\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    for name in ("WORKBENCH_PROJECT", "WORKBENCH_STATE"):
        monkeypatch.setenv(name, shell.env[name])
    return boto3.Session(profile_name="bench").client("lambda", endpoint_url=url)


def code_of(client: Any) -> str:
    with pytest.raises(ClientError) as raised:
        client.list_functions()
    assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    return str(raised.value.response["Error"]["Code"])


def test_the_state_folder_s_credentials_pass_and_no_others(
    strict: Shell, serve: Callable[..., Served], monkeypatch: pytest.MonkeyPatch
) -> None:
    early = strict.run("credentials")
    assert (early.returncode, b"an engine makes them: workbench serve" in early.stderr) == (2, True)
    served = serve()
    assert strict.run("deploy").returncode == 0  # Workbench's own commands have a key of their own
    ours = client_by_profile(strict, served.url, monkeypatch)
    assert json.load(ours.invoke(FunctionName="hello", Qualifier="$LATEST", Payload=b"{}")["Payload"])
    kept = json.loads(strict.run("credentials").stdout)
    assert code_of(client_for(served.url)) == "UnrecognizedClientException"
    guessed = boto3.client(
        "lambda",
        endpoint_url=served.url,
        region_name="us-east-1",
        aws_access_key_id=kept["AccessKeyId"],
        aws_secret_access_key="guessed",
    )
    assert code_of(guessed) == "InvalidSignatureException"

    assert strict.run("stop").returncode == 0
    again = serve()
    assert json.loads(strict.run("credentials").stdout) == kept
    assert client_by_profile(strict, again.url, monkeypatch).list_functions()["Functions"]
    exported = subprocess.run(["sh", "-c", strict.run("credentials", "--export").stdout + b"env"], capture_output=True)
    assert f"AWS_SECRET_ACCESS_KEY={kept['SecretAccessKey']}\n".encode() in exported.stdout


def test_an_engine_that_was_started_before_is_said(strict: Shell, serve: Callable[..., Served]) -> None:
    settings = Path(strict.env["WORKBENCH_PROJECT"], "workbench.toml")
    settings.write_text("")
    serve()
    settings.write_text('auth = "strict"\n')
    done = strict.run("credentials")
    assert (done.returncode, b'was started with auth = "any"' in done.stderr) == (2, True)
    assert b'auth       "any" in the engine that runs, "strict" in workbench.toml' in strict.run("doctor").stdout
    assert strict.run("stop").returncode == 0
    serve()
    told = strict.run("status").stdout.decode()
    assert "the Lambda API takes what workbench credentials prints, and nothing else" in told
    assert "the Runtime API of functions in your own network is open to every user of this machine" in told


def test_another_user_cannot_read_them(strict: Shell, serve: Callable[..., Served]) -> None:
    serve()
    file = strict.state / "credentials.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(strict.state.stat().st_mode) == 0o700
    setpriv = shutil.which("setpriv")
    if os.geteuid() != 0 or setpriv is None:
        pytest.skip("needs root and setpriv to become another user")
    command = [setpriv, f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "cat", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert "Permission denied" in done.stderr


def test_a_function_url_with_aws_iam_wants_them_too(strict: Shell, serve: Callable[..., Served]) -> None:
    served = serve()
    assert strict.run("deploy").returncode == 0
    kept = json.loads(strict.run("credentials").stdout)
    pair = Credentials(kept["AccessKeyId"], kept["SecretAccessKey"])
    client = boto3.client(
        "lambda",
        endpoint_url=served.url,
        region_name="us-east-1",
        aws_access_key_id=pair.access_key,
        aws_secret_access_key=pair.secret_key,
    )
    client.create_function_url_config(FunctionName="hello", AuthType="AWS_IAM")
    url = f"{served.facts['gateway']}/_url/hello/"

    def status(credentials: Credentials) -> int:
        request = AWSRequest("GET", url)
        SigV4Auth(credentials, "lambda", "us-east-1").add_auth(request)
        try:
            with urllib.request.urlopen(urllib.request.Request(url, headers=dict(request.headers))) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            with error:
                return error.code

    assert (status(pair), status(Credentials("any", "any"))) == (200, 403)


@pytest.mark.parametrize("value", ['"Strict"', "true"])
def test_another_setting_is_none(strict: Shell, value: str) -> None:
    Path(strict.env["WORKBENCH_PROJECT"], "workbench.toml").write_text(f"auth = {value}\n")
    done = strict.run("credentials")
    assert done.returncode == 2
    assert b"'auth'" in done.stderr
