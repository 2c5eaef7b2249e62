"""Ramps in the words of AWS SAM and CodeDeploy: what each does, and the same as a script."""

import json
import shutil
import subprocess

import pytest

from workbench.model.functions import Alias
from workbench.tui.ramp_plan import PRESETS, RampPlan, cli, read


@pytest.mark.parametrize(
    ("text", "plan"),
    [
        ("Linear10PercentEvery1Minute", RampPlan(10, 60, linear=True)),
        ("linear25percentevery10seconds", RampPlan(25, 10, linear=True)),
        (" Canary10Percent5Minutes ", RampPlan(10, 300)),
        ("CodeDeployDefault.LambdaCanary10Percent30Minutes", RampPlan(10, 1800)),
        ("AllAtOnce", RampPlan(100)),
        ("CodeDeployDefault.LambdaAllAtOnce", RampPlan(100)),
    ],
)
def test_the_words_are_read(text, plan):
    assert read(text) == plan


@pytest.mark.parametrize("name", PRESETS)
def test_each_preset_is_written_as_it_is_read(name):
    assert str(read(name)) == name


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("", "Linear10PercentEvery1Minute, "),
        ("Linear10Percent", "Linear10PercentEvery1Minute, "),
        ("Canary0Percent5Minutes", "from 1 to 99"),
        ("Linear100PercentEvery1Minute", "AllAtOnce is the word for 100"),
        ("Canary10Percent0Seconds", "from 1 second to 2880 minutes"),
        ("Linear1PercentEvery2881Minutes", "from 1 second to 2880 minutes"),
    ],
)
def test_what_is_no_plan_is_refused_with_what_would_be_one(text, wrong):
    with pytest.raises(ValueError, match=wrong):
        read(text)


def test_steps():
    assert read("Linear10PercentEvery10Seconds").shares == (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
    assert read("Linear30PercentEvery10Seconds").shares == (0.3, 0.6, 0.9, 1.0)
    assert read("Canary5Percent10Seconds").shares == (0.05, 1.0)
    assert read("AllAtOnce").shares == (1.0,)
    assert read("Linear30PercentEvery10Seconds").beyond(0.6) == (0.9, 1.0)


@pytest.mark.parametrize(
    ("text", "share", "told"),
    [
        ("Linear10PercentEvery10Seconds", 0.0, "10 % at once, 10 % more every 10s, all of it after 1m30s: 10 steps."),
        ("Linear10PercentEvery10Seconds", 0.75, "80 % at once, 10 % more every 10s, all of it after 20s: 3 steps."),
        ("Canary10Percent5Minutes", 0.0, "10 % at once, all of it after 5m00s."),
        ("Canary10Percent5Minutes", 0.1, "All of it at once."),
        ("AllAtOnce", 0.0, "All of it at once."),
    ],
)
def test_what_it_does_is_told(text, share, told):
    assert read(text).told(share) == told


@pytest.mark.skipif(shutil.which("sh") is None, reason="needs a shell")
@pytest.mark.parametrize("text", ["Linear30PercentEvery10Seconds", "Canary5Percent2Minutes", "AllAtOnce"])
def test_the_script_does_the_same(tmp_path, text):
    """Run by a shell whose `aws` and `sleep` only write down how they are called."""
    log = tmp_path / "log"
    for name in ("aws", "sleep"):
        (tmp_path / name).write_text(f'#!/bin/sh\nprintf "%s\\037" {name} "$@" >> {log}\necho >> {log}\n')
        (tmp_path / name).chmod(0o755)
    alias = Alias(function="hello", name="live", version="7", weights={}, revision_id="r")
    plan = read(text)
    script = cli(plan, alias, "8", "http://127.0.0.1:3001")
    subprocess.run(["sh", "-c", script], check=True, env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, timeout=30)
    calls = [line.rstrip("\037").split("\037") for line in log.read_text().splitlines()]
    weights = []
    for call in calls:
        if call[0] == "sleep":
            assert call == ["sleep", str(plan.seconds)]
            continue
        assert call[:3] == ["aws", "--endpoint-url", "http://127.0.0.1:3001"]
        options = dict(zip(call[5::2], call[6::2], strict=True))
        assert (options["--function-name"], options["--name"]) == ("hello", "live")
        routing = json.loads(options["--routing-config"])["AdditionalVersionWeights"]
        weights.append(routing.get("8", 1.0 if options.get("--function-version") == "8" else None))
    assert tuple(weights) == plan.shares
    assert len(calls) == 2 * len(plan.shares) - 1
