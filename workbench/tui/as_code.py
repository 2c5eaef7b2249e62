"""An invocation as a call of curl and as a case for pytest, each to be pasted and run against this engine. Pure."""

from __future__ import annotations

import json
import re
import shlex
from urllib.parse import quote

from workbench.live.view import InvocationView
from workbench.model.invocations import InvocationType
from workbench.model.names import Account
from workbench.model.text import one_line

#: Where nothing is known of the engine's own address.
ENDPOINT = "http://127.0.0.1:3001"
_STATUS = {InvocationType.REQUEST_RESPONSE: 200, InvocationType.EVENT: 202, InvocationType.DRY_RUN: 204}


def curl(view: InvocationView, event: str, endpoint: str | None, account: Account) -> str:
    """Invoke (Lambda API reference), signed by curl 7.75 or later. Any credentials pass unless auth is strict."""
    query = f"?Qualifier={quote(view.qualifier, safe='')}" if view.qualifier else ""
    url = f"{endpoint or ENDPOINT}/2015-03-31/functions/{quote(view.function, safe='')}/invocations{query}"
    options = [("aws-sigv4", f"aws:amz:{account.region}:lambda"), ("user", "workbench:workbench")]
    if view.type is not InvocationType.REQUEST_RESPONSE:
        options.append(("header", f"X-Amz-Invocation-Type: {view.type.value}"))
    # --data-raw: a text that begins with @ is no file.
    options += [("header", "Content-Type: application/json"), ("data-raw", event)]
    lines = [f"curl {shlex.quote(url)}", *(f"--{name} {shlex.quote(one_line(value))}" for name, value in options)]
    return " \\\n    ".join(lines)


def pytest_case(view: InvocationView, event: str, response: str | None, endpoint: str | None, account: Account) -> str:
    """A test that invokes with this event and expects what was answered. `response` is None where it is not whole."""
    options = [f'FunctionName="{view.function}"']
    if view.qualifier:
        options.append(f'Qualifier="{view.qualifier}"')
    if view.type is not InvocationType.REQUEST_RESPONSE:
        options.append(f'InvocationType="{view.type.value}"')
    checks = [f'assert answer["StatusCode"] == {_STATUS[view.type]}']
    if view.type is InvocationType.REQUEST_RESPONSE:
        if view.error_type is None:
            checks.append('assert "FunctionError" not in answer')
        else:
            checks.append('assert answer["FunctionError"] == "Unhandled"')
        if response is not None:
            checks.append(_expected(response, view.error_type))
    lines = [
        *(["import json", ""] if any("json." in check for check in checks) else []),
        "import boto3",
        "",
        "",
        f"def test_{re.sub(r'[^0-9a-zA-Z]+', '_', view.function).lower()}():",
        "    client = boto3.client(",
        '        "lambda",',
        f"        endpoint_url={(endpoint or ENDPOINT)!r},",
        f"        region_name={account.region!r},",
        '        aws_access_key_id="workbench",',
        '        aws_secret_access_key="workbench",',
        "    )",
        f"    event = {event.encode()!r}",
        f"    answer = client.invoke({', '.join(options)}, Payload=event)",
        *(f"    {check}" for check in checks),
    ]
    return "\n".join(lines)


def _expected(response: str, error_type: str | None) -> str:
    """Of an error the type alone: its text and stack are not what a test should hold still."""
    try:
        value = json.loads(response)
    except (ValueError, RecursionError):
        return f'assert answer["Payload"].read() == {response.encode()!r}'
    if error_type is not None and isinstance(value, dict) and "errorType" in value:
        return f'assert json.load(answer["Payload"])["errorType"] == {value["errorType"]!r}'
    return f'assert json.load(answer["Payload"]) == {value!r}'
