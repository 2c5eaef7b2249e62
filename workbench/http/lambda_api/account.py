"""GetAccountSettings: what the account may use, and what it uses.

Source: Lambda API reference, GetAccountSettings; Lambda quotas.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workbench.http.lambda_api.checks import UNZIPPED_BYTES, ZIP_BYTES
from workbench.http.lambda_api.operations import Call, operation
from workbench.model.account import TOTAL_CODE_SIZE


@operation("GetAccountSettings")
async def get_account_settings(call: Call) -> Mapping[str, Any]:
    settings = await call.port.account_settings()
    return {
        "AccountLimit": {
            "TotalCodeSize": TOTAL_CODE_SIZE,
            "CodeSizeUnzipped": UNZIPPED_BYTES,
            "CodeSizeZipped": ZIP_BYTES,
            "ConcurrentExecutions": settings.concurrent_executions,
            "UnreservedConcurrentExecutions": settings.unreserved_concurrent_executions,
        },
        "AccountUsage": {"TotalCodeSize": settings.total_code_size, "FunctionCount": settings.function_count},
    }
