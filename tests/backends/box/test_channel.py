"""What comes out of a sandbox with a message: one TCP socket is kept, everything else is closed."""

from __future__ import annotations

import os
import socket

import pytest

from workbench.backends.box.channel import socket_from


def tcp() -> int:
    return socket.socket(socket.AF_INET, socket.SOCK_STREAM).detach()


def udp() -> int:
    return socket.socket(socket.AF_INET, socket.SOCK_DGRAM).detach()


def unix() -> int:
    return socket.socket(socket.AF_UNIX, socket.SOCK_STREAM).detach()


def file() -> int:
    return os.open(os.devnull, os.O_RDONLY)


def is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


@pytest.mark.parametrize(
    ("made", "kept"),
    [
        ((tcp,), 0),
        ((file,), None),
        ((udp, unix, file), None),
        ((file, tcp, tcp), 1),
        ((), None),
    ],
)
def test_one_tcp_socket_is_kept_and_the_rest_closed(made: tuple[object, ...], kept: int | None) -> None:
    descriptors = [make() for make in made if callable(make)]
    found = socket_from(descriptors)
    assert [is_open(descriptor) for descriptor in descriptors] == [at == kept for at in range(len(descriptors))]
    assert (found.fileno() if found is not None else None) == (None if kept is None else descriptors[kept])
    if found is not None:
        found.close()
