"""An invocation as curl and as a pytest case: what a shell and Python make of the texts is what was meant."""

import io
import json
import shlex
import sys
from types import SimpleNamespace

import pytest

from workbench.live.view import InvocationView
from workbench.model.invocations import InvocationStatus, InvocationType
from workbench.model.names import Account
from workbench.tui.as_code import curl, pytest_case

URL = "http://127.0.0.1:3001"


def view(**more) -> InvocationView:
    return InvocationView(
        **{
            "request_id": "r-1",
            "function": "hello",
            "qualifier": "$LATEST",
            "version": "$LATEST",
            "type": InvocationType.REQUEST_RESPONSE,
            "status": InvocationStatus.SUCCESS,
            "wall": 0.0,
            "accepted": 0,
        }
        | more
    )


@pytest.mark.parametrize("event", ["{}", '{"a": "$(reboot) \'; `x`"}', "@/etc/passwd"])
def test_curl(event):
    words = shlex.split(curl(view(type=InvocationType.EVENT), event, URL, Account()).replace("\\\n", " "))
    assert words[:2] == ["curl", f"{URL}/2015-03-31/functions/hello/invocations?Qualifier=%24LATEST"]
    options = list(zip(words[2::2], words[3::2], strict=True))
    assert ("--aws-sigv4", f"aws:amz:{Account().region}:lambda") in options
    assert ("--header", "X-Amz-Invocation-Type: Event") in options
    assert options[-1] == ("--data-raw", event)


def run(case: str, monkeypatch: pytest.MonkeyPatch, answer: dict, payload: bytes) -> list[dict]:
    """What the case asked of boto3, if it passes on this answer."""
    asked = []

    def invoke(**options):
        asked.append(options)
        return answer | {"Payload": io.BytesIO(payload)}

    monkeypatch.setitem(sys.modules, "boto3", SimpleNamespace(client=lambda *_, **__: SimpleNamespace(invoke=invoke)))
    names: dict = {}
    exec(compile(case, "case", "exec"), names)
    names["test_hello"]()
    return asked


@pytest.mark.parametrize(
    ("response", "other"),
    [
        ('{"message": "it\'s", "n": null, "ok": true}', '{"message": "it\'s", "n": 1, "ok": true}'),
        ("no json", "other"),
    ],
)
def test_a_pytest_case_expects_what_was_answered(monkeypatch, response, other):
    case = pytest_case(view(), '{"name": "\\"Ada\\"\\u001b"}', response, URL, Account())
    (asked,) = run(case, monkeypatch, {"StatusCode": 200}, response.encode())
    assert json.loads(asked["Payload"]) == {"name": '"Ada"\x1b'}
    assert (asked["FunctionName"], asked["Qualifier"]) == ("hello", "$LATEST")
    with pytest.raises(AssertionError):
        run(case, monkeypatch, {"StatusCode": 200}, other.encode())
    with pytest.raises(AssertionError):
        run(case, monkeypatch, {"StatusCode": 200, "FunctionError": "Unhandled"}, response.encode())


def test_of_an_error_the_type_is_expected(monkeypatch):
    failed = view(status=InvocationStatus.ERROR, error_type="OutOfCoffee")
    case = pytest_case(failed, "{}", '{"errorType": "OutOfCoffee", "stackTrace": []}', URL, Account())
    answer = {"StatusCode": 200, "FunctionError": "Unhandled"}
    run(case, monkeypatch, answer, b'{"errorType": "OutOfCoffee", "stackTrace": ["moved"]}')
    with pytest.raises(AssertionError):
        run(case, monkeypatch, answer, b'{"errorType": "Other"}')


def test_of_an_asynchronous_one_the_acceptance_is_expected(monkeypatch):
    case = pytest_case(view(type=InvocationType.EVENT), "{}", "", URL, Account())
    (asked,) = run(case, monkeypatch, {"StatusCode": 202}, b"")
    assert asked["InvocationType"] == "Event"
