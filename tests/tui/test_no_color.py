"""With NO_COLOR set nothing has a colour, and states are told apart all the same."""

import pytest

from tests.tui.conftest import SMALL, WIDE
from workbench.model.environments import EnvironmentState as State


@pytest.mark.parametrize(
    ("size", "keys"), [(WIDE, ("2",)), (SMALL, ("v",)), (WIDE, ("enter",)), (WIDE, ("E",)), (SMALL, ("O",))]
)
async def test_nothing_is_told_by_colour_alone(open_face, engine, monkeypatch, size, keys):
    monkeypatch.setenv("NO_COLOR", "1")
    engine.function("counter", version="1")
    for state in State:
        engine.environment(f"e-{state.value}", state, "counter")
        engine.advance(250)
    async with open_face(size) as face:
        await face.press(*keys)
        colours = {
            colour.get_truecolor()
            for strip in face.app.screen._compositor.render_strips()
            for segment in strip
            if segment.style is not None
            for colour in (segment.style.color, segment.style.bgcolor)
            if colour is not None and not colour.is_default
        }
        assert colours
        assert all(colour.red == colour.green == colour.blue for colour in colours), colours
        if keys in (("2",), ("v",)):
            for state in State:
                assert state.glyph in face.line(state.value)
        if keys == ("O",):
            assert "NO_COLOR is set" in face.text
