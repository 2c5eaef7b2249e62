"""Who may register for what and when, and which call is legal in which state: the rules of the Extensions API."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from workbench.engine.ports import ACCEPTED, Answer
from workbench.engine.registrations import (
    INVOKE,
    MAX_EXTENSIONS,
    SHUTDOWN,
    Extension,
    ExtensionState,
    Registrations,
    external_extensions,
    invoke_event,
    shutdown_event,
)

NOBODY = "00000000-0000-4000-8000-000000000000"


class Watched(Registrations):
    def __init__(self) -> None:
        self.changes = 0
        self.failures: list[str] = []
        super().__init__(self._count, lambda extension: self.failures.append(extension.failure))

    def _count(self) -> None:
        self.changes += 1


@pytest.fixture
def registrations() -> Watched:
    return Watched()


def registered(registrations: Registrations, name: str, *events: str, external: bool = False) -> Extension:
    if external:
        registrations.expect(name)
    extension = registrations.register(name, events)
    assert isinstance(extension, Extension)
    return extension


def refused(answer: object, error_type: str, message: str) -> None:
    assert answer == Answer(403, error_type, message)


def ignore(event: bytes) -> None:
    raise AssertionError("nothing was to be sent")


@pytest.mark.parametrize(
    ("external", "events", "message"),
    [
        (True, [], None),
        (True, [INVOKE], None),
        (True, [SHUTDOWN, INVOKE], None),
        (True, ["INIT"], "INIT: ErrorInvalidEventType"),
        (True, [INVOKE, "invoke"], "invoke: ErrorInvalidEventType"),
        (False, [], None),
        (False, [INVOKE], None),
        (False, [INVOKE, SHUTDOWN], "SHUTDOWN: ShutdownEventNotSupportedForInternalExtension"),
        (False, ["INIT"], "INIT: ErrorInvalidEventType"),
    ],
)
def test_what_may_be_subscribed(registrations: Watched, external: bool, events: list[str], message: str | None) -> None:
    if external:
        registrations.expect("e")
    answer = registrations.register("e", events)
    if message is None:
        assert isinstance(answer, Extension)
        assert (answer.external, answer.state, set(answer.events)) == (external, "Registered", set(events))
        assert registrations.changes == 1
    else:
        refused(answer, "Extension.InvalidEventType", message)
        assert registrations.changes == 0


def test_the_runtime_waits_for_every_external_extension_and_no_internal_one(registrations: Watched) -> None:
    assert registrations.all_registered
    registrations.expect("a")
    registrations.expect("b")
    registered(registrations, "inside", INVOKE)
    registrations.register("a", [])
    assert not registrations.all_registered
    registrations.register("b", [])
    assert registrations.all_registered


def test_nobody_registers_twice(registrations: Watched) -> None:
    registered(registrations, "e", external=True)
    registered(registrations, "i")
    refused(
        registrations.register("e", []),
        "Extension.InvalidExtensionState",
        "State transition from Registered to Registered failed for extension e. Error: State transition is not allowed",
    )
    refused(
        registrations.register("i", []),
        "Extension.InvalidExtensionState",
        "Extension with this name already registered",
    )


def test_registration_closes(registrations: Watched) -> None:
    registrations.close_registration()
    refused(registrations.register("i", []), "Extension.RegistrationClosed", "Extension registration closed already")


def test_ten_in_all(registrations: Watched) -> None:
    registered(registrations, "e", external=True)
    for number in range(MAX_EXTENSIONS - 1):
        registered(registrations, f"i{number}")
    refused(registrations.register("i9", []), "Extension.TooManyExtensions", "Extension limit (10) reached")


def test_the_eleventh_file_is_not_launched(registrations: Watched) -> None:
    states = [registrations.expect(f"e{number:02}").state for number in range(11)]
    assert states == [ExtensionState.STARTED] * 10 + [ExtensionState.LAUNCH_ERROR]
    last = list(registrations)[-1]
    assert (last.error_type, last.failure) == ("TooManyExtensions", "Extension.LaunchError")


@pytest.mark.parametrize(
    ("path", "legal"),
    [
        ([], {"next", "init_error", "exit_error"}),  # registered
        (["next"], {"exit_error"}),  # ready
        (["next", "event"], {"next", "exit_error"}),  # running
        (["next", "event", "next"], {"exit_error"}),
        (["init_error"], {"init_error"}),
        (["exit_error"], {"exit_error"}),
        (["next", "lost"], {"next", "exit_error"}),
    ],
)
def test_which_call_is_legal_when(path: list[str], legal: set[str]) -> None:
    for action in ("next", "init_error", "exit_error"):
        registrations = Watched()
        extension = registered(registrations, "e", INVOKE, external=True)

        def call(action: str, registrations: Registrations = registrations, who: str = extension.id) -> object:
            match action:
                case "next":
                    return registrations.next(who, lambda event: None)
                case "event":
                    return registrations.send(INVOKE, b"{}")
                case "lost":
                    return registrations.lost(who)
                case _:
                    answer: object = getattr(registrations, action)(who, "My.Error")
                    return answer

        for step in path:
            call(step)
        state, answer = extension.state, call(action)
        if action in legal:
            assert answer in (None, ACCEPTED), f"{action} after {path}"
        else:
            wanted = {"next": "Ready", "init_error": "InitError", "exit_error": "ExitError"}[action]
            message = f"State transition from {state} to {wanted} failed for extension {extension.id}. "
            refused(answer, "Extension.InvalidExtensionState", message + "Error: State transition is not allowed")
            assert extension.state is state


def test_unknown_identifiers(registrations: Watched) -> None:
    refused(registrations.next(NOBODY, ignore), "Extension.UnknownExtensionIdentifier", f"Unknown extension {NOBODY}")
    for call in (registrations.init_error, registrations.exit_error):
        refused(call(NOBODY, "x"), "Extension.UnknownExtensionIdentifier", "Unknown Lambda-Extension-Identifier")


def test_events_go_to_those_who_subscribed(registrations: Watched) -> None:
    heard: list[tuple[str, bytes]] = []
    for name, events in [("both", (INVOKE, SHUTDOWN)), ("invoke", (INVOKE,)), ("end", (SHUTDOWN,)), ("none", ())]:
        extension = registered(registrations, name, *events, external=True)
        registrations.next(extension.id, lambda event, name=name: heard.append((name, event)))  # type: ignore[misc]
    assert registrations.all_ready
    assert [one.name for one in registrations.send(INVOKE, b"1")] == ["both", "invoke"]
    assert heard == [("both", b"1"), ("invoke", b"1")]
    assert not registrations.all_ready
    for extension in list(registrations)[:2]:
        registrations.next(extension.id, lambda event: heard.append(("again", event)))
    assert registrations.all_ready
    registrations.send(SHUTDOWN, b"2")
    assert heard[2:] == [("again", b"2"), ("end", b"2")]


def test_an_event_waits_for_one_whose_connection_was_lost(registrations: Watched) -> None:
    extension = registered(registrations, "e", INVOKE, external=True)
    registrations.next(extension.id, ignore)
    registrations.lost(extension.id)
    assert not registrations.all_ready
    registrations.send(INVOKE, b"1")
    heard: list[bytes] = []
    assert registrations.next(extension.id, heard.append) is None
    assert (heard, extension.state) == ([b"1"], ExtensionState.RUNNING)
    registrations.next(extension.id, heard.append)
    assert registrations.all_ready


@pytest.mark.parametrize(
    ("said", "failure"),
    [(None, "Extension.Crash"), ("init_error", "Extension.InitError"), ("exit_error", "Extension.ExitError")],
)
def test_what_an_extension_that_ends_is_to_its_environment(
    registrations: Watched, said: str | None, failure: str
) -> None:
    extension = registered(registrations, "e", external=True)
    if said is not None:
        getattr(registrations, said)(extension.id, "My.Error")
        getattr(registrations, said)(extension.id, "Another.Error")
        assert (registrations.failures, extension.error_type) == ([failure], "My.Error")
    assert registrations.ended(extension) == failure
    assert extension.gone
    state = {"Extension.Crash": "Exited"}.get(failure, failure.removeprefix("Extension."))
    assert (extension.state, extension.error_type) == (state, "My.Error" if said else failure)


@pytest.mark.parametrize(("external", "internal", "seconds"), [(0, 0, 0.0), (0, 1, 0.5), (1, 0, 2.0), (1, 1, 2.0)])
def test_how_long_shutdown_may_take(registrations: Watched, external: int, internal: int, seconds: float) -> None:
    for number in range(external):
        registered(registrations, f"e{number}", external=True)
    for number in range(internal):
        registered(registrations, f"i{number}")
    assert registrations.shutdown_seconds == seconds
    assert bool(registrations) is (seconds > 0)


def test_the_events_are_as_documented() -> None:
    assert json.loads(invoke_event("id", "arn", "Root=1", 5)) == {
        "eventType": "INVOKE",
        "deadlineMs": 5,
        "requestId": "id",
        "invokedFunctionArn": "arn",
        "tracing": {"type": "X-Amzn-Trace-Id", "value": "Root=1"},
    }
    assert json.loads(shutdown_event("spindown", 7)) == {
        "eventType": "SHUTDOWN",
        "shutdownReason": "spindown",
        "deadlineMs": 7,
    }


def test_files_of_the_layers_are_extensions_folders_are_not(tmp_path: Path) -> None:
    assert external_extensions(None) == []
    assert external_extensions(tmp_path) == []
    folder = tmp_path / "extensions"
    (folder / "library").mkdir(parents=True)
    (folder / "b.sh").write_text("#!/bin/sh")
    (folder / "a").symlink_to(folder / "library")
    assert external_extensions(tmp_path) == ["a", "b.sh"]
