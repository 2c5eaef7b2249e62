"""Start, an alias edited by keys, fire, resize and quit in one real terminal.

An unmodified client sees the weights that were edited, and the split follows.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from tests.endtoend.conftest import Shell, eventually
from tests.endtoend.test_aws_clients import client_for
from tests.endtoend.test_terminal import Terminal, terminal
from tests.support import OFTEN

__all__ = ["terminal"]

pytestmark = pytest.mark.tmux

INVOCATIONS = 200


def client_of(shell: Shell) -> Any:
    return client_for(json.loads(shell.run("status", "--json").stdout)["urls"]["lambda"])


def publish_two(client: Any) -> None:
    """Versions 1 and 2 of hello."""
    client.get_waiter("function_active_v2").wait(FunctionName="hello", WaiterConfig=OFTEN)
    client.publish_version(FunctionName="hello")
    client.update_function_configuration(FunctionName="hello", Description="the second")
    client.get_waiter("function_updated_v2").wait(FunctionName="hello", WaiterConfig=OFTEN)
    client.publish_version(FunctionName="hello")


@pytest.mark.parametrize(("width", "height"), [(120, 36), (80, 24)])
def test_start_edit_an_alias_fire_resize_quit(
    terminal: Callable[[int, int], Terminal], shell: Shell, width: int, height: int
) -> None:
    ui = terminal(width, height)
    ui.sees("No functions yet")
    ui.press("d")
    ui.sees("hello", "counter")
    client = client_of(shell)
    publish_two(client)
    ui.press("/")
    ui.sees("⏎ keep")
    ui.press(*"hello")
    ui.sees("/ hello")
    ui.press("Enter")
    ui.sees("⏎ open")
    ui.press("Enter")
    ui.sees("2 versions published", "p publish")

    # A new alias for the newest version, with the older one as the second.
    ui.press("n")
    ui.sees("New alias", "the alias needs a name")
    ui.press(*"live")
    ui.sees("✓ name")
    ui.press("Tab", "Tab", "Enter")
    ui.sees("Dismiss menu")
    ui.press("Down", "Enter")
    ui.sees("▲ version 1 gets nothing")
    ui.press("Tab", "Tab", "L", "L", "L")
    ui.line("1  ", "30 %")
    ui.press("C-s")
    ui.sees("✓ Saved", "live created")
    saved = client.get_alias(FunctionName="hello", Name="live")
    assert saved["FunctionVersion"] == "2"
    assert saved["RoutingConfig"] == {"AdditionalVersionWeights": {"1": 0.3}}

    counts = Counter(
        client.invoke(FunctionName="hello:live", Payload=b"{}")["ExecutedVersion"] for _ in range(INVOCATIONS)
    )
    assert set(counts) == {"1", "2"}
    # 60 are expected, with a standard deviation of 6.5: five and a half of them is one run in tens of millions.
    assert 24 <= counts["1"] <= 96
    if width >= 110:
        ui.line("observed", f"of {INVOCATIONS}", f"1 {counts['1'] / INVOCATIONS * 100:.1f} %")

    ui.press("e", "L", "C-s")
    ui.sees("2 70% 1 30% → 2 60% 1 40%")
    eventually(lambda: client.get_alias(FunctionName="hello", Name="live")["RoutingConfig"] == weights(0.4))
    ui.press("u")
    eventually(lambda: client.get_alias(FunctionName="hello", Name="live")["RoutingConfig"] == weights(0.3))
    ui.press("Escape", "Escape")
    ui.sees("⏎ open")
    ui.press("F", "3")
    ui.sees(f"{INVOCATIONS + 1} invocations")
    ui.press("g", "Enter")
    ui.sees("INVOKE", "r replay")

    # To next to nothing, to more than there is to show, and to the other layout.
    ui.resize(20, 5)
    eventually(lambda: max(map(len, ui.screen().splitlines())) <= 20 and "λ workbench" in ui.screen())
    ui.resize(300, 80)
    ui.sees("INVOKE", "3 Response │ 4 Event", "2 Logs", "START RequestId")
    small = width >= 110
    ui.resize(*((80, 24) if small else (120, 36)))
    ui.sees("INVOKE", "3 Response   4 Event" if small else "3 Response │ 4 Event", "r replay")

    ui.press("q")
    # Two versions and $LATEST; one more for each invocation that came while the environment before it was freezing.
    asked = ui.sees("The engine (pid", "environments and 0 running", "Leave it running")
    (count,) = re.findall(r"has (\d+) environments", asked)
    assert int(count) >= 3
    ui.press("l")
    ui.exited(0)
    assert client.invoke(FunctionName="hello:live", Payload=b"{}")["StatusCode"] == 200


def weights(of_one: float) -> dict[str, dict[str, float]]:
    return {"AdditionalVersionWeights": {"1": of_one}}
