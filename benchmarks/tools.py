"""What the benchmarks share: timing, printing, a project of their own, an engine process."""

from __future__ import annotations

import json
import os
import platform
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

SAMPLES = Path(__file__).parent.parent / "sample_functions" / "workbench_samples"
WORKBENCH = str(Path(sys.executable).parent / "workbench")
PYTHON = str(Path(sys.base_prefix) / "bin" / "python{}.{}".format(*sys.version_info))


def machine() -> str:
    return f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"


def row(
    name: str,
    seconds: list[float],
    *,
    unit: str = "ms",
    baseline: float | None = None,
    bound: float | None = None,
    high_bound: float | None = None,
) -> float:
    """Print one figure's median, 95th and 99th percentile, its ratio to the baseline and bounds.

    Returns: the median in seconds.
    """
    scale = 1e6 if unit == "µs" else 1e3
    ordered = sorted(seconds)
    median = statistics.median(ordered)
    high, highest = (ordered[min(len(ordered) - 1, int(len(ordered) * part))] for part in (0.95, 0.99))
    line = f"  {name:<60} {median * scale:9.1f} {unit}   p95 {high * scale:9.1f}   p99 {highest * scale:9.1f}"
    line += f"   n {len(ordered):>5}"
    if baseline:
        line += f"   {median / baseline:6.2f} × baseline"
    if bound is not None:
        line += f"   bound {bound:g} {unit}: {'held' if median * scale <= bound else 'MISSED'}"
    if high_bound is not None:
        line += f"   bound of p95 {high_bound:g} {unit}: {'held' if high * scale <= high_bound else 'MISSED'}"
    print(line, flush=True)
    return median


def timed(work: Callable[[], object], times: int, warm_up: int = 1) -> list[float]:
    """Seconds of each of `times` calls, after calls that are not counted."""
    for _ in range(warm_up):
        work()
    taken = []
    for _ in range(times):
        begun = time.perf_counter()
        work()
        taken.append(time.perf_counter() - begun)
    return taken


def command(*argv: str, env: dict[str, str]) -> None:
    """Run a command to its end; a failure ends the benchmark with the command's words."""
    done = subprocess.run(argv, env=env, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(argv)} exited with {done.returncode}:\n{done.stderr}")


@contextmanager
def project() -> Iterator[dict[str, str]]:
    """The environment of a command that works on the samples with a state folder of its own.

    Compiled modules are kept, as they are wherever Python was not told otherwise.
    """
    with tempfile.TemporaryDirectory(prefix="workbench-benchmark-") as folder:
        yield {
            **{name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"},
            "WORKBENCH_PROJECT": str(SAMPLES),
            "WORKBENCH_NETWORK": "none",
            "WORKBENCH_STATE": f"{folder}/state",
            "WORKBENCH_PARAMETERS": "PythonRuntime=python{}.{}".format(*sys.version_info),
        }


@contextmanager
def engine(env: dict[str, str], backend: str, function: str = "hello", *more: str) -> Iterator[tuple[str, int]]:
    """A running engine that has run a function; its endpoint's host and port."""
    if backend == "subprocess":
        env = {**env, "WORKBENCH_NETWORK": "host"}  # it has no other
    process = subprocess.Popen(
        [WORKBENCH, "serve", "--json", "--port", "0", "--gateway-port", "0", "--backend", backend, *more],
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    ready = process.stdout.readline()
    if not ready:
        sys.exit(process.stderr.read())
    try:
        command(WORKBENCH, "fire", function, env=env)
        host, _, port = json.loads(ready)["lambda"].removeprefix("http://").partition(":")
        yield host, int(port)
    finally:
        process.terminate()
        process.wait(20)


TEMPLATE = """
Resources:
  f:
    Type: AWS::Serverless::Function
    Properties: {FunctionName: f, CodeUri: code, Handler: app.handler, Runtime: RUNTIME, Timeout: TIMEOUT}
"""


def deploy(env: dict[str, str], code: str, timeout: int, event: str) -> Path:
    """Deploy a function `f` of this code to the running engine, and invoke it once; the engine's state folder."""
    state = Path(env["WORKBENCH_STATE"])
    root = state.parent
    (root / "code").mkdir()
    (root / "code" / "app.py").write_text(code)
    runtime = "python{}.{}".format(*sys.version_info)
    (root / "template.yaml").write_text(TEMPLATE.replace("RUNTIME", runtime).replace("TIMEOUT", str(timeout)))
    command(WORKBENCH, "fire", "f", "--event", event, env=env | {"WORKBENCH_PROJECT": str(root)})
    return state


class Client:
    """A keep-alive HTTP client that costs next to nothing."""

    def __init__(self, host: str, port: int) -> None:
        self._socket = socket.create_connection((host, port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._head = (
            f"Host: {host}:{port}\r\n"
            "Authorization: AWS4-HMAC-SHA256 Credential=benchmark/20260101/us-east-1/lambda/aws4_request, "
            "SignedHeaders=host, Signature=0\r\n"
        )

    def invoke(self, function: str, payload: bytes) -> bytes:
        """The response body of one Invoke."""
        return self.request("POST", f"/2015-03-31/functions/{function}/invocations", payload)

    def request(self, method: str, path: str, payload: bytes = b"", status: int = 200) -> bytes:
        """The response body of one request, whose status ends the benchmark if it is another."""
        head = f"{method} {path} HTTP/1.1\r\n{self._head}"
        self._socket.sendall(f"{head}Content-Length: {len(payload)}\r\n\r\n".encode() + payload)
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += self._socket.recv(65536)
        header, _, body = answer.partition(b"\r\n\r\n")
        if not header.startswith(b"HTTP/1.1 %d" % status):
            sys.exit(f"{method} {path} answered {header!r} {body!r}")
        length = int(header.lower().split(b"content-length:", 1)[1].split(b"\r\n", 1)[0])
        while len(body) < length:
            body += self._socket.recv(65536)
        return body


class PlainClient:
    """The official Python client on its own: started, and timed to its first call of `next`."""

    def __init__(self, folder: str) -> None:
        Path(folder, "app.py").write_text("def handler(event, context):\n    return event\n")
        self._folder = folder
        self._server = socket.create_server(("127.0.0.1", 0))
        site = str(Path(__import__("awslambdaric").__file__).parent.parent)
        self._env = {
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{self._server.getsockname()[1]}",
            "LAMBDA_TASK_ROOT": folder,
            "PYTHONPATH": site,
        }

    def start(self) -> None:
        process = subprocess.Popen(
            [PYTHON, "-m", "awslambdaric", "app.handler"], cwd=self._folder, env=self._env, stderr=subprocess.DEVNULL
        )
        connection, _ = self._server.accept()
        connection.recv(4096)
        process.kill()
        process.wait()
        connection.close()

    def close(self) -> None:
        self._server.close()


@contextmanager
def plain_client() -> Iterator[PlainClient]:
    with tempfile.TemporaryDirectory(prefix="workbench-benchmark-") as folder:
        client = PlainClient(folder)
        try:
            yield client
        finally:
            client.close()
