"""Invoke over the wire: the fast path and the model's path must not differ."""

import base64
import json
from dataclasses import replace

import pytest

from tests.http.conftest import ACCOUNT, error_of
from tests.http.fake_port import REQUEST_ID
from workbench.http.lambda_api.invoke import EVENT_BYTES, PAYLOAD_BYTES
from workbench.model.errors import BackendUnavailable, ResourceNotFound, TooManyRequests
from workbench.model.invocations import InvocationType, InvokeRequest
from workbench.model.names import FunctionRef

PATH = "/2015-03-31/functions/fn/invocations"
ARN = f"arn:aws:lambda:us-east-1:{ACCOUNT.id}:function:fn"
DEEP = b"[" * 100_000 + b"]" * 100_000
NOT_JSON = "Could not parse request body into json: Could not parse payload into json: "


def test_request_response(client, port):
    answer = client.invoke(FunctionName="fn", Payload=b'{"name": "Ada"}')
    assert answer["StatusCode"] == 200
    assert answer["Payload"].read() == b'"done"'
    assert answer["ExecutedVersion"] == "$LATEST"
    assert "FunctionError" not in answer
    assert "LogResult" not in answer
    assert answer["ResponseMetadata"]["RequestId"] == REQUEST_ID
    assert port.invoked == [InvokeRequest(function=FunctionRef("fn"), payload=b'{"name": "Ada"}')]


def test_no_header_of_awss_api_asks_for_a_fault(client, port):
    def more(request, **_):
        for name in ("Fault", "X-Fault", "X-Workbench-Fault", "X-Amz-Fault", "X-Amzn-Fault"):
            request.headers[name] = "crash"
        request.url += "?fault=crash&Fault=crash"

    client.meta.events.register("before-sign.lambda.Invoke", more)
    client.invoke(FunctionName="fn")
    assert port.invoked[-1].fault is None


def test_event_and_dry_run_have_nothing_but_a_status(client, port):
    for kind, status in (("Event", 202), ("DryRun", 204)):
        answer = client.invoke(FunctionName="fn", InvocationType=kind, LogType="Tail")
        assert answer["StatusCode"] == status
        assert answer["Payload"].read() == b""
        assert "ExecutedVersion" not in answer
        assert port.invoked[-1].type is InvocationType(kind)
        assert port.invoked[-1].logs is False
        assert port.invoked[-1].payload == b"{}"


def test_the_tail_is_the_last_4_kb_of_the_log(client, port):
    port.result = replace(port.result, log="START\n" + "é" * 4_000 + "\nEND\n")
    answer = client.invoke(FunctionName="fn", LogType="Tail")
    tail = base64.b64decode(answer["LogResult"])
    assert len(tail) == 4_096
    assert tail.endswith("é\nEND\n".encode())
    assert "LogResult" not in client.invoke(FunctionName="fn", LogType="None")
    assert [request.logs for request in port.invoked] == [True, False]


@pytest.mark.parametrize("first", ["INIT_START Runtime Version: x\n", '{"time":"t","type":"platform.initStart"}\n', ""])
def test_the_tail_has_no_start_of_init(client, port, first):
    port.result = replace(port.result, log=f"{first}START\nINIT_START is what a function says\n")
    answer = client.invoke(FunctionName="fn", LogType="Tail")
    assert base64.b64decode(answer["LogResult"]) == b"START\nINIT_START is what a function says\n"


def test_a_function_error_is_a_200_with_a_header(client, port):
    port.result = replace(port.result, function_error="Unhandled", executed_version="7", payload=b"{}")
    answer = client.invoke(FunctionName="fn")
    assert (answer["StatusCode"], answer["FunctionError"], answer["ExecutedVersion"]) == (200, "Unhandled", "7")


@pytest.mark.parametrize(
    ("name", "qualifier", "ref"),
    [
        ("fn", None, FunctionRef("fn")),
        ("fn", "live", FunctionRef("fn", "live")),
        ("fn", "$LATEST", FunctionRef("fn", "$LATEST")),
        ("fn:2", None, FunctionRef("fn", "2")),
        (f"{ARN}:live", "live", FunctionRef("fn", "live")),
        (f"{ACCOUNT.id}:function:fn", None, FunctionRef("fn")),
        (f"{ACCOUNT.id}:fn", None, FunctionRef("fn")),
    ],
)
def test_addresses(client, port, name, qualifier, ref):
    given = {"FunctionName": name} | ({"Qualifier": qualifier} if qualifier else {})
    for _ in range(2):
        client.invoke(**given)
    assert [request.function for request in port.invoked] == [ref, ref]


@pytest.mark.parametrize(
    ("name", "qualifier", "status", "code", "message"),
    [
        (
            "fn:1",
            "2",
            400,
            "InvalidParameterValueException",
            "The derived qualifier from the function name does not match the specified qualifier.",
        ),
        (
            ARN.replace("us-east-1", "eu-west-1"),
            None,
            404,
            "ResourceNotFoundException",
            "Functions from 'eu-west-1' are not reachable in this region ('us-east-1')",
        ),
        (ARN.replace(ACCOUNT.id, "999999999999"), None, 403, "AccessDeniedException", "None"),
        ("../../etc", None, 400, "ValidationException", "Value '../../etc' at 'functionName' failed"),
        ("a/b", None, 400, "ValidationException", "Value 'a/b' at 'functionName' failed"),
        ("a\0b", None, 400, "ValidationException", "at 'functionName' failed"),
        ("fn\n", None, 400, "ValidationException", "at 'functionName' failed"),
        ("é", None, 400, "ValidationException", "at 'functionName' failed"),
        ("x" * 257, None, 400, "ValidationException", "Member must have length less than or equal to 256"),
        ("fn", "a b", 400, "ValidationException", "Value 'a b' at 'qualifier' failed"),
    ],
)
def test_addresses_refused(client, port, name, qualifier, status, code, message):
    given = {"FunctionName": name} | ({"Qualifier": qualifier} if qualifier else {})
    for _ in range(2):
        with pytest.raises(client.exceptions.ClientError) as caught:
            client.invoke(**given)
        response = caught.value.response
        assert response["ResponseMetadata"]["HTTPStatusCode"] == status
        assert response["Error"]["Code"] == code
        assert message in str(response["Error"]["Message"])
    assert port.invoked == []


def test_a_name_that_begins_like_an_option_is_just_a_name(client, port):
    client.invoke(FunctionName="-rf")
    assert port.invoked[0].function == FunctionRef("-rf")


@pytest.mark.parametrize(
    ("payload", "detail"),
    [
        (b"", None),
        (b"null", None),
        (b" 1 ", None),
        (b'"\\ud800"', None),
        (b"9" * 5_000, None),
        (b"{bad", "Unexpected character ('b' (code 98)): was expecting double-quote to start field name"),
        (b"NaN", "Non-standard token 'NaN'"),
        (b"[" + b"9" * 5_000 + b", NaN]", "Non-standard token 'NaN'"),
        (b"[" + b"9" * 5_000 + b", oops]", "Unrecognized token 'oops'"),
        (b"[-Infinity]", "Unexpected character ('I' (code 73))"),
        (b'"\xff"', "Invalid UTF-8 start byte 0xff"),
        (DEEP, "Document nesting depth (1001) exceeds the maximum allowed"),
        (b"{} {}", "Unexpected character ('{' (code 123))"),
    ],
)
def test_the_payload_must_be_json(send, port, payload, detail):
    for _ in range(2):  # the model's path, then the fast one
        response = send("POST", PATH, {}, payload)
        if detail is None:
            assert response.status == 200
            assert port.invoked[-1].payload == (payload or b"{}")
        else:
            status, code, body = error_of(response)
            assert (status, code, body.keys()) == (400, "InvalidRequestContentException", {"Type", "message"})
            assert body["message"].startswith(NOT_JSON + detail)


def test_payloads_have_limits(send, port):
    full = json.dumps("x" * (PAYLOAD_BYTES - 2)).encode()
    for _ in range(2):
        assert send("POST", PATH, {}, full).status == 200
        assert error_of(send("POST", PATH, {}, full + b" ")) == (
            413,
            "RequestEntityTooLargeException",
            {"Type": "User", "message": "Request must be smaller than 6291456 bytes for the InvokeFunction operation"},
        )
        event = {"x-amz-invocation-type": "Event"}
        assert send("POST", PATH, event, full[: EVENT_BYTES - 1] + b'"').status == 202
        assert error_of(send("POST", PATH, event, full[:EVENT_BYTES] + b'"')) == (
            413,
            "RequestEntityTooLargeException",
            {
                "Type": "User",
                "message": "1048577 byte payload is too large for the Event invocation type (limit 1048576 bytes)",
            },
        )


def encoded(value):
    return base64.b64encode(json.dumps(value).encode()).decode()


def test_client_context_reaches_synchronous_invocations_decoded(client, port):
    context = encoded({"custom": {"a": "b"}})
    client.invoke(FunctionName="fn", ClientContext=context)
    client.invoke(FunctionName="fn", ClientContext=context, InvocationType="Event")
    assert [request.client_context for request in port.invoked] == ['{"custom":{"a":"b"}}', None]


@pytest.mark.parametrize(
    ("context", "message"),
    [
        ("string", "Client context must be a valid Base64-encoded JSON object."),
        (encoded([1]), "Client context must be a valid Base64-encoded JSON object."),
        (base64.b64encode(b"\xff{}").decode(), "Client context must be a valid Base64-encoded JSON object."),
        (base64.b64encode(b"[" * 2_000).decode(), "Client context must be a valid Base64-encoded JSON object."),
        (encoded({"a": "x" * 2_700}), "Client context must be at most 3583 bytes of base64."),
    ],
)
def test_client_context_refused(client, context, message):
    with pytest.raises(client.exceptions.InvalidRequestContentException) as caught:
        client.invoke(FunctionName="fn", ClientContext=context)
    assert caught.value.response["Error"]["Message"] == message


def test_trace_header_goes_both_ways(send, port):
    port.result = replace(port.result, trace_id="Root=1-2-3")
    response = send("POST", PATH, {"x-amzn-trace-id": "Root=1-0-0"})
    assert port.invoked[0].trace_id == "Root=1-0-0"
    assert ("X-Amzn-Trace-Id", "Root=1-2-3") in response.headers


@pytest.mark.parametrize(
    ("header", "value", "path", "allowed"),
    [
        ("x-amz-invocation-type", "event", "invocationType", "Event, RequestResponse, DryRun"),
        ("x-amz-log-type", "tail", "logType", "None, Tail"),
    ],
)
def test_headers_are_checked_on_either_path(send, port, header, value, path, allowed):
    for _ in range(2):
        assert error_of(send("POST", PATH, {header: value})) == (
            400,
            "ValidationException",
            {
                "message": f"1 validation error detected: Value '{value}' at '{path}' failed to satisfy constraint: "
                f"Member must satisfy enum value set: [{allowed}]"
            },
        )
        send("POST", PATH)  # from now on the address is remembered
    assert send("POST", PATH, {"x-amz-tenant-id": "no;tenant"}).status == 400


def test_refusals_of_the_engine(send, port):
    port.result = TooManyRequests("ReservedFunctionConcurrentInvocationLimitExceeded")
    assert error_of(send("POST", PATH)) == (
        429,
        "TooManyRequestsException",
        {
            "Reason": "ReservedFunctionConcurrentInvocationLimitExceeded",
            "Type": "User",
            "message": "Rate Exceeded.",
        },
    )
    port.result = ResourceNotFound(f"Function not found: {ARN}:$LATEST")
    assert error_of(send("POST", PATH)) == (
        404,
        "ResourceNotFoundException",
        {"Type": "User", "Message": f"Function not found: {ARN}:$LATEST"},
    )


def test_retry_after_is_a_header(client, port):
    port.result = TooManyRequests("CallerRateLimitExceeded")
    port.result.members = {**port.result.members, "retryAfterSeconds": "3"}
    with pytest.raises(client.exceptions.TooManyRequestsException) as caught:
        client.invoke(FunctionName="fn")
    assert caught.value.response["retryAfterSeconds"] == "3"
    assert caught.value.response["Reason"] == "CallerRateLimitExceeded"


def test_failures_of_the_engine(send, port, caplog):
    port.result = BackendUnavailable("bwrap is not installed", mend="apt-get install bubblewrap")
    assert error_of(send("POST", PATH)) == (
        500,
        "ServiceException",
        {"Type": "Service", "Message": "bwrap is not installed (apt-get install bubblewrap)"},
    )
    port.result = ZeroDivisionError("secret")
    status, code, body = error_of(send("POST", PATH))
    assert (status, code) == (500, "ServiceException")
    assert "secret" not in str(body)
    assert "ZeroDivisionError: secret" in caplog.text


def test_many_addresses_are_forgotten_in_time(send, api, port):
    for number in range(5_000):
        send("POST", f"/2015-03-31/functions/fn{number}/invocations")
    assert len(port.invoked) == 5_000
    assert len(api._addresses) <= 4_096


# -- InvokeAsync
def test_invoke_async_queues_an_event(client, port):
    answer = client.invoke_async(FunctionName="fn", InvokeArgs=b'{"a": 1}')
    assert answer["Status"] == 202
    assert port.invoked == [InvokeRequest(function=FunctionRef("fn"), payload=b'{"a": 1}', type=InvocationType.EVENT)]


def test_invoke_async_refuses_what_is_no_json_or_too_large(send):
    path = "/2014-11-13/functions/fn/invoke-async"
    assert send("POST", path, {}, b"{}").body == b'{"Status":202}'
    assert error_of(send("POST", path, {}, b"oops"))[:2] == (400, "InvalidRequestContentException")
    assert error_of(send("POST", path, {}, b'"' + b"x" * 262_144 + b'"'))[:2] == (413, "RequestEntityTooLargeException")


# -- InvokeWithResponseStream
def streamed(client, **parameters):
    answer = client.invoke_with_response_stream(FunctionName="fn", **parameters)
    return answer, list(answer["EventStream"])


def test_a_stream_is_its_chunks_and_how_it_ended(client, port):
    port.pieces = [b"one", b"\x00\xff" * 40_000]
    answer, events = streamed(client, Payload=b"{}")
    assert (answer["StatusCode"], answer["ExecutedVersion"]) == (200, "$LATEST")
    assert answer["ResponseMetadata"]["RequestId"] == REQUEST_ID
    assert events == [{"PayloadChunk": {"Payload": piece}} for piece in port.pieces] + [{"InvokeComplete": {}}]


def test_the_last_event_has_the_log_and_the_error(client, port):
    port.result = replace(port.result, function_error="Unhandled", payload=b'{"errorType":"Oops"}', log="END\n")
    _, events = streamed(client, LogType="Tail")
    assert events == [
        {
            "InvokeComplete": {
                "ErrorCode": "Unhandled",
                "ErrorDetails": '{"errorType":"Oops"}',
                "LogResult": base64.b64encode(b"END\n").decode(),
            }
        }
    ]
    assert port.invoked[0].logs


def test_a_dry_run_of_a_stream_is_a_status(client, port):
    answer, events = streamed(client, InvocationType="DryRun")
    assert (answer["StatusCode"], events) == (204, [])
    assert port.invoked[0].type is InvocationType.DRY_RUN


def test_what_is_refused_before_a_stream_is_an_ordinary_error(client, port):
    with pytest.raises(client.exceptions.InvalidRequestContentException):
        streamed(client, Payload=b"oops")
    with pytest.raises(client.exceptions.ClientError, match="ValidationException"):
        streamed(client, InvocationType="Event")
    port.result = TooManyRequests("ReservedFunctionConcurrentInvocationLimitExceeded")
    with pytest.raises(client.exceptions.TooManyRequestsException):
        streamed(client)


def test_a_tenant_reaches_the_engine(client, port):
    client.invoke(FunctionName="fn", TenantId="t 1")
    assert port.invoked[0].tenant_id == "t 1"
    with pytest.raises(client.exceptions.ClientError, match="ValidationException"):
        client.invoke(FunctionName="fn", TenantId="t\u00e9")
