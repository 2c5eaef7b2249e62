"""What an account may use and uses, as GetAccountSettings tells it."""

from __future__ import annotations

from dataclasses import dataclass

#: Bytes of all zip archives of an account (Lambda quotas).
TOTAL_CODE_SIZE = 322_122_547_200


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountSettings:
    """Concurrency that the account has, and what of it no function has reserved; bytes of code and functions in use."""

    concurrent_executions: int
    unreserved_concurrent_executions: int
    total_code_size: int
    function_count: int
