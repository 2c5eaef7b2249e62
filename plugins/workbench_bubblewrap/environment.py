"""One environment of the `bubblewrap` backend."""

from __future__ import annotations

from workbench.backends.api import EnvironmentSpec
from workbench.backends.box.environment import BoxEnvironment
from workbench.backends.proctable import MemoryWatch
from workbench_bubblewrap.box import Box, Maker


class BubblewrapEnvironment(BoxEnvironment):
    """A sandbox made by bubblewrap. Make it with `launch`."""

    def __init__(self, maker: Maker, spec: EnvironmentSpec, uid: int | None, watch: MemoryWatch) -> None:
        super().__init__(spec, lambda on_message: Box(maker, spec, uid, on_message), watch)
