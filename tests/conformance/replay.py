"""Replaying a scenario: its calls in their order, AWS's answers beside ours."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError, ParamValidationError
from botocore.response import StreamingBody

from tests.conformance.placeholders import Bindings, Unbound
from tests.conformance.recordings import Scenario
from tests.conformance.target import Target

#: How long a scenario's own wait may take, and how often it looks.
_WAIT_SECONDS, _LOOK_SECONDS = 60.0, 0.02
#: What a scenario leaves behind: the call that made it, and the call that removes it.
_REMOVERS = {
    "CreateEventSourceMapping": ("delete_event_source_mapping", ("UUID",)),
    "CreateFunction": ("delete_function", ("FunctionName",)),
    "PublishLayerVersion": ("delete_layer_version", ("LayerName", "VersionNumber")),
    "CreateCodeSigningConfig": ("delete_code_signing_config", ("CodeSigningConfigArn",)),
}


@dataclass(slots=True)
class Outcome:
    """What a replay found: the differences of each recorded step, and the context that went otherwise."""

    steps: dict[str, list[str]] = field(default_factory=dict)
    context: list[str] = field(default_factory=list)

    @property
    def missed(self) -> set[str]:
        return {key for key, differences in self.steps.items() if differences}


def replay(scenario: Scenario, target: Target) -> Outcome:
    """Make the scenario's calls and compare; what it made is removed at the end."""
    given = {"<partition>": "aws", "<region>": target.region}
    bindings = Bindings(given, scenario.variables, scenario.unordered)
    outcome = Outcome()
    made: list[tuple[str, dict[str, Any]]] = []
    try:
        for number, step in enumerate(scenario.steps):
            name = f"step {number} ({step['operation']})"
            try:
                if "wait" in step:
                    _wait(step, bindings, target)
                    continue
                differences = _call(step, bindings, target, made)
            except (Unbound, ParamValidationError, _NeverCame) as error:
                differences = [f"{error}"]
            if step.get("recorded"):
                outcome.steps[step["key"]] = differences
            else:
                outcome.context += [f"{name}: {difference}" for difference in differences]
    finally:
        _clear(made, target)
    return outcome


class _NeverCame(Exception):
    """A wait of the scenario was in vain."""


def _call(step: Mapping[str, Any], bindings: Bindings, target: Target, made: list[Any]) -> list[str]:
    params = bindings.fill(step["params"])
    answer = _answer(target, step, params)
    failed = answer.get("Error", {}).get("Code")
    if not failed and step["operation"] in _REMOVERS:
        made.append((step["operation"], {**params, **answer}))
    for name, path in step.get("bind", {}).items():
        value = _at(answer, path)
        if value is not None:
            bindings.bind(name, value)
    differences = []
    if "aws" in step:
        differences += bindings.compare(step["aws"], _at(answer, step.get("at")))
    for more in step.get("also", ()):
        differences += bindings.compare(more["aws"], _at(answer, more.get("at")))
    if not step.get("recorded"):
        wanted = step.get("outcome", "ok")
        return [] if (failed or "ok") == wanted else [f"ended in {answer.get('Error', 'ok')}, not in {wanted}"]
    return differences


def _wait(step: Mapping[str, Any], bindings: Bindings, target: Target) -> None:
    params = bindings.fill(step["params"])
    until: dict[str, Any] = dict(step["until"])
    ends_with = until.pop("error", None)
    deadline = time.monotonic() + _WAIT_SECONDS
    while True:
        answer = _answer(target, step, params)
        failed = answer.get("Error", {}).get("Code")
        if failed and failed == ends_with:
            return
        if not ends_with and not failed and all(_at(answer, path) in wanted for path, wanted in until.items()):
            return
        # An error will not go away by itself; a state may.
        if (failed and not ends_with) or time.monotonic() > deadline:
            raise _NeverCame(f"waited for {step['wait']} in vain: {answer.get('Error') or step['until']}")
        time.sleep(_LOOK_SECONDS)


def _answer(target: Target, step: Mapping[str, Any], params: dict[str, Any]) -> dict[str, Any]:
    client = target.client(step["service"], validate=step.get("client_validation", True))
    call = getattr(client, _snake(client, step["operation"]))
    pages = step.get("paginate")
    try:
        answer = _one(call, params)
    except ParamValidationError:  # by a botocore that is newer than the recording
        answer = _one(getattr(target.client(step["service"], validate=False), call.__name__), params)
    if pages:
        page = answer
        while page.get(pages["next"]):
            page = _one(call, {**params, pages["marker"]: page[pages["next"]]})
            answer[pages["items"]] = answer.get(pages["items"], []) + page.get(pages["items"], [])
        return {pages["items"]: answer.get(pages["items"], [])}
    return answer


def _one(call: Any, params: dict[str, Any]) -> dict[str, Any]:
    try:
        answer: dict[str, Any] = call(**params)
    except ClientError as error:
        answer = dict(error.response)
    answer["ResponseMetadata"] = {"HTTPStatusCode": answer["ResponseMetadata"]["HTTPStatusCode"]}
    for name, value in answer.items():
        if isinstance(value, StreamingBody):
            answer[name] = value.read().decode()
    return answer


def _snake(client: Any, operation: str) -> str:
    return next(method for method, name in client.meta.method_to_api_mapping.items() if name == operation)


def _at(answer: Any, path: str | None) -> Any:
    for part in path.split(".") if path else ():
        if isinstance(answer, list):
            answer = answer[int(part)] if int(part) < len(answer) else None
        else:
            answer = answer.get(part) if isinstance(answer, dict) else None
    return answer


def _clear(made: list[tuple[str, dict[str, Any]]], target: Target) -> None:
    client = target.client("lambda")
    for operation, answer in reversed(made):
        method, members = _REMOVERS[operation]
        answer = answer.get("CodeSigningConfig", answer)
        params = {member: answer["Version" if member == "VersionNumber" else member] for member in members}
        try:
            getattr(client, method)(**params)
        except ClientError:
            continue  # the scenario has removed it itself
