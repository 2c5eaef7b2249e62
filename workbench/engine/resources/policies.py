"""Resource policies of functions, versions and aliases: each has its own, with a revision of its own.

Source: Lambda API reference, AddPermission, RemovePermission, PutResourcePolicy; Lambda quotas (20 KB).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from workbench.engine.decide import Function
from workbench.engine.resources.find import NO_RESOURCE, find, has, key
from workbench.model.attached import Attached, Policy
from workbench.model.errors import (
    InvalidParameterValue,
    PolicyLengthExceeded,
    PreconditionFailed,
    ResourceConflict,
    ResourceNotFound,
)
from workbench.model.names import LATEST, Account, FunctionRef

#: Bytes of a policy as compact JSON.
POLICY_BYTES = 20_480
_NO_POLICY = "No policy is associated with the given resource."


def add(
    account: Account,
    function: Function | None,
    ref: FunctionRef,
    statement: Mapping[str, Any],
    revision_id: str | None,
    new_revision: str,
) -> Attached:
    """What is attached once `statement`, in AWS's spelling, is part of the policy."""
    if ref.qualifier == LATEST:
        raise InvalidParameterValue("We currently do not support adding policies for $LATEST.")
    function = find(account, function, ref)
    policy = function.attached.policies.get(key(ref))
    _check_revision(function, ref, revision_id)
    statements = policy.statements if policy else []
    if any(present.get("Sid") == statement["Sid"] for present in statements):
        raise ResourceConflict(
            f"The statement id ({statement['Sid']}) provided already exists. "
            "Please provide a new statement id, or remove the existing statement."
        )
    whole = policy.document if policy else {"Version": "2012-10-17", "Id": "default"}
    return _with(function, ref, {**whole, "Statement": [*statements, statement]}, new_revision)


def remove(
    account: Account,
    function: Function | None,
    ref: FunctionRef,
    statement_id: str,
    revision_id: str | None,
    new_revision: str,
) -> Attached:
    """What is attached without that statement; the last one takes the policy with it."""
    if function is None:
        raise ResourceNotFound(f"No policy found for: {account.function_arn(ref.name, ref.qualifier)}")
    find(account, function, ref)
    policy = function.attached.policies.get(key(ref))
    if policy is None:
        raise ResourceNotFound(_NO_POLICY)
    left = [statement for statement in policy.statements if statement.get("Sid") != statement_id]
    if len(left) == len(policy.statements):
        raise ResourceNotFound(f"Statement {statement_id} is not found in resource policy.")
    _check_revision(function, ref, revision_id)
    if not left:
        return _without(function, ref)
    return _with(function, ref, {**policy.document, "Statement": left}, new_revision)


def put(
    account: Account,
    function: Function | None,
    ref: FunctionRef,
    document: Mapping[str, Any] | None,
    revision_id: str | None,
    new_revision: str,
) -> Attached:
    """What is attached when the whole document is replaced, or taken away where it is None."""
    function = find(account, function, ref)
    policy = function.attached.policies.get(key(ref))
    if document is None and policy is None:
        raise ResourceNotFound(NO_RESOURCE)
    _check_revision(function, ref, revision_id)
    return _without(function, ref) if document is None else _with(function, ref, document, new_revision)


def get(function: Function | None, ref: FunctionRef) -> Policy:
    """The policy; AWS has one answer for everything that may be missing on the way to it."""
    policy = function.attached.policies.get(key(ref)) if function and has(function, ref.qualifier) else None
    if policy is None:
        raise ResourceNotFound(NO_RESOURCE)
    return policy


def _check_revision(function: Function, ref: FunctionRef, given: str | None) -> None:
    """A policy is guarded by its own revision, and by that of the function, version or alias that it belongs to."""
    policy, alias = function.attached.policies.get(key(ref)), function.aliases.get(key(ref))
    own = alias.revision_id if alias else function.versions[key(ref)].revision_id
    if given and given not in (own, policy.revision_id if policy else own):
        raise PreconditionFailed(
            "The Revision Id provided does not match the latest Revision Id. "
            "Call the GetPolicy API to retrieve the latest Revision Id"
        )


def _with(function: Function, ref: FunctionRef, document: Mapping[str, Any], revision: str) -> Attached:
    size = len(json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode())
    if size > POLICY_BYTES:
        raise PolicyLengthExceeded(f"The final policy size ({size}) is bigger than the limit ({POLICY_BYTES}).")
    policy = Policy(document=document, revision_id=revision)
    return replace(function.attached, policies={**function.attached.policies, key(ref): policy})


def _without(function: Function, ref: FunctionRef) -> Attached:
    kept = {name: policy for name, policy in function.attached.policies.items() if name != key(ref)}
    return replace(function.attached, policies=kept)
