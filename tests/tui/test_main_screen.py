"""The first screen: what it shows, and how a person moves about in it."""

from dataclasses import replace

import pytest
from textual.events import MouseScrollDown

from tests.tui.conftest import SMALL, WIDE
from tests.tui.fake_port import STATUS
from workbench.model.environments import EnvironmentState as State
from workbench.model.functions import FunctionState
from workbench.model.invocations import InvocationStatus


@pytest.mark.parametrize("size", [(120, 36), (200, 60)])
async def test_a_wide_terminal_shows_all_panes(open_face, size):
    async with open_face(size) as face:
        for part in ("1 Functions", "2 Environments", "3 Invocations", "4 Logs", "λ workbench", "orders", "? help"):
            assert part in face.text


async def test_a_small_terminal_shows_one_pane_and_tabs(open_face):
    async with open_face(SMALL) as face:
        assert " 1 Functions   2 Environments   3 Invocations   4 Logs" in face.lines[2]
        assert "counter" in face.text
        assert "No environments yet" not in face.text
        await face.press("2")
        assert "No environments yet" in face.text
        assert "counter" not in face.text
        await face.press("3")
        assert "Nothing ran yet" in face.text
        await face.press("4")
        assert "No lines yet" in face.text
        await face.pilot.click("PaneTabs", offset=(4, 0))
        await face.frame()
        assert "counter" in face.text


async def test_the_number_keys_focus_panes_in_a_wide_terminal(open_face):
    async with open_face() as face:
        for key, name in zip("2341", ("environments", "invocations", "logs", "functions-list"), strict=True):
            await face.press(key)
            assert face.app.focused.id == name


@pytest.mark.parametrize("size", [(40, 10), (1, 1)])
async def test_a_tiny_terminal_does_not_break_it(open_face, engine, size):
    engine.warm("e-1", "hello")
    engine.run("r-1", "hello", "e-1")
    async with open_face(size) as face:
        for key in ("1", "2", "3", "4", "j", "k", "enter", "escape", "f", "escape", "question_mark", "escape", "q"):
            await face.press(key)
        await face.pilot.resize_terminal(*WIDE)
        await face.frame()


async def test_the_header_tells_backend_boundary_and_rates(open_face, engine):
    async with open_face() as face:
        assert "bubblewrap ● isolated" in face.lines[0]
        assert "the strongest that works here" in face.lines[0]
        engine.run("r-1", "hello", "e-1")
        engine.run("r-2", "hello", "e-1", status=InvocationStatus.ERROR)
        engine.accepted("r-3", "hello", "e-2", cold=True)
        await face.frame(1000)
        assert "err 33%" in face.lines[1]
        assert "cold 33%" in face.lines[1]
        assert "conc 1" in face.lines[1]
        assert "inv/s 2.8" in face.lines[1]


async def test_what_was_throttled_is_no_error(open_face, engine):
    engine.run("r-1", "hello", "e-1")
    for number in range(9):
        engine.refused(f"x-{number}", "hello")
    async with open_face((160, 48)) as face:
        assert "  0%" in face.line("┃  hello").split("┃│")[0]
        engine.run("r-2", "hello", "e-1", status=InvocationStatus.ERROR)
        await face.frame()
        assert " 50%" in face.line("┃  hello").split("┃│")[0]


async def test_a_backend_without_a_boundary_says_so(open_face, engine):
    why = "bubblewrap is not installed"
    engine.engine_status = replace(STATUS, backend="subprocess", isolated=False, backend_why=why)
    async with open_face() as face:
        assert "subprocess ▲ no boundary: trusted code only" in face.lines[0]
        assert "bubblewrap is not installed" in face.lines[0]


async def test_why_a_backend_was_taken_is_said_whole_or_not_at_all(open_face, engine):
    engine.engine_status = replace(STATUS, backend_why="the strongest boundary that works here")
    async with open_face(WIDE) as face:
        assert "the strongest boundary that works here" in face.lines[0]
    async with open_face((70, 24)) as face:
        assert face.lines[0].rstrip().endswith("● isolated")


async def test_functions_show_where_their_aliases_point(open_face, engine):
    engine.function("hello", version="7")
    engine.function("hello", version="8")
    engine.alias("hello", "live", "7", {"8": 0.1})
    engine.function("broken", state=FunctionState.FAILED)
    async with open_face((200, 60)) as face:
        assert "live→7 90% 8 10%" in face.line("hello")
        assert "Failed" in face.line("broken")
        assert "$LATEST" in face.line("counter")
    async with open_face() as face:
        assert "live→7 +8 10%" in face.line("hello")


async def test_an_environment_grows_through_its_states(open_face, engine):
    async with open_face() as face:
        seen = []
        for state in (State.CREATING, State.INIT, State.BUSY, State.IDLE, State.FROZEN):
            engine.environment("e-1", state, "hello", reason="no environment yet")
            await face.frame(250)
            line = face.line("e-1")
            assert f" {state.value} " in line
            seen.append(line.split("│")[1])
        assert "▓▒██··" in seen[-1]
        assert "1 alive" in face.text
        engine.environment("e-1", State.STOPPED, "hello", reason="idle")
        await face.frame(250)
        assert "▓▒██·S" in face.line("e-1")
        assert "0 alive" in face.text
        await face.press("1")
        engine.warm("e-2", "hello")
        await face.frame()
        await face.press("2", "j")
        await face.frame(61_000)
        assert [view.id for view in face.main.environments.items] == ["e-2"]


async def test_invocations_come_in_on_top_and_running_ones_count_their_time(open_face, engine):
    async with open_face() as face:
        engine.accepted("r-1", "hello", "e-1", cold=True, qualifier="live")
        await face.frame()
        assert "○ waiting" in face.line("r-1")
        engine.started("r-1")
        await face.frame(500)
        assert "▸ running" in face.line("r-1")
        assert "500 ms" in face.line("r-1")
        engine.finished("r-1", ms=512, init_ms=184)
        engine.refused("r-2", "counter")
        await face.frame()
        line = face.line("r-1")
        for part in ("hello:live", "✓ ok", "184 ms", "512 ms", "41/128", "cold: no environ"):
            assert part in line
        assert "! throttle" in face.line("r-2")
        assert face.lines.index(face.line("r-2")) < face.lines.index(face.line("r-1"))


async def test_logs_follow_and_stop_following_when_scrolled(open_face, engine):
    async with open_face() as face:
        for number in range(40):
            engine.log(f"line {number}")
        await face.frame()
        assert "line 39" in face.text
        await face.press("4", "k")
        held = face.main.logs.scroll_offset.y
        assert "held" in face.text
        engine.log("line 40")
        await face.frame()
        assert "line 40" not in face.text
        assert "1 newer" in face.text
        assert face.main.logs.scroll_offset.y == held
        await face.press("G")
        assert "line 40" in face.text
        assert "● live" in face.line("4 Logs")


async def test_the_selected_invocation_stays_where_it_is_on_the_screen(open_face, engine):
    for number in range(30):
        engine.run(f"r-{number:02}", "hello", "e-1")
    async with open_face() as face:
        await face.press("3", "j", "j", "j")
        rows = face.main.invocations
        assert rows.selected.request_id == "r-27"
        at = face.lines.index(face.line("r-27"))
        for number in range(30, 33):
            engine.run(f"r-{number:02}", "hello", "e-1")
            await face.frame()
        assert rows.selected.request_id == "r-27"
        assert face.lines.index(face.line("r-27")) == at
        assert "3 newer" in face.text
        await face.press("escape")
        assert "r-32" in face.text


async def test_space_pauses_a_list(open_face, engine):
    async with open_face() as face:
        engine.run("r-1", "hello", "e-1")
        await face.frame()
        await face.press("3", "space")
        assert "‖ paused" in face.line("3 Invocations")
        engine.run("r-2", "hello", "e-1")
        await face.frame()
        assert "r-2" not in "\n".join(line for line in face.lines if "✓" in line)
        assert "1 more" in face.line("3 Invocations")
        await face.press("space")
        assert "r-2" in face.text
        assert "paused" not in face.line("3 Invocations")


async def test_a_paused_timeline_stands_still(open_face, engine):
    async with open_face() as face:
        engine.environment("e-1", State.BUSY, "hello")
        await face.frame(250)
        await face.press("2", "space")
        before = face.line("e-1")
        await face.frame(5000)
        assert face.line("e-1") == before
        await face.press("space")
        await face.frame(250)
        assert face.line("e-1") != before


async def test_the_filter_narrows_and_clears(open_face, engine):
    engine.function("order-worker")
    async with open_face() as face:
        await face.press("slash")
        await face.type("cnt")
        assert "counter" in face.text
        assert "order-worker" not in face.text
        assert "1/3" in face.line("Functions")
        await face.press("enter")
        assert face.main.function.name == "counter"
        assert face.app.focused is face.main.functions
        await face.press("escape")
        assert "order-worker" in face.text
        await face.press("slash")
        await face.type("zzz")
        assert "No function matches" in face.text
        await face.press("escape")
        assert "order-worker" in face.text


async def test_letters_typed_into_the_filter_are_no_commands(open_face):
    async with open_face() as face:
        await face.press("slash", "q", "f", "question_mark")
        assert face.app.screen is face.main
        assert face.main.functions.query_text == "qf?"


async def test_the_mouse_selects_scrolls_and_opens(open_face, engine):
    for number in range(40):
        engine.run(f"r-{number:02}", "hello", "e-1")
    async with open_face() as face:
        assert face.main.function.name == "counter"
        await face.pilot.click("#functions-list", offset=(5, 2))
        assert face.main.function.name == "hello"
        rows = face.main.invocations
        await face.pilot.click("#invocations", offset=(5, 4))
        assert rows.selected.request_id == "r-37"
        rows.select(None)
        rows._on_mouse_scroll_down(_wheel(rows))
        await face.frame()
        assert not rows.following
        await face.pilot.double_click("#invocations", offset=(5, 4))
        await face.frame()
        assert "Invocations \u203a r-" in face.text


def _wheel(widget):
    return MouseScrollDown(widget, 3, 3, 0, 1, 0, False, False, False)


async def test_lists_can_show_only_the_selected_function(open_face, engine):
    engine.run("r-1", "hello", "e-1")
    engine.run("r-2", "counter", "e-2")
    async with open_face() as face:
        await face.press("4", "o")
        assert "counter" in face.line("4 Logs")
        assert "END RequestId: r-2" in face.text
        assert "END RequestId: r-1" not in face.text
        await face.press("1", "j")
        assert "END RequestId: r-1" in face.text
        await face.press("4", "escape")
        assert "END RequestId: r-2" in face.text
        await face.press("3", "o")
        assert "hello" in face.line("3 Invocations")
        await face.press("2", "o")
        assert [view.id for view in face.main.environments.items] == ["e-1"]


async def test_long_log_lines_can_be_moved_sideways(open_face, engine):
    engine.log("start " + "x" * 150 + " THE END")
    async with open_face() as face:
        assert "THE END" not in face.text
        await face.press("4", *["right"] * 8)
        assert "THE END" in face.text
        assert "from column" in face.line("4 Logs")
        await face.press(*["left"] * 8)
        assert "start" in face.text


async def test_timelines_zoom(open_face, engine):
    async with open_face() as face:
        engine.warm("e-1", "hello")
        await face.frame()
        assert "-5 s" in face.text
        await face.press("2", "minus")
        assert "-10 s" in face.text
        await face.press("plus", "plus")
        assert "-5 s" in face.text


async def test_a_retry_replaces_the_row_of_its_first_attempt(open_face, engine):
    engine.run("r-1", "hello", "e-1", status=InvocationStatus.ERROR)
    async with open_face() as face:
        assert "✗ error" in face.text
        engine.run("r-1", "hello", "e-1")
        await face.frame()
        assert "✗ error" not in face.text
        assert "✓ ok" in face.text
