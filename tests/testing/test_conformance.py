"""The conformance checks bite: each finds the backend that is broken in its way, and finds no other."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.testing.broken import BROKEN, RaisesInACallback, Unusable
from workbench.backends import cgroups
from workbench.testing import conformance
from workbench.testing.kit import NotConforming

PARTS = 4


def test_each_check_has_a_backend_that_it_finds() -> None:
    assert BROKEN.keys() == conformance.CHECKS.keys()


@pytest.mark.skipif(not cgroups.claim().trees, reason="without cgroups `subprocess` itself is less than is promised")
def test_a_broken_backend_is_found_by_its_check_and_by_no_other() -> None:
    """In processes beside one another: most checks wait for most of their time."""
    parts = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.testing.matrix", str(part), str(PARTS)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for part in range(PARTS)
    ]
    said = [part.communicate()[0] for part in parts]
    assert not any(said), "".join(said)
    assert not any(part.returncode for part in parts)


async def test_one_that_is_not_usable_says_why(tmp_path: Path) -> None:
    with pytest.raises(NotConforming, match=r"not usable here: because of a test \(mend-it\)"):
        await conformance.run(conformance.CHECKS["usage_is_measured"], Unusable(), tmp_path)


async def test_an_exception_in_a_callback_is_named_with_what_failed(tmp_path: Path) -> None:
    with pytest.raises(NotConforming, match=r"before, a callback raised ZeroDivisionError: .* \(at .*broken.py:\d+\)"):
        await conformance.run(conformance.CHECKS["usage_is_measured"], RaisesInACallback(), tmp_path)


def test_the_command_line_names_each_check() -> None:
    command = [sys.executable, "-m", "workbench.testing.conformance", "subprocess", "exactly_one_exited_last"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=dict(os.environ))
    assert done.stdout == "exactly one exited last: ok\n"


def test_the_kit_imports_neither_pytest_nor_a_plugin() -> None:
    code = "import workbench.testing.conformance, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"pytest", "workbench_subprocess", "workbench_bubblewrap"} & set(done.stdout.split())


def test_the_suite_asks_for_the_backend_s_name(tmp_path: Path) -> None:
    done = suite(tmp_path, "-k", "stop_is_idempotent")
    assert "say which backend: --workbench-backend=NAME" in done.stdout, done.stdout + done.stderr


def suite(folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--pyargs", "workbench.testing.suite"]
    return subprocess.run([*command, *more], cwd=folder, capture_output=True, text=True, check=False)
