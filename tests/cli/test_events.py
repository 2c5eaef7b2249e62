"""`workbench events`: sample events by name, ready to be fired."""

from __future__ import annotations

import json

from tests.endtoend.conftest import Shell, shell

__all__ = ["shell"]


def test_they_are_listed_and_printed_with_an_id_of_their_own(shell: Shell) -> None:
    names = [line.split()[0] for line in shell.run("events", "list").stdout.decode().splitlines()]
    assert {"sqs", "s3-put", "api-gateway-http-get", "schedule"} <= set(names)
    first, second = (json.loads(shell.run("events", "generate", "sqs").stdout)["Records"][0] for _ in range(2))
    assert first["eventSource"] == "aws:sqs"
    assert first["messageId"] != second["messageId"]


def test_another_name_is_one_message(shell: Shell) -> None:
    done = shell.run("events", "generate", "smoke-signal")
    assert done.returncode == 2
    assert done.stderr == b"workbench: there is no sample event 'smoke-signal' (workbench events list names them)\n"
