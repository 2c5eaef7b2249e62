"""The operations about resources other than functions, versions and aliases: importing this registers them."""

from workbench.http.lambda_api import (
    capacity_providers,
    code_signing,
    concurrency,
    event_invoke,
    event_source_mappings,
    policies,
    runtime_management,
    tags,
    urls,
)

__all__ = [
    "capacity_providers",
    "code_signing",
    "concurrency",
    "event_invoke",
    "event_source_mappings",
    "policies",
    "runtime_management",
    "tags",
    "urls",
]
