"""The chain of invocations that led to one, carried in its trace header: how loops of functions are noticed.

`Lineage=HASH:COUNT|HASH:COUNT` names the functions of the chain and how often each was invoked in it. Whoever calls on
behalf of an invocation hands its header on, as AWS's SDKs do by themselves.
Source: Lambda Developer Guide, "Use Lambda recursive loop detection to prevent infinite loops"; the form of `Lineage`
is not documented.
"""

from __future__ import annotations

import re
from zlib import crc32

#: Invocations of one function in one chain, beyond which the next is refused.
MOST = 16
#: Functions that a header remembers; those that were met first are forgotten first.
_REMEMBERED = 32
_LINEAGE = re.compile(r";?Lineage=([^;]*)")


def lengthened(trace_id: str, function: str) -> tuple[str, int]:
    """The header with this invocation of the function in it, and how many invocations of it that makes."""
    mark = f"{crc32(function.encode()):08x}"
    found = _LINEAGE.search(trace_id) if "Lineage=" in trace_id else None
    if found is None:
        return f"{trace_id};Lineage={mark}:1", 1
    counts: dict[str, int] = {}
    for part in found[1].split("|"):
        name, _, count = part.rpartition(":")
        if name and count.isascii() and count.isdigit():
            counts[name] = min(int(count[:6]), 1_000_000)
    count = counts.pop(mark, 0) + 1
    counts[mark] = count
    kept = list(counts.items())[-_REMEMBERED:]
    lineage = "|".join(f"{name}:{number}" for name, number in kept)
    return f"{trace_id[: found.start()]}{trace_id[found.end() :]};Lineage={lineage}", count
