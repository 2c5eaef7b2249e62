"""A choice among a few, moved through by keys."""

from __future__ import annotations

from textual.app import App, ComposeResult
from textual.widgets import Input

from workbench.tui.widgets.choice import Choice


class Page(App[None]):
    def compose(self) -> ComposeResult:
        yield Choice([("one", 1), ("two", 2)])
        yield Input()


async def test_the_next_key_is_for_what_comes_next() -> None:
    async with Page().run_test() as pilot:
        choice = pilot.app.query_one(Choice)
        await pilot.press("enter", "down", "enter", "tab", "x")
        assert choice.value == 2
        assert pilot.app.query_one(Input).value == "x"


async def test_it_takes_the_focus_at_once_and_not_when_the_app_comes_to_it() -> None:
    async with Page().run_test() as pilot:
        choice = pilot.app.query_one(Choice)
        await pilot.press("enter")
        assert pilot.app.focused is not choice
        choice.focus()
        assert pilot.app.focused is choice
