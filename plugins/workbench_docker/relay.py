"""Process 1 of a container whose daemon is on another machine: `python -I -S relay.py INIT [FILTER...]`.

Standard library only, and of that what INIT, the `init.py` of all sandboxes, imports. A thread runs here beside init.

Sockets and descriptors cannot be handed to another machine. What init says and takes travels through the container's
stdin and stdout instead, in frames: four bytes of length, then what init's messages are, and between them

    data STREAM BYTES | close STREAM     both ways; after `close` that side sends no more of it
    taken STREAM COUNT                   both ways: so many bytes of it have been written where they belong
    open STREAM                          from here: somebody has connected to the Runtime API, or to the services
    oom                                  from here: the process whose end is told next was killed for want of memory

A stream is `o` and the ID of the start whose output it is, `c` and the ID of the connect that it answers, `l` and a
number for a connection to the Runtime API, `s` and a number for one to the services. Of each so much may be under way
and no more, so that one which nobody reads holds up no other. When stdin ends, so does everything in the container.
"""

from __future__ import annotations

import _socket
import _thread
import errno
import os
import select
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

CHUNK = 1 << 16
#: With so much of a stream under way, no more of it is read: whoever writes it waits.
ENOUGH = 1 << 20


def main() -> None:
    with open(sys.argv[1], "rb") as file:
        init: dict[str, Any] = {"__name__": "init"}
        exec(compile(file.read(), sys.argv[1], "exec"), init)
    listeners = {prefix: init["open_listener"](init[name]) for prefix, name in ((b"l", "ADDRESS"), (b"s", "SERVICES"))}
    init["drop_privileges"](0)
    init["limit"](0)
    for path in sys.argv[2:]:
        init["load_filter"](path)
    ours, theirs = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_SEQPACKET)
    relay = Relay(ours, listeners)
    relay.say(b"ready")
    _thread.start_new_thread(relay.run, ())
    init["serve"](theirs, *init["wake_on_child"]())


def oom_kills() -> int:
    """How many processes the container's memory limit has killed, as its own cgroup says; of version 2, else 1."""
    for path in ("/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control"):
        try:
            with open(path, "rb") as file:
                for line in file:
                    if line.startswith(b"oom_kill "):
                        return int(line.split()[1])
        except OSError:
            continue
    return 0


class Stream:
    """A descriptor that is carried. Of an output nothing is written; `waiting` is the ID of a connect under way."""

    def __init__(self, name: bytes, descriptor: int, *, writable: bool = True, waiting: bytes = b"") -> None:
        self.name = name
        self.descriptor = descriptor
        self.pending = bytearray()
        self.under_way = 0
        self.waiting = waiting
        self.reading = True
        self.writing = writable
        #: The other side has sent its last byte: once that is written, no more follows.
        self.last = False


class Relay:
    """Carries between stdio on one side, init and streams on the other."""

    def __init__(self, channel: _socket.socket, listeners: dict[bytes, _socket.socket]) -> None:
        self._channel = channel
        self._listeners = {listener.fileno(): (prefix, listener) for prefix, listener in listeners.items()}
        self._out = bytearray()
        self._in = bytearray()
        self._streams: dict[int, Stream] = {}
        self._names: dict[bytes, Stream] = {}
        self._accepted = 0
        self._oom_kills = 0
        for descriptor in (0, 1, *self._listeners):
            os.set_blocking(descriptor, False)

    def say(self, *fields: bytes) -> None:
        """A frame to the other side."""
        body = b"\0".join(fields)
        self._out += len(body).to_bytes(4, "big") + body

    def run(self) -> None:
        try:
            while True:
                self._turn()
        except BaseException as error:  # nothing goes on without it; the last word is for whoever looks
            os.write(2, repr(error).encode())
            os._exit(1)

    def _turn(self) -> None:
        poll = select.poll()
        poll.register(0, select.POLLIN)
        poll.register(self._channel.fileno(), select.POLLIN)
        for descriptor in self._listeners:
            poll.register(descriptor, select.POLLIN)
        if self._out:
            poll.register(1, select.POLLOUT)
        for stream in self._streams.values():
            wanted = select.POLLOUT if stream.pending or stream.waiting else 0
            if stream.reading and not stream.waiting and stream.under_way < ENOUGH:
                wanted |= select.POLLIN
            if wanted:
                poll.register(stream.descriptor, wanted)
        for descriptor, events in poll.poll():
            if descriptor == 0:
                self._read_frames()
            elif descriptor == 1:
                del self._out[: os.write(1, self._out[:CHUNK])]
            elif descriptor == self._channel.fileno():
                self._hear_init()
            elif descriptor in self._listeners:
                self._accept(*self._listeners[descriptor])
            elif (found := self._streams.get(descriptor)) is not None:
                self._move(found, events)

    # -- from the other side
    def _read_frames(self) -> None:
        data = os.read(0, CHUNK)
        if not data:
            os._exit(0)
        self._in += data
        while len(self._in) >= 4 and len(self._in) >= 4 + (size := int.from_bytes(self._in[:4], "big")):
            body = bytes(self._in[4 : 4 + size])
            del self._in[: 4 + size]
            self._take(body)

    def _take(self, body: bytes) -> None:
        kind, _, rest = body.partition(b"\0")
        if kind == b"data":
            name, _, data = rest.partition(b"\0")
            if (stream := self._names.get(name)) is not None and stream.writing:
                stream.pending += data
        elif kind == b"taken":
            name, _, count = rest.partition(b"\0")
            if (stream := self._names.get(name)) is not None:
                stream.under_way -= int(count)
        elif kind == b"close":
            if (stream := self._names.get(rest)) is not None:
                stream.last = True
                self._flush(stream)
        elif kind == b"start":
            readable, writable = os.pipe()
            os.set_blocking(readable, False)
            self._add(Stream(b"o" + rest.partition(b"\0")[0], readable, writable=False))
            rights = [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, writable.to_bytes(4, sys.byteorder))]
            self._channel.sendmsg([body], rights)
            os.close(writable)
        else:
            self._channel.send(body)

    # -- from init
    def _hear_init(self) -> None:
        message, rights, _, _ = self._channel.recvmsg(CHUNK, 64, _socket.MSG_CMSG_CLOEXEC)
        if rights:
            descriptor = int.from_bytes(rights[0][2][:4], sys.byteorder)
            identifier = message.partition(b"\0")[2]
            os.set_blocking(descriptor, False)
            self._add(Stream(b"c" + identifier, descriptor, waiting=identifier))
        else:
            if message.startswith(b"exited\0") and message.split(b"\0")[2] == b"-9":
                kills, before = oom_kills(), self._oom_kills
                self._oom_kills = kills
                if kills > before:
                    self.say(b"oom")
            self.say(message)

    def _accept(self, prefix: bytes, listener: _socket.socket) -> None:
        try:
            descriptor, _ = listener._accept()  # type: ignore[attr-defined]
        except OSError:  # gone before it was taken
            return
        os.set_blocking(descriptor, False)
        os.set_inheritable(descriptor, False)
        self._accepted += 1
        name = b"%s%d" % (prefix, self._accepted)
        self._add(Stream(name, descriptor))
        self.say(b"open", name)

    # -- streams
    def _add(self, stream: Stream) -> None:
        self._streams[stream.descriptor] = stream
        self._names[stream.name] = stream

    def _move(self, stream: Stream, events: int) -> None:
        if stream.waiting:
            self._connected(stream)
            return
        if events & select.POLLOUT:
            self._flush(stream)
        if stream.reading and events & (select.POLLIN | select.POLLHUP | select.POLLERR):
            try:
                data = os.read(stream.descriptor, CHUNK)
            except BlockingIOError:
                return
            except OSError:
                data = b""
                stream.writing = False
            if data:
                stream.under_way += len(data)
                self.say(b"data", stream.name, data)
            else:
                stream.reading = False
                self.say(b"close", stream.name)
        self._done(stream)

    def _connected(self, stream: Stream) -> None:
        """A connection that init has begun has come about, or has not."""
        identifier, stream.waiting = stream.waiting, b""
        probe = _socket.socket(fileno=os.dup(stream.descriptor))
        failure = probe.getsockopt(_socket.SOL_SOCKET, _socket.SO_ERROR)
        probe.close()
        if failure:
            stream.reading = stream.writing = False
            self.say(b"failed", identifier, os.strerror(failure).encode())
            self._done(stream)
        else:
            self.say(b"connected", identifier)

    def _flush(self, stream: Stream) -> None:
        try:
            while stream.pending:
                count = os.write(stream.descriptor, stream.pending[:CHUNK])
                del stream.pending[:count]
                self.say(b"taken", stream.name, b"%d" % count)
        except BlockingIOError:
            return
        except OSError as error:
            if error.errno not in (errno.EPIPE, errno.ECONNRESET):
                raise
            stream.pending.clear()
            stream.writing = False
        if stream.last and stream.writing:
            stream.writing = False
            half = _socket.socket(fileno=os.dup(stream.descriptor))
            try:
                half.shutdown(_socket.SHUT_WR)
            except OSError:  # the other end is gone altogether
                stream.reading = False
            half.close()
        self._done(stream)

    def _done(self, stream: Stream) -> None:
        if not stream.reading and not stream.writing and stream.descriptor in self._streams:
            del self._streams[stream.descriptor], self._names[stream.name]
            os.close(stream.descriptor)


if __name__ == "__main__":
    main()
