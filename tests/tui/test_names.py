"""Textual keeps its own state in attributes of the same objects as we do: none of ours may hide one of its.

A widget whose `_running` is not the message pump's is never painted again, and nothing says so.
"""

import ast
import inspect
from pathlib import Path

import pytest
import textual
from textual.app import App
from textual.screen import Screen
from textual.scroll_view import ScrollView

import workbench.tui

#: The files of the app between its ground and itself.
PARTS = ("exporting", "openers", "by_hand", "firing", "ramping", "touring")
TEXTUAL = Path(inspect.getfile(textual)).parent
OURS = Path(inspect.getfile(workbench.tui)).parent
#: Meant to be set or overridden by those who derive from it.
SETTINGS = {
    *("ALLOW_SELECT", "AUTO_FOCUS", "BINDINGS", "COMMANDS", "COMPONENT_CLASSES", "CSS_PATH", "DEFAULT_CSS", "TITLE"),
    *("HORIZONTAL_BREAKPOINTS", "VERTICAL_BREAKPOINTS", "border_title", "border_subtitle", "display", "theme"),
    *("tooltip", "virtual_size", "compose", "render", "render_line", "get_content_height", "get_default_screen"),
    *("get_system_commands", "notify_style_update", "on_mount", "watch_scroll_y", "check_action", "action_quit"),
    *("check_consume_key", "get_key_display", "on_event", "focused", "SUSPENDED_SCREEN_CLASS", "_styles_cache"),
    *("focus", "__init__"),
}


def set_on_self(path: Path) -> set[str]:
    """Attributes that the methods of a file set on `self`."""
    return {
        node.attr
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)
        if isinstance(node.value, ast.Name) and node.value.id == "self"
    }


def defined(path: Path) -> set[str]:
    """Methods and class variables of a file's classes."""
    names: set[str] = set()
    kinds = (node for node in ast.parse(path.read_text("utf-8")).body if isinstance(node, ast.ClassDef))
    for kind in (node for node in kinds if not node.decorator_list):  # a dataclass is no widget
        for node in kind.body:
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                names.add(node.name)
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                names.add(node.target.id)
            elif isinstance(node, ast.Assign):
                names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return names


@pytest.mark.parametrize(
    ("files", "kind", "sources"),
    [
        *((f"{part}.py", App, ("app", "dom", "message_pump")) for part in ("shell", *PARTS, "app")),
        ("screens/*.py", Screen, ("screen", "widget", "dom", "message_pump")),
        ("widgets/*.py", ScrollView, ("scroll_view", "widget", "dom", "message_pump")),
    ],
)
def test_no_name_of_ours_hides_one_of_textuals(files, kind, sources):
    assert list(OURS.glob(files))
    theirs = set(dir(kind)).union(*(set_on_self(TEXTUAL / f"{name}.py") for name in sources))
    clashes = {
        f"{path.name}: {name}"
        for path in OURS.glob(files)
        for name in (set_on_self(path) | defined(path)) & theirs - SETTINGS
    }
    assert not clashes
