"""`python -m tests.testing.matrix PART PARTS`: every check but its own against a share of the broken backends.

Prints a line for each that is found by a check that is not its own. Without keepers: here nothing is killed, and they
would be a quarter of the work. (The check that kills an engine has one in that engine.)
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

from tests.testing.broken import BROKEN
from workbench.model.errors import BackendError
from workbench.testing import conformance
from workbench.testing.kit import NotConforming


class NoKeeper:
    def guard(self, kind: str, value: str) -> None:
        pass

    unguard = guard

    def close(self) -> None:
        pass


def main(part: int, parts: int) -> None:
    conformance.Keeper = NoKeeper  # type: ignore[assignment,misc]
    pairs = [(broken, check) for broken in BROKEN for check in conformance.CHECKS if broken != check]
    for broken, check in pairs[part::parts]:
        kind, _ = BROKEN[broken]
        with tempfile.TemporaryDirectory() as folder:
            try:
                asyncio.run(conformance.run(conformance.CHECKS[check], kind(), Path(folder)))
            except (NotConforming, BackendError) as error:
                print(f"{kind.__name__} is found by {check} too: {error}", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
