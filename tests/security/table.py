"""The attack programs by name, as the function's handler finds them."""

from __future__ import annotations

import importlib
import sys
from typing import Any

from tests.security.arena import PROGRAMS


def attacks() -> dict[str, Any]:
    """Every program: an `attack.Attack` by its name, in the order of their files."""
    sys.path.insert(0, str(PROGRAMS))
    try:
        for name in ("escapes", "kernel", "resources", "corners"):
            importlib.import_module(name)
        found: dict[str, Any] = importlib.import_module("attack").ATTACKS
    finally:
        sys.path.remove(str(PROGRAMS))
    return found


#: Attacks that end the environment, or whose outcome is looked for on the host: each has a test of its own.
SPECIAL = frozenset(
    {
        *("fork_bomb", "eat_memory", "eat_memory_in_children", "eat_memory_in_files", "fill_inodes"),
        *("daemonize", "overstay", "burn", "stay_awake", "flood", "forge_log"),
        *("eat_memory_without_a_leader", "descriptors_in_flight"),
    }
)
