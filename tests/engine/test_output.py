"""The pipe that processes write to, and the lines that come of it."""

from __future__ import annotations

import asyncio
import os
import threading
import tracemalloc

import pytest

from workbench.engine.output import MAX_LINE, Output


def writing(output: Output, piece: bytes, times: int) -> threading.Thread:
    """A process's part: writes as fast as the pipe takes it, then ends."""
    end = os.dup(output.write_end)
    output.started()

    def write() -> None:
        for _ in range(times):
            rest = memoryview(piece)
            while rest:
                rest = rest[os.write(end, rest) :]
        os.close(end)

    thread = threading.Thread(target=write)
    thread.start()
    return thread


@pytest.mark.parametrize(
    ("piece", "longest"),
    [(b"x" * 99 + b"\n", 99), (b"\n", 0), (b"x" * 1000, MAX_LINE)],
    ids=["lines", "nothing but line ends", "no line end"],
)
async def test_a_flood_comes_whole_in_bounded_pieces_and_bounded_memory(piece: bytes, longest: int) -> None:
    size, lines, longest_seen = 0, 0, 0
    over = asyncio.Event()
    times = 16_000 if len(piece) > 1 else 1000
    whole = times * 1000

    def on_line(line: str) -> None:
        nonlocal size, lines, longest_seen
        size, lines, longest_seen = size + len(line), lines + 1, max(longest_seen, len(line))
        if size + (lines if piece.endswith(b"\n") else 0) == whole:
            over.set()

    output = Output(on_line)
    tracemalloc.start()
    thread = writing(output, piece * (1000 // len(piece)), times)
    await asyncio.wait_for(over.wait(), 60)
    await asyncio.to_thread(thread.join)
    output.close()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert longest_seen == longest
    assert peak < 10_000_000


async def test_what_was_written_before_a_drain_is_there_after_it_with_its_unfinished_line() -> None:
    lines: list[str] = []
    output = Output(lines.append)
    os.write(output.write_end, "one\nzwei grün\nthr\xff".encode("latin-1"))
    output.drain()
    assert lines == ["one", "zwei gr�n", "thr�"]
    os.write(output.write_end, b"ee\n")
    output.close()
    assert lines[3:] == ["ee"]
