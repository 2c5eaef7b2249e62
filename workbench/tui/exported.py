"""What a screen shows as files: JSON and CSV with whole values under AWS's names, and the picture as SVG."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from workbench.model.codec import encode
from workbench.model.text import sanitize


class Format(StrEnum):
    CSV = "csv"
    JSON = "json"
    SVG = "svg"


#: What AWS's API calls it where the name of a field in capitals is another (Lambda API reference).
_NAMES = {
    "arn": "Arn",
    "error_type": "ErrorType",
    "function": "FunctionName",
    "sha256": "CodeSha256",
    "type": "InvocationType",
    "wall": "Timestamp",
}
#: Of some kinds of row, by the class.
_NAMES_OF = {
    "EnvironmentView": {"id": "EnvironmentId"},
    "FunctionView": {
        "name": "FunctionName",
        "provisioned": "ProvisionedConcurrency",
        "reserved": "Concurrency",
    },
    "FunctionVersion": {"name": "FunctionName"},
    "InvocationView": {"version": "ExecutedVersion"},
    "LayerRow": {"arn": "LayerVersionArn"},
    "LayerVersion": {"name": "LayerName"},
}
#: A spreadsheet takes text that begins so for a formula (OWASP, "CSV Injection").
_FORMULA = tuple("=+-@\t\r\n＝＋－＠")  # noqa: RUF001
_NO_NAME = re.compile(r"[^a-z0-9-]+")


def record(value: Any) -> Any:
    """A value of the screen as JSON under AWS's names. Of environment variables the names alone: values are secrets."""
    if is_dataclass(value) and not isinstance(value, type):
        kind = type(value)
        return {aws_name(kind, one.name): _field(one.name, getattr(value, one.name)) for one in fields(kind)}
    if isinstance(value, Mapping):
        return {str(key): record(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [record(item) for item in value]
    return encode(value)


def _field(name: str, value: Any) -> Any:
    if name == "environment" and isinstance(value, Mapping):
        return sorted(value)
    if name == "wall":
        return datetime.fromtimestamp(value, UTC).isoformat(timespec="milliseconds")
    return record(value)


def aws_name(kind: type, field: str) -> str:
    """`memory_size` is `MemorySize`."""
    known = _NAMES_OF.get(kind.__name__, {}).get(field) or _NAMES.get(field)
    return known or "".join(part[:1].upper() + part[1:] for part in field.split("_"))


def body(text: str) -> Any:
    """An event or a response: as JSON where it is JSON."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def json_text(content: Any) -> str:
    """Indented, and ASCII: what a function wrote is escaped."""
    return json.dumps(content, indent=2, ensure_ascii=True) + "\n"


def csv_text(rows: Iterable[Any]) -> str:
    """A heading and a line for each row, a dataclass (RFC 4180); what is in a row of a row has a dotted name.

    No cell is a formula to a spreadsheet: text that begins like one gets an apostrophe before it. Control characters
    are left out.
    """
    flat = [dict(_flat(row)) for row in rows]
    names = list(dict.fromkeys(name for row in flat for name in row))
    file = io.StringIO()
    writer = csv.DictWriter(file, names, restval="", quoting=csv.QUOTE_NONNUMERIC)
    writer.writeheader()
    writer.writerows({name: _cell(value) for name, value in row.items()} for row in flat)
    return file.getvalue()


def _flat(row: Any, prefix: str = "") -> Iterable[tuple[str, Any]]:
    for one in fields(row):
        name, value = prefix + aws_name(type(row), one.name), getattr(row, one.name)
        if is_dataclass(value):
            yield from _flat(value, f"{name}.")
        else:
            yield name, _field(one.name, value)


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return json.dumps(value, ensure_ascii=False)
    if not isinstance(value, str):
        return value
    return f"'{text}" if (text := sanitize(value)).lstrip(" ").startswith(_FORMULA) else text


def write_new(folder: Path, stem: str, format: Format, text: str) -> Path:
    """Write it to a new file; one that is there already is never overwritten, and no link is followed.

    Raises:
        OSError: it cannot be written, or there are a thousand of its name.
    """
    name = _NO_NAME.sub("-", stem.lower()).strip("-")[:64]
    for number in range(1, 1000):
        path = folder / f"workbench-{name}{'' if number == 1 else f'-{number}'}.{format.value}"
        try:
            with path.open("x", encoding="utf-8", newline="") as file:
                file.write(text)
        except FileExistsError:
            continue
        return path
    raise FileExistsError(f"{folder} has a thousand exports of this: move some of them away")
