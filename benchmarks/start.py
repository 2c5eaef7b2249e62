"""How long a command takes from the shell."""

from __future__ import annotations

from benchmarks.tools import PYTHON, WORKBENCH, command, plain_client, project, row, timed

RUNS = 10


def run() -> None:
    with project() as env, plain_client() as plain:
        baseline = row("python -c pass", timed(lambda: command(PYTHON, "-c", "pass", env=env), RUNS))
        row("python -m awslambdaric, to its first next", timed(plain.start, RUNS), baseline=baseline)
        row(
            "workbench --help", timed(lambda: command(WORKBENCH, "--help", env=env), RUNS), baseline=baseline, bound=150
        )
        row(
            "workbench fire hello --backend subprocess, one-shot",
            timed(lambda: command(WORKBENCH, "fire", "hello", "--backend", "subprocess", env=env), RUNS),
            baseline=baseline,
            bound=400,
        )
