"""How an alias's weights move to another version step by step, in the words of AWS SAM and CodeDeploy. Pure."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from math import ceil

from workbench.model.functions import Alias
from workbench.tui.aws_cli import command
from workbench.tui.format import age

#: The longest that CodeDeploy waits between two steps (CodeDeploy API reference, TimeBasedLinear), in seconds.
LONGEST = 2_880 * 60
#: What AWS SAM's DeploymentPreference offers, and two that one need not wait for.
PRESETS = (
    "Linear10PercentEvery10Seconds",
    "Canary10Percent30Seconds",
    "Linear10PercentEvery1Minute",
    "Linear10PercentEvery2Minutes",
    "Linear10PercentEvery3Minutes",
    "Linear10PercentEvery10Minutes",
    "Canary10Percent5Minutes",
    "Canary10Percent10Minutes",
    "Canary10Percent15Minutes",
    "Canary10Percent30Minutes",
    "AllAtOnce",
)
_WORDS = re.compile(
    r"(?:CodeDeployDefault\.Lambda)?(?:(?P<all>AllAtOnce)"
    r"|Linear(?P<step>\d+)PercentEvery(?P<every>\d+)(?P<every_unit>Second|Minute)s?"
    r"|Canary(?P<first>\d+)Percent(?P<after>\d+)(?P<after_unit>Second|Minute)s?)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class RampPlan:
    """`percent` at once, then as much again after each `seconds` if it is `linear`, else all the rest after them."""

    percent: int
    seconds: int = 0
    linear: bool = False

    @property
    def shares(self) -> tuple[float, ...]:
        """The new version's share of the invocations in each step, 0.0 to 1.0; the last is 1.0."""
        if not self.linear:
            return (1.0,) if self.percent == 100 else (self.percent / 100, 1.0)
        return tuple(min(1.0, round(step * self.percent / 100, 6)) for step in range(1, ceil(100 / self.percent) + 1))

    def beyond(self, share: float) -> tuple[float, ...]:
        """The steps that are left to a version that has this share already."""
        return tuple(step for step in self.shares if step > share + 1e-9)

    def __str__(self) -> str:
        if self.percent == 100:
            return "AllAtOnce"
        count, unit = (self.seconds // 60, "Minute") if self.seconds % 60 == 0 else (self.seconds, "Second")
        time = f"{count}{unit}{'' if count == 1 else 's'}"
        return f"Linear{self.percent}PercentEvery{time}" if self.linear else f"Canary{self.percent}Percent{time}"

    def told(self, share: float = 0.0) -> str:
        """What it does from this share on, as a sentence."""
        steps = self.beyond(share)
        if len(steps) == 1:
            return "All of it at once."
        total = age(self.seconds * (len(steps) - 1))
        first = f"{100 * steps[0]:g} % at once"
        if not self.linear:
            return f"{first}, all of it after {total}."
        return f"{first}, {self.percent} % more every {age(self.seconds)}, all of it after {total}: {len(steps)} steps."


def read(text: str) -> RampPlan:
    """The plan of such a name; CodeDeploy's own names of them are taken, too.

    Raises:
        ValueError: it is none; the message says what is wrong.
    """
    found = _WORDS.fullmatch(text.strip())
    if found is None:
        raise ValueError("Linear10PercentEvery1Minute, Canary10Percent30Seconds or AllAtOnce, with other figures")
    if found["all"]:
        return RampPlan(100)
    linear = found["step"] is not None
    percent = int(found["step"] or found["first"])
    count, unit = (found["every"], found["every_unit"]) if linear else (found["after"], found["after_unit"])
    seconds = int(count) * (60 if unit.lower() == "minute" else 1)
    if not 1 <= percent <= 99:
        raise ValueError(f"{percent} percent: a step is from 1 to 99; AllAtOnce is the word for 100")
    if not 1 <= seconds <= LONGEST:
        raise ValueError(f"between two steps are from 1 second to {LONGEST // 60} minutes")
    return RampPlan(percent, seconds, linear)


def cli(plan: RampPlan, alias: Alias, target: str, endpoint: str | None = None) -> str:
    """The same as a script for the shell: calls of the aws CLI, and waiting between them."""
    steps = plan.beyond(alias.weights.get(target, 0.0))
    options = {"function-name": alias.function, "name": alias.name}
    whole = {"function-version": target, "routing-config": json.dumps({"AdditionalVersionWeights": {}})}
    lines = []
    if len(steps) > 1:
        call = command("update-alias", options, endpoint=endpoint).replace(" \\\n    ", " ")
        weights = f"""--routing-config '{{"AdditionalVersionWeights":{{"{target}":'"$weight"'}}}}'"""
        lines += [f"for weight in {' '.join(f'{step:g}' for step in steps[:-1])}; do", f"    {call} {weights}"]
        lines += [f"    sleep {plan.seconds}", "done"]
    return "\n".join([*lines, command("update-alias", options | whole, endpoint=endpoint)])
