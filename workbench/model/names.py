"""Names as AWS writes them: function names, qualifiers, ARNs.

Source: botocore's `lambda` model (patterns) and the Lambda API reference, "FunctionName" request parameter.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from workbench.model.errors import AccessDenied, InvalidParameterValue, ResourceNotFound, ValidationException

LATEST = "$LATEST"
NAME_PATTERN = re.compile(r"[a-zA-Z0-9-_]{1,64}")
ALIAS_PATTERN = re.compile(r"(?!^[0-9]+$)[a-zA-Z0-9-_]{1,128}")
_ADDRESS = re.compile(
    r"(?:arn:(?P<partition>aws[a-zA-Z-]*):lambda:(?P<region>[a-z0-9-]+):)?"
    r"(?:(?P<account>\d{12}):)?(?:function:)?"
    r"(?P<name>[a-zA-Z0-9-_]+)(?::(?P<qualifier>\$LATEST|[a-zA-Z0-9-_]+))?"
)
#: The pattern that AWS quotes back when a function name breaks it.
FUNCTION_NAME_GRAMMAR = (
    r"(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)?(\d{12}:)?(function:)?"
    r"([a-zA-Z0-9-_]+)(:(\$LATEST|[a-zA-Z0-9-_]+))?"
)


@dataclass(frozen=True, slots=True)
class Account:
    """Where the engine pretends to be: the Region and the twelve digits of the account."""

    region: str = "us-east-1"
    id: str = "000000000000"

    def function_arn(self, name: str, qualifier: str | None = None) -> str:
        """The ARN of a function, or of one of its versions or aliases."""
        arn = f"arn:aws:lambda:{self.region}:{self.id}:function:{name}"
        return f"{arn}:{qualifier}" if qualifier else arn

    def arn(self, kind: str, name: str) -> str:
        """The ARN of another resource of Lambda: `kind` is the word before its name."""
        return f"arn:aws:lambda:{self.region}:{self.id}:{kind}:{name}"


@dataclass(frozen=True, slots=True)
class FunctionRef:
    """A function as a caller addressed it. `qualifier` is None, `$LATEST`, a version number or an alias."""

    name: str
    qualifier: str | None = None

    def __str__(self) -> str:
        return f"{self.name}:{self.qualifier}" if self.qualifier else self.name


def parse_function_ref(text: str, qualifier: str | None, account: Account) -> FunctionRef:
    """Read a name, partial ARN or full ARN, each optionally with a qualifier.

    Raises:
        ValidationException: the text is no function name at all.
        InvalidParameterValue: the name's qualifier and the `Qualifier` parameter differ.
        ResourceNotFound: an ARN of another Region.
        AccessDenied: an ARN of another account.
    """
    match = _ADDRESS.fullmatch(text)
    if match is None or len(text) > 140:
        raise ValidationException(
            [
                f"Value '{text}' at 'functionName' failed to satisfy constraint: "
                f"Member must satisfy regular expression pattern: {FUNCTION_NAME_GRAMMAR}"
            ]
        )
    region, owner = match["region"], match["account"]
    if region and region != account.region:
        raise ResourceNotFound(f"Functions from '{region}' are not reachable in this region ('{account.region}')")
    if owner and owner != account.id:
        refused = AccessDenied(
            f"User: arn:aws:iam::{account.id}:root is not authorized to perform this action on resource: {text}"
        )
        refused.silent = True
        raise refused
    named = match["qualifier"]
    if named and qualifier and named != qualifier:
        raise InvalidParameterValue(
            "The derived qualifier from the function name does not match the specified qualifier."
        )
    return FunctionRef(match["name"], named or qualifier)


def is_version(qualifier: str) -> bool:
    """Is this qualifier a version (`$LATEST` or a number) rather than an alias?"""
    return qualifier == LATEST or qualifier.isdigit()
