"""What came of a load, as text: counts, percentiles, a histogram, which versions ran."""

from __future__ import annotations

from textual.content import Content

from workbench.model.invocations import InvocationType
from workbench.model.text import sanitize
from workbench.tui.format import milliseconds, number, plural, share
from workbench.tui.load import Load, histogram, percentiles
from workbench.tui.widgets.json_text import payload

_DIM = "$foreground 55%"
#: Failures that are named.
_NAMED = 4
#: Bytes of a response that are shown.
_RESPONSE = 20_000


def nothing_yet(key: str) -> Content:
    return Content.styled(
        f"{key} fires what is in the editor. With a count above 1 this shows percentiles, a histogram, how the "
        "versions of an alias shared the invocations, and what failed.",
        _DIM,
    )


def load_facts(load: Load, width: int) -> Content:
    """The whole result, as it stands now."""
    if load.plan.count == 1 and not load.running:
        return _single(load)
    lines = [_progress(load, width), _counts(load)]
    if load.durations:
        names = ("p50", "p95", "p99", "max")
        figures = zip(names, percentiles(load.durations, 50, 95, 99, 100), strict=True)
        lines += _flowing("ran   ", [(name, milliseconds(value), "bold") for name, value in figures], width)
        lines += [Content(""), *_bars(load, width)]
    if load.versions:
        ran = sum(load.versions.values())
        split = [
            (f"v{name}" if name.isdigit() else name, f"{number(count)} ({share(count, ran)})", "bold")
            for name, count in sorted(load.versions.items())
        ]
        cold = ("cold", number(load.cold), "bold $text-accent" if load.cold else "")
        lines += [Content(""), *_flowing("", [*split, cold], width)]
    for text, count in load.failures.most_common(_NAMED):
        lines.append(Content.assemble((f"✗ {number(count)} ", "bold $text-error"), sanitize(text)))
    return Content("\n").join(lines)


def _single(load: Load) -> Content:
    result = load.last
    if result is None:
        failed = next(iter(load.failures), "throttled" if load.throttled else "stopped before it began")
        return Content.styled(f"✗ {sanitize(failed)}", "bold $text-error")
    bad = result.function_error is not None
    facts = [
        ("", f"✗ {result.status.value}" if bad else "✓ ok", "bold $text-error" if bad else "bold $text-success"),
        ("", milliseconds(result.duration_ms) if result.duration_ms else "", "bold"),
        ("init", milliseconds(result.init_ms) if result.init_ms is not None else "", "$text-accent"),
        ("version", result.executed_version or "", ""),
    ]
    if load.plan.order.type is InvocationType.EVENT:
        facts = [("", "✓ accepted; it runs by itself", "bold $text-success")]
    elif load.plan.order.type is InvocationType.DRY_RUN:
        facts = [("", "✓ it may be invoked; nothing ran", "bold $text-success")]
    text = result.payload[:_RESPONSE].decode("utf-8", "replace")
    return Content("\n").join([_spaced(facts), Content(""), payload(text, len(result.payload))])


def _progress(load: Load, width: int) -> Content:
    count = load.plan.count
    room = max(4, width - 2)
    filled = room * load.done // count
    word = "" if load.running else "  stopped" if load.done < count else "  done"
    return Content("\n").join(
        [
            Content.assemble(("█" * filled, "$primary"), ("░" * (room - filled), "$foreground 25%")),
            Content.assemble(
                (f"{number(load.done)} of {number(count)}", "bold"),
                (word, "$text-warning" if load.done < count else "$text-success"),
                (f"   {load.seconds:.1f} s   {load.done / load.seconds if load.seconds else 0:.0f}/s", _DIM),
            ),
        ]
    )


def _counts(load: Load) -> Content:
    return Content.assemble(
        (f"✓ {number(load.succeeded)}", "$text-success"),
        (f"   ✗ {number(load.failed)}", "bold $text-error" if load.failed else _DIM),
        (f"   ! {number(load.throttled)} throttled", "bold $text-warning" if load.throttled else _DIM),
    )


def _bars(load: Load, width: int) -> list[Content]:
    classes = histogram(load.durations)
    top = max(found.count for found in classes)
    names = [f"{found.low:g}–{found.high:g} ms" for found in classes]
    label = max(map(len, names))
    figure = max(len(number(found.count)) for found in classes)
    room = max(4, width - label - figure - 6)
    return [
        Content.assemble(
            (f"{name:>{label}} ", _DIM),
            ("█" * (found.count * room // top) or ("▏" if found.count else ""), "$primary"),
            (f" {number(found.count)}", "" if found.count else _DIM),
        )
        for name, found in zip(names, classes, strict=True)
    ]


def _spaced(facts: list[tuple[str, str, str]]) -> Content:
    parts: list[Content] = []
    for name, value, style in facts:
        if value:
            parts.append(Content.assemble((f"{name} " if name else "", _DIM), (value, style)))
    return Content("  ").join(parts)


def _flowing(label: str, facts: list[tuple[str, str, str]], width: int) -> list[Content]:
    """Facts side by side, in lines of even numbers of them where one line has no room; the others below the first."""
    for rows in range(1, len(facts) + 1):
        each = -(-len(facts) // rows)
        lines = [_spaced(facts[at : at + each]) for at in range(0, len(facts), each)]
        if len(label) + max(line.cell_length for line in lines) <= width:
            break
    return [
        Content.assemble((label if number == 0 else " " * len(label), _DIM), line) for number, line in enumerate(lines)
    ]


def summary(load: Load) -> str:
    """One sentence, for a notice."""
    failed = f", {number(load.failed)} failed" if load.failed else ""
    throttled = f", {number(load.throttled)} throttled" if load.throttled else ""
    return f"{plural(load.done, 'invocation')} in {load.seconds:.1f} s{failed}{throttled}"
