"""An engine that only says what it does: events in the order in which a real one would emit them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from workbench.live.reducer import Live
from workbench.model import events as ev
from workbench.model.attached import Attached
from workbench.model.environments import TRANSITIONS, EnvironmentState
from workbench.model.functions import Alias, Code, FunctionConfiguration, FunctionState, FunctionVersion
from workbench.model.invocations import InvocationStatus, InvocationType

MS = 1_000_000
ROLE = "arn:aws:iam::000000000000:role/test"
STATES = {state.value: state for state in EnvironmentState}


class Script:
    """Emits to every reducer that it is given. What would make no sense is not done."""

    def __init__(self, *lives: Live) -> None:
        self.lives = lives
        self.now = 0
        self.numbers: dict[str, int] = {}
        self.functions: dict[str, dict[str, FunctionVersion]] = {}
        self.environments: dict[str, EnvironmentState] = {}
        self.running: dict[str, bool] = {}

    def emit(self, event: Any) -> None:
        for live in self.lives:
            live.apply(event)

    def advance(self, milliseconds: float) -> None:
        self.now += round(milliseconds * MS)

    # -- functions
    def version(self, name: str, number: str = "$LATEST", code: str = "1", **changes: Any) -> FunctionVersion:
        configuration = {"runtime": "python3.12", "handler": "app.handler", "role": ROLE, **changes}
        return FunctionVersion(
            name=name,
            version=number,
            configuration=FunctionConfiguration(**configuration),
            code=Code(sha256=code, size=1),
            revision_id="r",
            last_modified=self.now / 1e9,
            state=FunctionState.ACTIVE,
        )

    def change(self, name: str, code: str = "1", **changes: Any) -> None:
        latest = self.version(name, "$LATEST", code, **changes)
        self.functions.setdefault(name, {})["$LATEST"] = latest
        self.emit(ev.FunctionChanged(self.now, latest))

    def publish(self, name: str) -> None:
        if name not in self.functions:
            return
        self.numbers[name] = self.numbers.get(name, 0) + 1
        latest = self.functions[name]["$LATEST"]
        made = self.version(name, str(self.numbers[name]), latest.code.sha256, timeout=latest.configuration.timeout)
        self.functions[name][made.version] = made
        self.emit(ev.FunctionChanged(self.now, made))

    def delete(self, name: str, number: str | None = None) -> None:
        if number is None and self.functions.pop(name, None):
            self.emit(ev.FunctionDeleted(self.now, name))
        elif number is not None and self.functions.get(name, {}).pop(number, None):
            self.emit(ev.FunctionDeleted(self.now, name, number))

    def alias(self, name: str, alias: str, version: str, **weights: float) -> None:
        if name in self.functions:
            made = Alias(function=name, name=alias, version=version, weights=weights, revision_id="r")
            self.emit(ev.AliasChanged(self.now, made))

    def no_alias(self, name: str, alias: str) -> None:
        if name in self.functions:
            self.emit(ev.AliasDeleted(self.now, name, alias))

    def attach(self, name: str, **changes: Any) -> None:
        if name in self.functions:
            self.emit(ev.AttachedChanged(self.now, name, Attached(**changes)))

    # -- environments
    def environment(self, id: str, state: str, function: str = "f", **more: Any) -> None:
        """Enter a state, if it may follow the one before."""
        entered = STATES[state]
        before = self.environments.get(id)
        if before is None if entered is not EnvironmentState.CREATING else before is not None:
            return
        if before is not None and entered not in TRANSITIONS[before]:
            return
        self.environments[id] = entered
        self.emit(ev.EnvironmentChanged(self.now, id, entered, state, function, "$LATEST", "fake", 128, **more))

    # -- invocations
    def accept(
        self, request_id: str, function: str = "f", cold: bool = False, payload: bytes = b"{}", memory_size: int = 128
    ) -> None:
        if request_id in self.running:
            return
        self.running[request_id] = False
        kind = InvocationType.REQUEST_RESPONSE
        self.emit(
            ev.InvocationAccepted(
                self.now,
                request_id,
                function,
                None,
                "$LATEST",
                kind,
                "e",
                cold,
                "warm",
                payload,
                self.now / 1e9,
                memory_size=memory_size,
            )
        )

    def start(self, request_id: str) -> None:
        if self.running.get(request_id) is False:
            self.running[request_id] = True
            self.emit(ev.InvocationStarted(self.now, request_id))

    def finish(
        self, request_id: str, status: InvocationStatus = InvocationStatus.SUCCESS, payload: bytes = b"null"
    ) -> None:
        if request_id in self.running:
            del self.running[request_id]
            self.emit(ev.InvocationFinished(self.now, request_id, status, payload, 1.5, 2, None, 40))

    def refuse(self, request_id: str, function: str = "f") -> None:
        if request_id not in self.running:
            kind = InvocationType.EVENT
            reason = "ConcurrentInvocationLimitExceeded"
            self.emit(ev.InvocationRefused(self.now, request_id, function, None, kind, reason, self.now / 1e9))

    def log(self, text: str = "line", request_id: str | None = None) -> None:
        self.emit(ev.LogLine(self.now, self.now / 1e9, "e", "f", "$LATEST", request_id, "function", text))


Step = Callable[[Script], None]
