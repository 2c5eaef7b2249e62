"""Every recorded scenario of Lambda's control API: each step as AWS answered it, or on the list with its reason."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conformance import recordings
from tests.conformance.differences import known
from tests.conformance.recordings import Scenario
from tests.conformance.replay import replay
from tests.conformance.target import Target, open_target

SCENARIOS = recordings.scenarios()
#: The share of recorded steps that may be on the list.
ALLOWED = 0.05


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    pytest.importorskip("moto")
    with open_target(tmp_path_factory.mktemp("conformance")) as opened:
        yield opened


@pytest.mark.skipif(bool(SCENARIOS), reason="the recordings are here")
def test_recordings() -> None:
    pytest.skip(f"no recordings: neither {recordings.VARIABLE} nor a folder shared/conformance beside the checkout")


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.id)
def test_scenario(scenario: Scenario, target: Target) -> None:
    outcome = replay(scenario, target)
    listed = known().get(scenario.id, {})
    unlisted = {key: outcome.steps[key] for key in outcome.missed - listed.keys()}
    assert not unlisted, _words(unlisted, outcome.context)
    mended = listed.keys() - outcome.missed
    assert not mended, f"listed as different, but as AWS answers by now: {sorted(mended)}"


def _words(missed: dict[str, list[str]], context: list[str]) -> str:
    lines = [f"[{key}]{difference}" for key, differences in missed.items() for difference in differences]
    return "\n".join(["not as AWS answers:", *lines, *(f"context, {line}" for line in context)])
