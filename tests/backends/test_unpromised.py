"""An environment that inherits `Unpromised` implements only what every environment has."""

import inspect

import pytest

from workbench.backends.api import Environment
from workbench.backends.unpromised import Unpromised
from workbench.model.errors import BackendError

#: What the contract asks of every environment.
ALWAYS = {"start", "signal", "usage", "events", "stop"}


def calls(kind: type) -> dict[str, inspect.Signature]:
    return {
        name: inspect.signature(member)
        for name, member in vars(kind).items()
        if inspect.isfunction(member) and not name.startswith("_")
    }


def test_it_has_every_call_that_a_capability_brings() -> None:
    brought = {name: signature for name, signature in calls(Environment).items() if name not in ALWAYS}
    assert calls(Unpromised) == brought


async def test_each_says_what_the_backend_cannot_do() -> None:
    environment = Unpromised()
    environment.id = "mine"
    for name, signature in calls(Unpromised).items():
        with pytest.raises(BackendError, match="environment mine: its backend cannot "):
            await getattr(environment, name)(*range(len(signature.parameters) - 1))
