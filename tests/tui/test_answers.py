"""Notices about what was fired here: one at a time, however fast the key repeats."""

from workbench.model.invocations import InvocationResult, InvocationStatus, InvocationType
from workbench.tui.answers import QUIET, Answers, Notice, answer
from workbench.tui.order import Order


def result(**values) -> InvocationResult:
    return InvocationResult(
        **{"request_id": "r-1", "status": InvocationStatus.SUCCESS, "duration_ms": 38, "payload": b'{"ok":true}'}
        | values
    )


def order(kind: InvocationType = InvocationType.REQUEST_RESPONSE) -> Order:
    return Order("hello", None, "{}", kind)


def test_an_answer_in_full():
    assert answer(order(), result(init_ms=184.0)) == Notice("✓ hello ok  38 ms, init 184 ms", '{"ok":true}')
    failed = result(status=InvocationStatus.TIMEOUT, function_error="Unhandled", payload=b"x" * 1000)
    notice = answer(order(), failed)
    assert notice.title == "✗ hello timeout  38 ms"
    assert notice.bad
    assert len(notice.text) < 250
    assert "r-1" in answer(order(InvocationType.EVENT), result()).text
    assert "nothing ran" in answer(order(InvocationType.DRY_RUN), result()).text


def test_answers_while_a_notice_is_fresh_become_one():
    said: list[Notice] = []
    answers = Answers(said.append)
    answers.add(Notice("one", ""))
    answers.tick()
    assert [notice.title for notice in said] == ["one"]
    for number in range(3):
        answers.add(Notice(f"✗ {number}", "why", bad=number == 1))
    for _ in range(QUIET - 1):
        answers.tick()
    assert len(said) == 1
    answers.tick()
    assert said[1] == Notice("✗ 3 answers, 1 failed", "✗ 1\nwhy", bad=True)
    for _ in range(QUIET * 2):
        answers.tick()
    assert len(said) == 2
