"""A response on its way from a runtime to its caller, piece by piece and in bounded memory.

`Stream` is the caller's end, `StreamSink` the runtime's. A caller that reads slowly fills the stream, a full stream
makes the listener stop reading from the runtime, and the function's writes wait.
Source: Lambda Developer Guide, "Response streaming for Lambda functions" and Lambda quotas: 200 MB, the first 6 MB as
fast as they come and the rest at 2 MB a second; Runtime API reference, "Response streaming in a custom runtime".
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable

from workbench.engine.answers import TRUNCATED, entity_too_large, forbidden
from workbench.engine.clock import Clock
from workbench.engine.invocation import Invocation, error_payload, too_large
from workbench.engine.ports import ACCEPTED, Answer
from workbench.model.invocations import InvocationResult, InvocationStatus

#: Bytes of a whole response: buffered, where AWS grants 100 bytes beyond 6 MiB, and streamed.
MAX_RESPONSE = 6_291_556
MAX_STREAMED = 209_715_200
#: Bytes of a streamed response that are handed on as they come; after them, bytes a second.
BURST = 6_291_456
RATE = 2_097_152
#: Bytes that a stream holds for its caller before the runtime has to wait, and when it may go on.
_FULL, _LOW = 1_048_576, 262_144
#: Bytes of a streamed response that the records of its invocation keep.
_KEPT = 65_536


class Stream:
    """What a caller reads. Satisfies `client.port.ResponseStream`. `rate` is in bytes a second, None for no limit."""

    def __init__(self, clock: Clock, rate: float | None = RATE) -> None:
        self.request_id = ""
        self.trace_id = ""
        self.executed_version = ""
        self.content_type: str | None = None
        self._clock = clock
        self._rate = rate
        self._result: asyncio.Future[InvocationResult] | None = None
        self._begun: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._pieces: deque[bytes] = deque()
        self._held = 0
        self._ended = False
        self._abandoned = False
        self._wake = asyncio.Event()
        self._resume: Callable[[], None] | None = None

    # -- the caller's side
    async def started(self) -> None:
        """Wait until there is something to read, or nothing to wait for.

        Raises:
            WorkbenchError: no environment could be had.
        """
        await self._begun

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """The response as it comes. Who stops early closes it: the function goes on, and nobody hears it."""
        sent, since = 0, 0
        try:
            while True:
                while self._pieces:
                    data = self._pieces.popleft()
                    self._held -= len(data)
                    if self._resume is not None and self._held <= _LOW:
                        resume, self._resume = self._resume, None
                        resume()
                    if self._rate is not None and sent >= BURST:
                        ahead = (sent - BURST) / self._rate - (self._clock.monotonic_ns() - since) / 1e9
                        if ahead > 0:
                            await self._clock.sleep(ahead)
                    else:
                        since = self._clock.monotonic_ns()
                    sent += len(data)
                    yield data
                if self._ended:
                    return
                self._wake.clear()
                await self._wake.wait()
        finally:
            self._abandon()

    async def result(self) -> InvocationResult:
        """How the invocation ended, with its log if that was asked for; to be awaited after the pieces."""
        assert self._result is not None
        return await self._result

    def _abandon(self) -> None:
        self._abandoned = True
        self._pieces.clear()
        self._held = 0
        if self._resume is not None:
            resume, self._resume = self._resume, None
            resume()

    # -- the engine's side
    def belong(self, invocation: Invocation) -> None:
        """This is the stream of an invocation."""
        self.request_id, self.trace_id = invocation.request_id, invocation.trace_id
        self.executed_version = invocation.version.version
        self._result = invocation.future
        invocation.future.add_done_callback(self._over)

    def begin(self, content_type: str | None) -> None:
        self.content_type = content_type
        if not self._begun.done():
            self._begun.set_result(None)

    def put(self, data: bytes, resume: Callable[[], None] | None = None) -> bool:
        """Hold a piece. False when the stream is full, if there is a `resume` to call when it no longer is."""
        if self._abandoned or not data:
            return True
        self._pieces.append(data)
        self._held += len(data)
        self._wake.set()
        if resume is None or self._held < _FULL:
            return True
        self._resume = resume
        return False

    def end(self) -> None:
        """No piece follows."""
        self._ended = True
        if not self._begun.done():
            self._begun.set_result(None)
        self._wake.set()

    def _over(self, future: asyncio.Future[InvocationResult]) -> None:
        """The invocation's outcome is known; an error that no response will follow goes to who waits for one."""
        error = None if future.cancelled() else future.exception()
        if error is not None and not self._begun.done():
            self._begun.set_exception(error)
        self.end()


class StreamSink:
    """What a runtime writes to. Satisfies `engine.ports.ResponseSink`.

    A caller of a buffered Invoke gets the whole at the end, within the limit of a buffered response.
    """

    def __init__(
        self,
        invocation: Invocation,
        content_type: str,
        resume: Callable[[], None],
        outcome: Callable[[Invocation, InvocationStatus, bytes], None],
    ) -> None:
        self._invocation = invocation
        self._resume = resume
        self._outcome = outcome
        self._stream = invocation.stream
        self._limit = MAX_RESPONSE if self._stream is None else MAX_STREAMED
        self._kept = bytearray()
        self._size = 0
        invocation.streaming = True
        invocation.content_type = content_type or None
        if self._stream is not None:
            self._stream.begin(invocation.content_type)

    def write(self, data: bytes) -> bool:
        if self._invocation.responded is not None:
            return True
        self._size += len(data)
        if self._size > self._limit:
            self._outcome(self._invocation, InvocationStatus.ERROR, too_large(self._limit))
            self._kept.clear()
            return True
        if self._stream is None:
            self._kept += data
            return True
        self._kept += data[: _KEPT - len(self._kept)]
        return self._stream.put(data, self._resume)

    def end(self, error_type: str, error: bytes) -> Answer:
        if self._size > self._limit:
            return entity_too_large(self._limit)
        if self._invocation.responded is not None:
            return forbidden("response")
        if error_type:
            self._outcome(self._invocation, InvocationStatus.ERROR, error)
        else:
            self._outcome(self._invocation, InvocationStatus.SUCCESS, bytes(self._kept))
        return ACCEPTED

    def lost(self) -> Answer:
        if self._invocation.responded is None:
            payload = error_payload("Runtime.TruncatedResponse", "The runtime's response ended before it was whole.")
            self._outcome(self._invocation, InvocationStatus.ERROR, payload)
        return TRUNCATED
