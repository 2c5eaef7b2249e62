"""What an environment has to say: platform events and the output of its processes, each passing here once.

From here it becomes lines in the function's log, in the format and from the level on that LoggingConfig names, and
records for whoever subscribed (the Telemetry API, which no format and no level affects).
"""

from __future__ import annotations

import json
from collections.abc import Callable

from workbench.engine import report
from workbench.engine.clock import Clock
from workbench.engine.invocation import Invocation
from workbench.model import events as ev
from workbench.model.functions import FunctionVersion
from workbench.model.platform import Fault, PlatformEvent

#: Runtimes whose clients follow AWS_LAMBDA_LOG_LEVEL; of the others, Lambda itself filters what is JSON.
_FILTERS_ITSELF = ("python", "nodejs", "java", "dotnet")
_LEVELS = {"TRACE": 0, "DEBUG": 1, "INFO": 2, "WARN": 3, "ERROR": 4, "FATAL": 5}

#: Epoch seconds, the stream (`platform`, `function`, `extension`), and the platform event or the line.
Subscriber = Callable[[float, str, PlatformEvent | str], None]


class Journal:
    """The journal of one environment. `subscribers` hear everything, in order, on the engine's loop."""

    def __init__(self, clock: Clock, emit: Callable[[ev.Event], None], environment: str, version: FunctionVersion):
        self.subscribers: list[Subscriber] = []
        #: Whose log lines go to; `running` says that the runtime has its event, so that lines carry its request id.
        self.invocation: Invocation | None = None
        self.running = False
        self._clock = clock
        self._emit = emit
        self._environment = environment
        self._version = version
        logging = version.configuration.settings.get("LoggingConfig", {})
        self._json = logging.get("LogFormat") == "JSON"
        native = version.configuration.runtime.startswith(_FILTERS_ITSELF)
        wanted = logging.get("ApplicationLogLevel", "INFO") if self._json and not native else "TRACE"
        self._level = _LEVELS.get(wanted, 0)
        self._system_level = report.SYSTEM_LEVELS.get(logging.get("SystemLogLevel", "INFO"), report.INFO)

    @property
    def detailed(self) -> bool:
        """Does anybody take events that a text log does not have?"""
        return self._json or bool(self.subscribers)

    def platform(self, event: PlatformEvent) -> None:
        """A platform event happened."""
        now = self._clock.time()
        for subscriber in self.subscribers:
            subscriber(now, "platform", event)
        line = self._as_json(now, event) if self._json else report.text(event)
        if line is not None:
            self._line(now, "platform", line)

    def fault(self, text: str) -> None:
        """Something broke that no other event tells."""
        self.platform(Fault(text))

    def phase(self, name: str, began: int, status: str, detail: str = "") -> None:
        """A phase of the environment's life is over; invocations have records of their own."""
        self._emit(ev.EnvironmentPhase(self._clock.monotonic_ns(), self._environment, name, began, status, detail))

    def function(self, line: str) -> None:
        """The runtime's process, or a child of it, wrote a line."""
        now = self._clock.time()
        for subscriber in self.subscribers:
            subscriber(now, "function", line)
        if self._level == 0 or _level_of(line) >= self._level:
            self._line(now, "function", line)

    def extension(self, line: str) -> None:
        """An extension wrote a line."""
        now = self._clock.time()
        for subscriber in self.subscribers:
            subscriber(now, "extension", line)
        self._line(now, "extension", line)

    def _as_json(self, now: float, event: PlatformEvent) -> str | None:
        level = report.level(event)
        if level is None or level < self._system_level:
            return None
        kind, record = report.record(event)
        return json.dumps({"time": report.timestamp(now), "type": kind, "record": record}, separators=(",", ":"))

    def _line(self, now: float, stream: str, text: str) -> None:
        invocation = self.invocation
        request_id = None
        if invocation is not None:
            invocation.log(text)
            if self.running:
                request_id = invocation.request_id
        version = self._version
        self._emit(
            ev.LogLine(
                self._clock.monotonic_ns(),
                now,
                self._environment,
                version.name,
                version.version,
                request_id,
                stream,
                text,
            )
        )


def _level_of(line: str) -> int:
    """The level of a line for a log in JSON: its `level` if it is a JSON object that has one, else INFO."""
    if not line.startswith("{"):
        return _LEVELS["INFO"]
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return _LEVELS["INFO"]
    return _LEVELS.get(str(record.get("level")).upper(), _LEVELS["INFO"])
