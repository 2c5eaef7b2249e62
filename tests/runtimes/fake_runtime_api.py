"""A Runtime API that hands out given events and keeps what is posted: what a runtime's client is tested against."""

from __future__ import annotations

import json
import queue
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

BASE = "/2018-06-01/runtime"
ARN = "arn:aws:lambda:us-east-1:000000000000:function:f:live"


@dataclass(frozen=True)
class Event:
    payload: Any = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Post:
    """`kind` is response, error or init/error."""

    kind: str
    request_id: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Outcome:
    """What came of a runtime: its posts and log lines, its exit code (None: it waits for more), its connections."""

    posts: list[Post]
    lines: list[str]
    code: int | None
    connections: int

    @property
    def only(self) -> Post:
        (post,) = self.posts
        return post


class FakeRuntimeApi:
    def __init__(self, events: Sequence[Event]) -> None:
        self.events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        for event in events:
            self.events.put(event)
        self.posts: list[Post] = []
        self.connections = 0
        self.idle = threading.Event()
        self._closed = threading.Event()
        self._count = 0
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def setup(self) -> None:
                api.connections += 1
                super().setup()

            def log_message(self, *_: Any) -> None:
                pass

            def do_GET(self) -> None:
                assert self.path == f"{BASE}/invocation/next"
                try:
                    event = api.events.get_nowait()
                except queue.Empty:
                    api.idle.set()
                    api._closed.wait()
                    self.close_connection = True
                    return
                api._count += 1
                headers = {
                    "Lambda-Runtime-Aws-Request-Id": f"id-{api._count}",
                    "Lambda-Runtime-Deadline-Ms": str(int((time.time() + 3) * 1000)),
                    "Lambda-Runtime-Invoked-Function-Arn": ARN,
                    "Lambda-Runtime-Trace-Id": f"Root=1-{api._count}",
                    **event.headers,
                }
                self.reply(200, json.dumps(event.payload).encode(), headers)

            def do_POST(self) -> None:
                headers = dict(self.headers)
                if self.headers["Transfer-Encoding"] == "chunked":
                    body, trailers = self.chunked()
                    headers |= trailers
                else:
                    body = self.rfile.read(int(self.headers["Content-Length"]))
                request_id, _, kind = self.path.removeprefix(f"{BASE}/").removeprefix("invocation/").partition("/")
                if request_id == "init":
                    request_id, kind = "", "init/error"
                api.posts.append(Post(kind, request_id, headers, body))
                self.reply(202, b'{"status":"OK"}', {})

            def chunked(self) -> tuple[bytes, dict[str, str]]:
                """A body of chunks, and the trailers after it."""
                body, trailers = b"", {}
                while size := int(self.rfile.readline(), 16):
                    body += self.rfile.read(size)
                    self.rfile.readline()
                while line := self.rfile.readline().strip().decode():
                    name, _, value = line.partition(": ")
                    trailers[name] = value
                return body, trailers

            def reply(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
                self.send_response(status)
                for name, value in headers.items():
                    if value:
                        # http.server writes Latin-1; the Runtime API writes UTF-8.
                        self.send_header(name, value.encode().decode("latin-1"))
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        self.address = f"127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self._closed.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def play(command: list[str], events: Sequence[Event], *, env: Mapping[str, str], cwd: Path) -> Outcome:
    """Run a runtime until it ends, or has asked for more than there is."""
    api = FakeRuntimeApi(events)
    process = subprocess.Popen(
        command,
        env={**env, "AWS_LAMBDA_RUNTIME_API": api.address},
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        deadline = time.monotonic() + 20
        while process.poll() is None and not api.idle.is_set():
            assert time.monotonic() < deadline, "the runtime neither ends nor asks for more"
            time.sleep(0.005)
        code = process.poll()
    finally:
        process.kill()
        output, _ = process.communicate()
        api.close()
    return Outcome(api.posts, output.decode().split("\n")[:-1], code, api.connections)
