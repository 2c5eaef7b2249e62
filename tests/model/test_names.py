"""Function names as AWS writes them: which text addresses what."""

from __future__ import annotations

import pytest

from workbench.model.errors import AccessDenied, InvalidParameterValue, ResourceNotFound, ValidationException
from workbench.model.names import (
    ALIAS_PATTERN,
    NAME_PATTERN,
    Account,
    FunctionRef,
    is_version,
    parse_function_ref,
)

ACCOUNT = Account("eu-west-1", "123456789012")
ARN = "arn:aws:lambda:eu-west-1:123456789012:function:"


@pytest.mark.parametrize(
    ("text", "qualifier", "ref"),
    [
        ("f", None, FunctionRef("f")),
        ("f", "1", FunctionRef("f", "1")),
        ("f:1", None, FunctionRef("f", "1")),
        ("f:live", "live", FunctionRef("f", "live")),
        ("f:$LATEST", None, FunctionRef("f", "$LATEST")),
        ("f", "$LATEST", FunctionRef("f", "$LATEST")),
        ("f", "", FunctionRef("f", "")),
        ("A-_9", None, FunctionRef("A-_9")),
        ("-rf", None, FunctionRef("-rf")),
        ("function", None, FunctionRef("function")),
        ("function:f", None, FunctionRef("f")),
        ("function:f:live", None, FunctionRef("f", "live")),
        ("123456789012", None, FunctionRef("123456789012")),
        ("123456789012:f", None, FunctionRef("f")),
        ("123456789012:function:f", None, FunctionRef("f")),
        ("123456789012:function:f:7", "7", FunctionRef("f", "7")),
        (ARN + "f", None, FunctionRef("f")),
        (ARN + "f:live", None, FunctionRef("f", "live")),
        ("arn:aws:lambda:eu-west-1:123456789012:layer:f", None, FunctionRef("layer", "f")),  # AWS's grammar, too
        (ARN + "f:$LATEST", None, FunctionRef("f", "$LATEST")),
        (ARN.replace("aws", "aws-cn", 1) + "f", None, FunctionRef("f")),
        ("n" * 140, None, FunctionRef("n" * 140)),
    ],
)
def test_what_addresses_a_function(text: str, qualifier: str | None, ref: FunctionRef) -> None:
    assert parse_function_ref(text, qualifier, ACCOUNT) == ref


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "f ",
        " f",
        "f\n",
        "f\0",
        "../../etc",
        "a/b",
        "a.b",
        "a b",
        "ünï",
        "f:",
        ":f",
        "f:1:2",
        "f:$latest",
        "f:$LATEST.PUBLISHED",
        "12345678901:f:1",
        "arn:aws:s3:::bucket",
        "arn:aws:lambda::123456789012:function:f",
        "arn:notaws:lambda:eu-west-1:123456789012:function:f",
        "n" * 141,
        ARN + "n" * 141,
        "$(touch canary)",
        "%s",
    ],
    ids=repr,
)
def test_what_addresses_nothing_is_refused_in_awss_words(text: str) -> None:
    with pytest.raises(ValidationException) as caught:
        parse_function_ref(text, None, ACCOUNT)
    assert caught.value.message.startswith(
        f"1 validation error detected: Value '{text}' at 'functionName' failed to satisfy constraint: "
        "Member must satisfy regular expression pattern: (arn:(aws[a-zA-Z-]*)?:lambda:)?"
    )


@pytest.mark.parametrize(
    ("text", "qualifier", "kind", "message"),
    [
        ("f:1", "2", InvalidParameterValue, "The derived qualifier from the function name does not match the"),
        (ARN + "f:live", "LIVE", InvalidParameterValue, "The derived qualifier from the function name does not match"),
        (
            ARN.replace("eu-west-1", "us-east-1") + "f",
            None,
            ResourceNotFound,
            r"Functions from 'us-east-1' are not reachable in this region \('eu-west-1'\)",
        ),
        (ARN.replace("123456789012", "210987654321") + "f", None, AccessDenied, "is not authorized to perform"),
        ("210987654321:function:f", None, AccessDenied, "User: arn:aws:iam::123456789012:root is not authorized"),
    ],
)
def test_what_is_elsewhere_is_refused(text: str, qualifier: str | None, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        parse_function_ref(text, qualifier, ACCOUNT)


@pytest.mark.parametrize(
    ("qualifier", "arn"),
    [(None, ARN + "f"), ("$LATEST", ARN + "f:$LATEST"), ("live", ARN + "f:live"), ("12", ARN + "f:12")],
)
def test_arns_lead_back_to_what_they_name(qualifier: str | None, arn: str) -> None:
    assert ACCOUNT.function_arn("f", qualifier) == arn
    assert parse_function_ref(arn, None, ACCOUNT) == FunctionRef("f", qualifier)


@pytest.mark.parametrize(
    ("text", "name", "alias"),
    [
        ("live", True, True),
        ("a-_9", True, True),
        ("-", True, True),
        ("1", True, False),
        ("0123456789", True, False),
        ("1a", True, True),
        ("1-1", True, True),
        ("n" * 64, True, True),
        ("n" * 65, False, True),
        ("n" * 128, False, True),
        ("n" * 129, False, False),
        ("", False, False),
        ("a.b", False, False),
        ("a\n", False, False),
        ("1\n", False, False),
        ("ü", False, False),
        ("²", False, False),
        ("$LATEST", False, False),
        ("a:b", False, False),
        ("a/b", False, False),
    ],
    ids=repr,
)
def test_names_and_aliases_have_a_grammar(text: str, name: bool, alias: bool) -> None:
    assert bool(NAME_PATTERN.fullmatch(text)) is name
    assert bool(ALIAS_PATTERN.fullmatch(text)) is alias


@pytest.mark.parametrize(
    ("text", "version"), [("$LATEST", True), ("1", True), ("live", False), ("1a", False), ("", False)]
)
def test_versions_are_told_from_aliases(text: str, version: bool) -> None:
    assert is_version(text) is version


def test_a_reference_is_written_as_it_is_typed() -> None:
    assert [str(FunctionRef("f")), str(FunctionRef("f", "live"))] == ["f", "f:live"]
