"""The control plane: single calls beside a no-op request, and the churn of eight clients at once.

Single calls are timed twice: on the wire, which is what the engine takes, and through boto3, which adds what it takes
to build, sign and read them. Every archive is another one, so that each is really written.
"""

from __future__ import annotations

import base64
import io
import json
import os
import sys
import threading
import time
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.tools import Client, engine, project, row, timed
from workbench.store.folder import StateFolder
from workbench.store.sqlite import SqliteStore

FUNCTIONS, THREADS, PAGE = 200, 8, 17
_HANDLER = "def handler(event, context): return event"
ROLE = "arn:aws:iam::000000000000:role/benchmark"


def run() -> None:
    with project() as env:
        with engine(env, "subprocess") as (host, port):
            url = f"http://{host}:{port}"
            _wire(Client(host, port))
            _single(url)
            _churn(url)
            answered = _functions(_client(url))
        _reopen(Path(env["WORKBENCH_STATE"]), answered)


def _wire(client: Client) -> None:
    functions = "/2015-03-31/functions"
    bodies = _requests("wire")
    client.request("POST", functions, next(bodies), 201)
    refused = "/2025-12-01/functions/wire-0/durable-executions"
    nothing = row(
        "a request that is refused (no-op)", timed(lambda: client.request("GET", refused, status=400), 300, 20)
    )
    got = timed(lambda: client.request("GET", f"{functions}/wire-0"), 300, 20)
    row("GetFunction", got, baseline=nothing, bound=1)
    made = timed(lambda: client.request("POST", functions, next(bodies), 201), 50, 3)
    row("CreateFunction, zip of 1 MB", made, baseline=nothing, bound=15)


def _requests(prefix: str, many: int = 54) -> Iterator[bytes]:
    """Bodies of CreateFunction, each with its own name and archive, and made before the clock runs."""
    bodies = []
    for number in range(many):
        code = {"ZipFile": base64.b64encode(_zip(_HANDLER, os.urandom(1 << 20))).decode()}
        given = {"FunctionName": f"{prefix}-{number}", "Runtime": "python3.12", "Handler": "a.handler", "Role": ROLE}
        bodies.append(json.dumps({**given, "Code": code}).encode())
    return iter(bodies)


def _single(url: str) -> None:
    client = _client(url)
    packages = iter([_zip(_HANDLER, os.urandom(1 << 20)) for _ in range(54)])
    _create(client, "single", next(packages))
    nothing = row("a request that is refused (no-op), boto3", timed(lambda: _refused(client), 300, 20))
    row("GetFunction, boto3", timed(lambda: client.get_function(FunctionName="single"), 300, 20), baseline=nothing)
    numbers = iter(range(10_000))
    taken = timed(lambda: _create(client, f"single-{next(numbers)}", next(packages)), 50, 3)
    row("CreateFunction, zip of 1 MB, boto3", taken, baseline=nothing)


def _churn(url: str) -> None:
    """Create, update, publish, alias, list by pages and delete; ends the benchmark at the first wrong answer.

    Each thread leaves its first function, for what comes after.
    """
    problems: Counter[str] = Counter()
    calls: Counter[str] = Counter()
    begun = time.perf_counter()
    threads = [threading.Thread(target=_work, args=(url, number, problems, calls)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - begun
    left = [name for name in _names(_client(url)) if name.startswith("churn-")]
    if problems or left != [f"churn-{number}-0" for number in range(THREADS)]:
        sys.exit(f"wrong answers: {dict(problems)}; functions left: {left}")
    total = calls.total()
    print(f"  churn of {FUNCTIONS} functions by {THREADS} threads: {total} calls, {total / seconds:.0f} a second")


def _work(url: str, number: int, problems: Counter[str], calls: Counter[str]) -> None:
    client = _client(url)
    package = [_zip(f"def handler(event, context): return {version}", b"") for version in range(2)]
    mine = [f"churn-{number}-{each}" for each in range(FUNCTIONS // THREADS)]
    try:
        for name in mine:
            _create(client, name, package[0])
        for name in mine:
            _settled(client, name)
            client.update_function_code(FunctionName=name, ZipFile=package[1])
        for name in mine:
            _settled(client, name)
            version = client.publish_version(FunctionName=name)["Version"]
            client.create_alias(FunctionName=name, Name="live", FunctionVersion=version)
            if client.get_function(FunctionName=name, Qualifier="live")["Configuration"]["Version"] != version:
                problems["an alias leads elsewhere"] += 1
        calls["each"] += len(mine) * 9
        if not set(mine) <= set(_names(client)):
            problems["a listing lacks a function"] += 1
        for name in mine[1:]:
            client.delete_function(FunctionName=name)
    except Exception as error:
        problems[str(error)] += 1


def _functions(client: Any) -> dict[str, tuple[dict[str, str], dict[str, str]]]:
    """Of each function the hash of every version, and where its aliases lead, as the API answers them."""
    found = {}
    for name in _names(client):
        versions = client.list_versions_by_function(FunctionName=name)["Versions"]
        aliases = client.list_aliases(FunctionName=name)["Aliases"]
        found[name] = (
            {version["Version"]: base64.b64decode(version["CodeSha256"]).hex() for version in versions},
            {alias["Name"]: alias["FunctionVersion"] for alias in aliases},
        )
    return found


def _reopen(state: Path, answered: dict[str, tuple[dict[str, str], dict[str, str]]]) -> None:
    """Open the store that the engine left: it has what the API answered last, and all the code of it, and no more."""
    store = SqliteStore(StateFolder(state))
    versions, aliases, events = store.load()
    found: dict[str, tuple[dict[str, str], dict[str, str]]] = {version.name: ({}, {}) for version in versions}
    for version in versions:
        found[version.name][0][version.version] = version.code.sha256
        store.code(version.code.sha256)  # read and held against its hash
    for alias in aliases:
        found[alias.function][1][alias.name] = alias.version
    store.close()
    halves = [path.name for folder in ("code", "trees") for path in (state / folder).glob(".*")]
    if found != answered or events or halves:
        sys.exit(f"the store holds {found}, and {halves}, and the API answered {answered}")
    print(f"  the store, opened again: {len(found)} functions, {len(versions)} versions, {len(aliases)} aliases, whole")


def _names(client: Any) -> list[str]:
    pages = client.get_paginator("list_functions").paginate(PaginationConfig={"PageSize": PAGE})
    return [function["FunctionName"] for page in pages for function in page["Functions"]]


def _settled(client: Any, name: str) -> None:
    while True:
        found = client.get_function_configuration(FunctionName=name)
        if found["State"] == "Active" and found.get("LastUpdateStatus") == "Successful":
            return
        time.sleep(0.02)


def _create(client: Any, name: str, package: bytes) -> None:
    client.create_function(
        FunctionName=name, Runtime="python3.12", Handler="a.handler", Role=ROLE, Code={"ZipFile": package}
    )


def _refused(client: Any) -> None:
    try:
        client.list_durable_executions_by_function(FunctionName="single")
    except client.exceptions.InvalidParameterValueException:
        return


def _zip(text: str, ballast: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("a.py", text)
        if ballast:
            archive.writestr("ballast", ballast)
    return packed.getvalue()


def _client(url: str) -> Any:
    import boto3
    from botocore.config import Config

    return boto3.session.Session().client(
        "lambda",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="benchmark",
        aws_secret_access_key="benchmark",
        config=Config(retries={"total_max_attempts": 1}),
    )
