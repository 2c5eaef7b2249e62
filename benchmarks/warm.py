"""A warm invocation through the AWS endpoint: keep-alive client, 100-byte event, the official Python client."""

from __future__ import annotations

import json
import socket
import threading

from benchmarks.tools import Client, engine, project, row, timed
from workbench.backends import registry

RUNS = 5000
BOUND_US = 450
EVENT = json.dumps({"name": "x" * 88}).encode()


def run() -> None:
    baseline = row("TCP ping-pong, 100 bytes, between two threads", ping_pong(), unit="µs")
    for backend in ("subprocess", "bubblewrap"):
        if backend not in registry.names():
            continue
        with project() as env, engine(env, backend) as (host, port):
            client = Client(host, port)
            taken = timed(lambda client=client: client.invoke("hello", EVENT), RUNS, warm_up=500)
            row(f"warm invoke, {backend}", taken, unit="µs", baseline=baseline, bound=BOUND_US)


def ping_pong() -> list[float]:
    server = socket.create_server(("127.0.0.1", 0))

    def echo() -> None:
        connection, _ = server.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while data := connection.recv(4096):
            connection.sendall(data)

    threading.Thread(target=echo, daemon=True).start()
    with socket.create_connection(server.getsockname()) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        def once() -> None:
            client.sendall(EVENT)
            client.recv(4096)

        return timed(once, RUNS, warm_up=500)
