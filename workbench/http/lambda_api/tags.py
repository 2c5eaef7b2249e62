"""Tags, by the ARN of what bears them.

Source: Lambda API reference, TagResource, UntagResource, ListTags.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workbench.http.lambda_api.checks import check_tags
from workbench.http.lambda_api.operations import Call, operation
from workbench.model.errors import AccessDenied, InvalidParameterValue, ResourceNotFound


@operation("TagResource")
async def tag_resource(call: Call) -> Mapping[str, Any]:
    tags = call.params["Tags"]
    if not tags:
        raise InvalidParameterValue("An error occurred and the request cannot be processed.")
    await call.port.change_tags(_arn(call), tags)
    return {}


@operation("UntagResource")
async def untag_resource(call: Call) -> Mapping[str, Any]:
    await call.port.change_tags(_arn(call), {}, remove=tuple(call.params["TagKeys"]))
    return {}


@operation("ListTags")
async def list_tags(call: Call) -> Mapping[str, Any]:
    return {"Tags": dict(await call.port.get_tags(_arn(call)))}


def check_new(tags: Mapping[str, str]) -> Mapping[str, str]:
    """The tags that something is created with, when they are not too many."""
    check_tags(tags)
    return tags


def _arn(call: Call) -> str:
    """The ARN, when it is of this Region and account."""
    arn: str = call.params["Resource"]
    region, owner = arn.split(":")[3:5]
    if region != call.account.region:
        raise ResourceNotFound(f"Functions from '{region}' are not reachable in this region ('{call.account.region}')")
    if owner != call.account.id:
        raise AccessDenied(
            f"User: arn:aws:iam::{call.account.id}:root is not authorized to perform this action on resource: {arn}"
        )
    return arn
