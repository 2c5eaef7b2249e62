"""Resource policies: statements one by one, and whole documents.

Source: Lambda API reference, AddPermission, GetPolicy, RemovePermission, PutResourcePolicy, GetResourcePolicy,
DeleteResourcePolicy; Lambda Developer Guide, "Viewing resource-based IAM policies in Lambda".
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from workbench.http.lambda_api.operations import Call, operation
from workbench.model.attached import Policy
from workbench.model.errors import InvalidParameterValue, ResourceNotFound
from workbench.model.names import LATEST, FunctionRef, parse_function_ref

#: A parameter of AddPermission, and the condition that it becomes.
_CONDITIONS = (
    ("SourceAccount", "StringEquals", "AWS:SourceAccount"),
    ("EventSourceToken", "StringEquals", "lambda:EventSourceToken"),
    ("FunctionUrlAuthType", "StringEquals", "lambda:FunctionUrlAuthType"),
    ("PrincipalOrgID", "StringEquals", "aws:PrincipalOrgID"),
    ("InvokedViaFunctionUrl", "Bool", "lambda:InvokedViaFunctionUrl"),
    ("SourceArn", "ArnLike", "AWS:SourceArn"),
)
_ACCOUNT = re.compile(r"\d{12}", re.ASCII)
_IDENTITY = re.compile(r"arn:aws[a-zA-Z-]*:(iam|sts)::\d{12}:.+", re.ASCII)
_SERVICE = re.compile(r"[a-z0-9.-]+\.(amazonaws\.com|amazon\.com|amazonaws\.com\.cn)", re.ASCII)


@operation("AddPermission")
async def add_permission(call: Call) -> Mapping[str, Any]:
    params, ref = call.params, call.ref()
    statement: dict[str, Any] = {
        "Sid": params["StatementId"],
        "Effect": "Allow",
        "Principal": _principal(params["Principal"]),
        "Action": params["Action"],
        "Resource": call.account.function_arn(ref.name, ref.qualifier),
    }
    conditions: dict[str, dict[str, str]] = {}
    for member, operator, condition in _CONDITIONS:
        if (value := params.get(member)) is not None:
            text = str(value).lower() if isinstance(value, bool) else value
            conditions.setdefault(operator, {})[condition] = text
    if conditions:
        statement["Condition"] = conditions
    await call.port.add_permission(ref, statement, revision_id=params.get("RevisionId"))
    return {"Statement": _json(statement)}


@operation("GetPolicy")
async def get_policy(call: Call) -> Mapping[str, Any]:
    return _describe(await call.port.get_policy(call.ref()))


@operation("RemovePermission")
async def remove_permission(call: Call) -> Mapping[str, Any]:
    params = call.params
    await call.port.remove_permission(call.ref(), params["StatementId"], revision_id=params.get("RevisionId"))
    return {}


@operation("PutResourcePolicy")
async def put_resource_policy(call: Call) -> Mapping[str, Any]:
    ref = _resource(call)
    await call.port.put_policy(ref, _document(call.params["Policy"]), revision_id=call.params.get("RevisionId"))
    return _describe(await call.port.get_policy(ref))


@operation("GetResourcePolicy")
async def get_resource_policy(call: Call) -> Mapping[str, Any]:
    return _describe(await call.port.get_policy(_resource(call)))


@operation("DeleteResourcePolicy")
async def delete_resource_policy(call: Call) -> Mapping[str, Any]:
    await call.port.put_policy(_resource(call), None, revision_id=call.params.get("RevisionId"))
    return {}


def _describe(policy: Policy) -> Mapping[str, Any]:
    return {"Policy": _json(policy.document), "RevisionId": policy.revision_id}


def _principal(given: str) -> str | dict[str, str]:
    if given == "*":
        return "*"
    if _ACCOUNT.fullmatch(given):
        return {"AWS": f"arn:aws:iam::{given}:root"}
    if _IDENTITY.fullmatch(given):
        return {"AWS": given}
    if _SERVICE.fullmatch(given):
        return {"Service": given}
    raise InvalidParameterValue("The provided principal was invalid. Please check the principal and try again.")


def _resource(call: Call) -> FunctionRef:
    """The function, version or alias of a `ResourceArn`; there are no other resources with policies here."""
    arn: str = call.params["ResourceArn"]
    if ":function:" not in arn:
        raise ResourceNotFound(f"Resource not found: {arn}")
    ref = parse_function_ref(arn, None, call.account)
    if ref.qualifier == LATEST:
        raise InvalidParameterValue("We currently do not support adding policies for $LATEST.")
    return ref


def _document(text: str) -> Mapping[str, Any]:
    """A policy document: a JSON object with statements.

    Raises:
        InvalidParameterValue: it is none.
    """
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise InvalidParameterValue("The provided policy is not valid JSON.") from None
    statements = document.get("Statement") if isinstance(document, dict) else None
    if isinstance(statements, dict):
        statements = [statements]
    if not isinstance(statements, list) or not statements or not all(isinstance(one, dict) for one in statements):
        raise InvalidParameterValue("The provided policy must be a JSON object with at least one statement.")
    for member in ("Effect", "Principal", "Action"):
        if any(member not in statement for statement in statements):
            raise InvalidParameterValue(f"Every statement of the provided policy needs the element {member}.")
    return {"Version": "2012-10-17", **document, "Statement": statements}


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
