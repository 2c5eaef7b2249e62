"""The road to an engine in this process."""

from __future__ import annotations

from workbench.client.port import EnginePort
from workbench.engine.engine import Engine


def connect(engine: Engine) -> EnginePort:
    """An engine is its own port; the type checker holds it to that."""
    return engine
