"""The tree of errors: what a person reads, what a client reads, and what comes back over the wire."""

from __future__ import annotations

import re

import botocore.session
import pytest

from workbench.model import errors
from workbench.model.errors import (
    ApiError,
    TemplateError,
    TooManyRequests,
    ValidationException,
    WorkbenchError,
    api_error,
)


def subclasses(kind: type) -> list[type]:
    return [each for child in kind.__subclasses__() for each in (child, *subclasses(child))]


OURS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, WorkbenchError)]
#: AWS answers with them, and botocore's model does not have them.
UNMODELLED = {
    "AccessDeniedException",
    "RequestEntityTooLargeException",
    "UnknownOperationException",
    "ValidationException",
}
API = [kind for kind in OURS if issubclass(kind, ApiError) and kind is not ApiError]


def test_every_code_belongs_to_one_class() -> None:
    codes = [kind.code for kind in subclasses(ApiError)]
    assert len(codes) == len(set(codes))


@pytest.mark.parametrize("kind", API, ids=lambda kind: kind.__name__)
def test_every_class_is_rebuilt_from_its_code(kind: type[ApiError]) -> None:
    error = api_error(kind.code, "the message", Reason="a reason", other="more")
    assert type(error) is kind
    assert (error.code, error.status, error.message_key, error.kind) == (
        kind.code,
        kind.status,
        kind.message_key,
        kind.kind,
    )
    assert (error.message, str(error), error.mend) == ("the message", "the message", None)
    assert error.members == {"Reason": "a reason", "other": "more"}
    assert error.exit_code == kind.exit_code


@pytest.mark.parametrize(
    "error",
    [
        TooManyRequests("ConcurrentInvocationLimitExceeded"),
        TooManyRequests("CallerRateLimitExceeded", "slower"),
        ValidationException(["one"]),
        ValidationException(["one", "two"]),
        errors.ResourceNotFound("nobody", Resource="f"),
    ],
    ids=str,
)
def test_what_an_error_says_survives_the_way(error: ApiError) -> None:
    again = api_error(error.code, error.message, **error.members)
    assert type(again) is type(error)
    assert {name: getattr(again, name) for name in vars(error)} == vars(error)


def test_an_unknown_code_keeps_its_name() -> None:
    error = api_error("SomethingNewException", "new", Detail="x")
    assert (type(error), error.code, error.message, error.members) == (
        ApiError,
        "SomethingNewException",
        "new",
        {"Detail": "x"},
    )
    assert ApiError.code == "ServiceException"


@pytest.mark.parametrize("kind", API, ids=lambda kind: kind.__name__)
def test_codes_statuses_and_the_spelling_of_message_are_awss(kind: type[ApiError]) -> None:
    model = botocore.session.get_session().get_service_model("lambda")
    if kind.code in UNMODELLED:
        assert kind.code not in model.shape_names
    else:
        shape = model.shape_for(kind.code)
        assert kind.status == shape.metadata["error"]["httpStatusCode"]
        assert kind.message_key in shape.members


@pytest.mark.parametrize("kind", [kind for kind in OURS if not issubclass(kind, ApiError | TemplateError)], ids=str)
def test_a_person_reads_what_is_wrong_and_how_to_mend_it(kind: type[WorkbenchError]) -> None:
    assert str(kind("it is broken")) == "it is broken"
    assert str(kind("it is broken", mend="hit it")) == "it is broken (hit it)"
    assert kind.title
    assert kind.exit_code in (2, 3, 4)
    assert kind.__doc__


def test_a_template_error_says_where() -> None:
    error = TemplateError("no", where="a/template.yaml:7", mend="yes")
    assert (str(error), error.where, error.exit_code) == ("a/template.yaml:7: no (yes)", "a/template.yaml:7", 2)


def test_exit_codes_tell_a_throttle_from_usage_and_from_failure() -> None:
    assert {kind.__name__: kind.exit_code for kind in OURS if kind.exit_code != 2} == {
        "WorkbenchError": 4,
        "DeployError": 4,
        "NoWorkingDirectory": 4,
        "BackendError": 4,
        "BackendUnavailable": 4,
        "RuntimeUnavailable": 4,
        "StateError": 4,
        "StateLocked": 4,
        "EngineGone": 4,
        "ServiceException": 4,
        "TooManyRequests": 3,
    }


def test_validation_errors_are_counted_in_awss_words() -> None:
    assert ValidationException(["a"]).message == "1 validation error detected: a"
    assert re.fullmatch("2 validation errors detected: a; b", ValidationException(["a", "b"]).message)


def test_a_throttle_tells_a_person_why_and_a_client_what_aws_says() -> None:
    error = TooManyRequests("ReservedFunctionConcurrentInvocationLimitExceeded")
    assert str(error).startswith("Rate Exceeded. (the function's reserved concurrency is all in use")
    assert (error.message, error.members) == ("Rate Exceeded.", {"Reason": error.reason})
    assert TooManyRequests("CallerRateLimitExceeded").why == "CallerRateLimitExceeded"
