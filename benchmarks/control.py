"""The control plane: single calls beside a no-op request, and the churn of eight clients at once."""

from __future__ import annotations

import io
import os
import sys
import threading
import time
import zipfile
from collections import Counter
from typing import Any

from benchmarks.tools import engine, project, row, timed

FUNCTIONS, THREADS, PAGE = 200, 8, 17
ROLE = "arn:aws:iam::000000000000:role/benchmark"


def run() -> None:
    with project() as env, engine(env, "subprocess") as (host, port):
        url = f"http://{host}:{port}"
        _single(url)
        _churn(url)


def _single(url: str) -> None:
    client = _client(url)
    package = _zip("def handler(event, context): return event", os.urandom(1 << 20))
    _create(client, "single", package)
    # What a request costs that does nothing: botocore, the wire, routing and checking.
    nothing = row("a request that is refused (no-op)", timed(lambda: _refused(client), 300, 20))
    row("GetFunction", timed(lambda: client.get_function(FunctionName="single"), 300, 20), baseline=nothing)
    numbers = iter(range(10_000))
    taken = timed(lambda: _create(client, f"single-{next(numbers)}", package), 50, 3)
    row("CreateFunction, zip of 1 MB", taken, baseline=nothing, bound=15)


def _churn(url: str) -> None:
    """Create, update, publish, alias, list by pages and delete; ends the benchmark at the first wrong answer."""
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
    if problems or left:
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
        for name in mine:
            client.delete_function(FunctionName=name)
    except Exception as error:
        problems[str(error)] += 1


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
