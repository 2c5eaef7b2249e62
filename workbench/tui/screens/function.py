"""One function: its configuration, aliases and versions, and what ran of it."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content

from workbench.live.view import FunctionView
from workbench.model.text import one_line
from workbench.tui.format import milliseconds, number, share, version
from workbench.tui.mirror import Changed, Mirror
from workbench.tui.screens.dialog import Dialog
from workbench.tui.widgets.facts import Fact, Facts
from workbench.tui.widgets.panel import Panel


class FunctionDetail(Dialog[None]):
    """What the engine knows of a function, live."""

    DEFAULT_CSS = """
    FunctionDetail {
        & > .box { width: 96; padding: 0; background: $background; }
        Panel { height: auto; max-height: 20; }
    }
    """
    AUTO_FOCUS = "Panel"

    def __init__(self, view: FunctionView) -> None:
        super().__init__()
        self._view = view

    def compose(self) -> ComposeResult:
        box = Vertical(classes="box")
        box.border_title = Content(f"Function {one_line(self._view.name)}")
        box.border_subtitle = Content("esc back")
        with box:
            yield Facts()
            yield Panel("Aliases and versions")

    def on_mount(self) -> None:
        self.sync(Changed.everything())

    def sync(self, changed: Changed) -> None:
        if not (changed.functions or changed.environments or changed.link):
            return
        mirror = self.workbench.mirror
        self._view = view = mirror.functions.get(self._view.name, self._view)
        self.query_one(Facts).show(_facts(view, mirror))
        self.query_one(Panel).write(_routing(view))


def _facts(view: FunctionView, mirror: Mirror) -> list[Fact]:
    ended = view.invocations - view.running
    return [
        ("", view.state.value, "bold"),
        ("runtime", view.runtime, ""),
        ("handler", view.handler, ""),
        ("memory", f"{view.memory_size} MB", ""),
        ("timeout", f"{view.timeout} s", ""),
        ("warm", str(mirror.warm(view.name)), "$text-success"),
        ("running", str(view.running), "$text-success"),
        ("invocations", number(view.invocations), "bold"),
        ("errors", f"{view.errors} ({share(view.errors, view.invocations)})", "$text-error" if view.errors else ""),
        ("throttles", str(view.throttles), "$text-warning" if view.throttles else ""),
        ("cold starts", str(view.cold_starts), "$text-accent" if view.cold_starts else ""),
        ("mean", milliseconds(view.duration_ms / ended if ended > 0 else None), ""),
        ("billed", milliseconds(view.billed_ms) if view.billed_ms else "", ""),
    ]


def _routing(view: FunctionView) -> Content:
    lines = []
    for name, targets in sorted(view.aliases.items()):
        weights = "   ".join(f"{version(one_line(number))} {weight * 100:.4g}%" for number, weight in targets.items())
        lines.append(Content.assemble((one_line(name), "bold"), ("  →  ", "$foreground 50%"), weights))
    published = "  ".join(one_line(number) for number in view.versions) or "none published"
    changed = "  ($LATEST differs from the newest)" if view.dirty and view.versions else ""
    lines.append(Content.assemble(("versions  ", "$foreground 55%"), published, (changed, "$text-warning")))
    total = sum(view.executed.values())
    if total:
        split = "   ".join(
            f"{version(one_line(n))} {count} ({share(count, total)})" for n, count in view.executed.items()
        )
        lines.append(Content.assemble(("executed  ", "$foreground 55%"), split))
    return Content("\n").join(lines)
