"""One invocation as a JSON file."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from workbench.live.view import EnvironmentView, InvocationView, LogView
from workbench.model.codec import encode

_NO_NAME = re.compile(r"[^A-Za-z0-9-]")


def document(
    view: InvocationView,
    event: str,
    response: str,
    log: Iterable[LogView],
    environment: EnvironmentView | None,
) -> dict[str, Any]:
    """Everything that is known of an invocation; event and response as JSON where they are JSON."""
    known = encode(view)
    known["event"], known["response"] = _json(event), _json(response)
    return {
        "invocation": known,
        "log": [encode(line) for line in log],
        "environment": encode(environment) if environment is not None else None,
    }


def write(folder: Path, request_id: str, content: dict[str, Any]) -> Path:
    """Write it to a new file; one that is there already is never overwritten.

    Raises:
        OSError: it cannot be written.
    """
    stem = f"invocation-{_NO_NAME.sub('_', request_id)[:64]}"
    text = json.dumps(content, indent=2, ensure_ascii=True) + "\n"
    for number in range(1, 1000):
        path = folder / (f"{stem}.json" if number == 1 else f"{stem}-{number}.json")
        try:
            with path.open("x", encoding="utf-8") as file:
                file.write(text)
        except FileExistsError:
            continue
        return path
    raise FileExistsError(f"{folder} has a thousand exports of this invocation")


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
