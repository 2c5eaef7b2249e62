"""Does a backend keep the contract of `workbench.backends.api`? Checks that need no test framework.

`python -m workbench.testing.conformance NAME [CHECK ...]` runs them against an installed backend, or a module with the
hook, and exits 1 when one fails. `workbench.testing.suite` has them for pytest. A check says nothing when it passes,
and raises `NotConforming` with a sentence about what is wrong when it does not.
"""

from __future__ import annotations

import asyncio
import importlib
import sys
import tempfile
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Any

from workbench.backends import registry
from workbench.backends.api import Backend, BackendFactory, Host
from workbench.backends.keeper import Keeper
from workbench.model.errors import WorkbenchError
from workbench.model.runtimes import RuntimeVersion
from workbench.testing.checks import endings, engine, launches, processes, promises
from workbench.testing.kit import CHECKS, Check, NotConforming, Subject, expect, in_time

__all__ = ["CHECKS", "NotConforming", "find", "main", "run", "this_python"]
#: Where the checks stand.
MODULES = (launches, processes, endings, promises, engine)


async def run(one: Check, backend: Backend, folder: Path, runtime: RuntimeVersion | None = None) -> bool:
    """Open the backend, run one check, close the backend; whether its capabilities promise what was to be checked.

    Raises:
        NotConforming: the check failed, or the backend is not usable here.
        BackendError: the backend could not do what the check takes for granted.
    """
    keeper = Keeper()
    client = folder / "client"
    client.mkdir(mode=0o755, exist_ok=True)
    subject = Subject(backend, runtime or this_python(client), folder)

    def guard(kind: str, value: str) -> None:
        keeper.guard(kind, value)
        subject.guarded.add((kind, value))

    def unguard(kind: str, value: str) -> None:
        keeper.unguard(kind, value)
        subject.guarded.discard((kind, value))

    raised: list[str] = []

    def note(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if isinstance(error, Exception) and error.__traceback__ is not None:
            at = traceback.extract_tb(error.__traceback__)[-1]
            raised.append(f"{type(error).__name__}: {error} (at {at.filename}:{at.lineno})")
        loop.default_exception_handler(context)

    asyncio.get_running_loop().set_exception_handler(note)
    health = await in_time(backend.health(), "health")
    expect(health.usable, f"not usable here: {health.why} ({health.mend})")
    try:
        await in_time(backend.open(Host(run_dir=folder, guard=guard, unguard=unguard)), "open")
        await in_time(backend.prepare(subject.runtime), "prepare")
        await one(subject)
    except BaseException as error:
        with suppress(NotConforming, WorkbenchError):  # what went wrong first says more
            await in_time(backend.aclose(), "aclose")
        if raised and isinstance(error, NotConforming):
            raise NotConforming(f"{error}; before, a callback raised {raised[0]}") from error
        raise
    else:
        await in_time(backend.aclose(), "aclose")
    finally:
        await asyncio.to_thread(keeper.close)
    return subject.asked


def this_python(client: Path) -> RuntimeVersion:
    """A runtime of the interpreter that runs the checks."""
    executable = Path(getattr(sys, "_base_executable", sys.executable)).resolve()
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    return RuntimeVersion(
        runtime=name,
        label=name,
        arn="arn:aws:lambda:us-east-1::runtime:conformance",
        client=client,
        command=("{interpreter}",),
        interpreter=executable,
        prefix=Path(sys.base_prefix),
    )


def find(name: str) -> Backend:
    """An installed backend, or one whose module can be imported."""
    if name in registry.names():
        return registry.create(name)
    factory: BackendFactory = importlib.import_module(name).workbench_backend()
    return factory.create()


def verdict(check: str, name: str) -> tuple[bool, str]:
    """Run one check against a backend that `find` finds: was it asked, and what is wrong (empty if nothing is)?"""
    with tempfile.TemporaryDirectory() as folder:
        try:
            return asyncio.run(run(CHECKS[check], find(name), Path(folder))), ""
        except (NotConforming, WorkbenchError) as error:
            return True, str(error)


def main(arguments: list[str]) -> int:
    """Run all checks, or those that are named, against one backend."""
    name, *wanted = arguments
    failed = 0
    for check in wanted or CHECKS:
        asked, wrong = verdict(check, name)
        failed += bool(wrong)
        result = f"FAILED: {wrong}" if wrong else "ok" if asked else "ok, as it is not promised"
        print(f"{check.replace('_', ' ')}: {result}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        raise SystemExit(main(sys.argv[1:]))
