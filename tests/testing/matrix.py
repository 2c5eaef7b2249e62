"""`python -m tests.testing.matrix PART PARTS`: a share of every check against every broken backend.

Prints a line for each backend that its own check does not find in the right words, or that another check finds.

Without keepers: here nothing is killed, and they would be a quarter of the work. (The check that kills an engine has
one in that engine.)
"""

from __future__ import annotations

import asyncio
import re
import sys
import tempfile
from pathlib import Path
from unittest import mock

from tests.testing.broken import BROKEN
from workbench.model.errors import BackendError
from workbench.testing import conformance, kit
from workbench.testing.checks import engine, launches
from workbench.testing.kit import NotConforming


class NoKeeper:
    def guard(self, kind: str, value: str) -> None:
        pass

    unguard = guard

    def close(self) -> None:
        pass


def main(part: int, parts: int) -> None:
    pairs = [(broken, check) for broken in BROKEN for check in conformance.CHECKS]
    with mock.patch.object(conformance, "Keeper", NoKeeper):
        for broken, check in pairs[part::parts]:
            kind, words = BROKEN[broken]
            if broken != check:
                if (found := finds(kind, check)) is not None:
                    print(f"{kind.__name__} is found by {check} too: {found}", flush=True)
                continue
            with (  # most of them make a check wait in vain
                mock.patch.object(kit, "PATIENCE", 1.5),
                mock.patch.object(engine, "SECONDS", 1.0),
                mock.patch.object(launches, "LETS_GO_SECONDS", 0.05),
            ):
                found = finds(kind, check)
            if found is None or not re.search(words, found):
                print(f"{kind.__name__} should be found by {check} ({words}): {found}", flush=True)


def finds(kind: type, check: str) -> str | None:
    with tempfile.TemporaryDirectory() as folder:
        try:
            asyncio.run(conformance.run(conformance.CHECKS[check], kind(), Path(folder)))
        except (NotConforming, BackendError) as error:
            return str(error)
    return None


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
