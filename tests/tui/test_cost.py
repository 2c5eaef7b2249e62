"""What a function would have cost, and what it would have with other concurrency."""

from tests.model.test_codec import example
from tests.tui.conftest import SMALL
from workbench.model.cost import Bill, Costs, FunctionCost
from workbench.model.errors import UsageError
from workbench.model.forecast import Forecast, FunctionForecast, Outcome, WhatIf
from workbench.model.names import FunctionRef
from workbench.model.prices import Prices

PRICES = example(Prices)


def costs(*names: str) -> Costs:
    bill = Bill(requests=0.2, duration=1.25, storage=0.0, provisioned=0.0)
    found = tuple(
        FunctionCost(function=name, invocations=1_000_000, gb_seconds=75_000.0, provisioned_gb_seconds=0.0, bill=bill)
        for name in names
    )
    return Costs(since=0.0, prices=PRICES, functions=found)


class Asked:
    """Answers as an engine would; remembers what it was asked."""

    def __init__(self, engine, found: Costs) -> None:
        self.questions: list[tuple[WhatIf, FunctionRef]] = []
        self.found = found
        engine.costs, engine.what_if = self.costs, self.what_if

    async def costs(self, *, function: str | None = None) -> Costs:
        assert function == "hello"
        return self.found

    async def what_if(self, change: WhatIf, *, function: FunctionRef, limit: int = 0) -> Forecast:
        if change.reserved == 0:
            raise UsageError("nothing ran")
        self.questions.append((change, function))
        actual = Outcome(invocations=8, cold_starts=8, throttles=0, p50_ms=150.0, p99_ms=200.0, bill=example(Bill))
        other = Outcome(invocations=8, cold_starts=3, throttles=0, p50_ms=2.0, p99_ms=190.0, bill=example(Bill))
        one = FunctionForecast(function="hello", actual=actual, what_if=other)
        return Forecast(change=change, since=0.0, until=1.0, functions=(one,), notes=("a note",), prices=PRICES)


async def test_the_costs_and_then_what_if(open_face, engine):
    engine.function("hello")
    asked = Asked(engine, costs("hello"))
    async with open_face() as face:
        await face.type(":function hello")
        await face.press("enter", "dollar_sign")
        assert "Cost of hello" in face.text
        assert "1000000" in face.text
        assert "$1.45" in face.text
        await face.type("provisioned=5")
        await face.press("enter")
        assert asked.questions == [(WhatIf(provisioned=5), FunctionRef("hello"))]
        (table,) = (line.replace("│", " ").split() for line in face.lines if "cold starts" in line)
        assert table[-2:] == ["8", "3"]
        assert "a note" in face.text
        await face.press("escape")
        assert "Cost of hello" not in face.text


async def test_by_name_for_a_qualifier(open_face, engine):
    engine.function("hello")
    asked = Asked(engine, costs())
    async with open_face(SMALL) as face:
        await face.type(":cost hello")
        await face.press("enter")
        assert "It has not run yet." in face.text
        await face.type("reserved=2")
        await face.press("enter")
        assert asked.questions == [(WhatIf(reserved=2), FunctionRef("hello"))]


async def test_what_makes_no_sense_is_a_notice(open_face, engine):
    engine.function("hello")
    Asked(engine, costs("hello"))
    async with open_face() as face:
        await face.type(":function hello")
        await face.press("enter", "dollar_sign")
        for question, said in (("memory=512", "in no record"), ("reserved=0", "nothing ran"), ("rubbish", "takes")):
            await face.type(question)
            await face.press("enter")
            assert said in face.text, question
            face.app.screen.query_one("Input").value = ""
