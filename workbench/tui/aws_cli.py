"""What a person did here, as the call of the aws CLI that does the same. Pure."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping

from workbench.model.functions import Alias
from workbench.model.text import one_line
from workbench.tui.alias_draft import Draft


def save_alias(draft: Draft, endpoint: str | None = None) -> str:
    """`create-alias` or `update-alias`; without a second version the routing is cleared."""
    routing = json.dumps({"AdditionalVersionWeights": draft.weights}, separators=(",", ":"))
    options = {
        "function-name": draft.function,
        "name": draft.name,
        "function-version": draft.version,
        "description": draft.description,
        "routing-config": routing,
    }
    if draft.new:
        if not draft.description:
            del options["description"]
        if not draft.weights:
            del options["routing-config"]
    return command("create-alias" if draft.new else "update-alias", options, endpoint=endpoint)


def delete_alias(alias: Alias, endpoint: str | None = None) -> str:
    return command("delete-alias", {"function-name": alias.function, "name": alias.name}, endpoint=endpoint)


def publish(function: str, endpoint: str | None = None) -> str:
    return command("publish-version", {"function-name": function}, endpoint=endpoint)


def invoke(
    function: str, qualifier: str | None, kind: str, event: str, out: str = "response.json", endpoint: str | None = None
) -> str:
    """`aws lambda invoke` with this event; the payload is given as it is, not as base64."""
    options = {"function-name": function}
    if qualifier:
        options["qualifier"] = qualifier
    if kind != "RequestResponse":
        options["invocation-type"] = kind
    options |= {"cli-binary-format": "raw-in-base64-out", "payload": event}
    return command("invoke", options, out, endpoint=endpoint)


def command(operation: str, options: Mapping[str, str], *positional: str, endpoint: str | None = None) -> str:
    """A command line over several lines, to be read and to be pasted."""
    address = f" --endpoint-url {_quoted(endpoint)}" if endpoint else ""
    lines = [f"aws{address} lambda {operation}", *(f"--{name} {_quoted(value)}" for name, value in options.items())]
    lines += [_quoted(word) for word in positional]
    return " \\\n    ".join(lines)


def _quoted(value: str) -> str:
    return shlex.quote(one_line(value))
