"""The way out of a sandbox's network, by slirp4netns or pasta: everything but the host's own loopback, and but the
addresses at which a cloud tells its machines' programs who they are, and their credentials.

The helper stays outside and gets the two namespaces as open files. A path by process id would not do: an ordinary
user's bubblewrap nests a second user namespace, and only the outer one may change the network.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
import signal
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from workbench.backends import process
from workbench.model.errors import BackendError

#: Where the helper answers questions for names, with the host's own resolver.
RESOLVER = "10.0.2.3"
#: What the helper calls the interface.
INTERFACE = "eth0"
TUN = Path("/dev/net/tun")
#: Link-local ones (AWS, Google, Azure, Oracle and others), Alibaba's, and a second one of Azure's.
METADATA = ("169.254.0.0/16", "100.100.100.200/32", "168.63.129.16/32")
#: Where `ip` may be beside PATH, which for an ordinary user need not have it.
_SBIN = "/usr/sbin:/sbin"
#: Seconds until it must be up.
PATIENCE = 5.0
_OWNER_OF = 0xB701  # NS_GET_USERNS, ioctl_ns(2)
_MAX_WORDS = 2048

INSTALL = {"slirp4netns": "slirp4netns", "pasta": "passt"}


@dataclass(frozen=True, slots=True)
class Helper:
    """A program that connects a network namespace: its name, and where it is; and where those are that it needs."""

    name: str
    path: str
    nsenter: str = "nsenter"
    unshare: str = "unshare"
    ip: str = "ip"


def find() -> tuple[Helper | None, str]:
    """The helper of this machine; or why there is none, and in parentheses the mend."""
    for name in INSTALL:
        if path := shutil.which(name):
            break
    else:
        return None, "neither slirp4netns nor pasta is installed (sudo apt-get install slirp4netns)"
    tools = [shutil.which(tool) or shutil.which(tool, path=_SBIN) for tool in ("nsenter", "unshare", "ip")]
    if None in tools:
        return None, "nsenter, unshare or ip is not installed (sudo apt-get install util-linux iproute2)"
    try:
        os.close(os.open(TUN, os.O_RDWR | os.O_CLOEXEC))
    except FileNotFoundError:
        return None, f"there is no {TUN} (sudo modprobe tun)"
    except OSError as error:
        return None, f"{TUN} cannot be opened: {error.strerror} (sudo chmod 666 {TUN})"
    return Helper(name, path, *filter(None, tools)), ""


def is_whole(init: int) -> bool:
    """Has bubblewrap set up the loopback of this process's network? Where a helper comes first, bubblewrap fails.

    The address is there before the interface is up; from then on it does no harm that the helper brings it up, too.
    """
    try:
        return "127.0.0.1" in Path(f"/proc/{init}/net/fib_trie").read_text(encoding="ascii")
    except OSError:  # the box has just ended; that is told elsewhere
        return False


class Uplink:
    """A helper at work for one sandbox. `pid` is its process and its process group."""

    def __init__(self, helper: Helper, init: int) -> None:
        """Start it, for the network of the process `init`.

        Raises:
            BackendError: it cannot be started.
        """
        self._init, self._helper = init, helper
        self.ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._set: asyncio.Future[int] | None = None
        with ExitStack() as opened:
            self._words = os.memfd_create("uplink")
            opened.callback(os.close, self._words)
            try:
                self._net = os.open(f"/proc/{init}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
                opened.callback(os.close, self._net)
                self._owner = fcntl.ioctl(self._net, _OWNER_OF)
                opened.callback(os.close, self._owner)
                self._ours = os.path.samestat(os.fstat(self._owner), os.stat("/proc/self/ns/user"))
                # As standard input and output: pasta closes every other file that it inherits.
                self._process = process.spawn(
                    _COMMANDS[helper.name](helper, "/proc/self/fd/1", None if self._ours else "/proc/self/fd/0"),
                    env={"PATH": os.defpath},
                    cwd="/",
                    stdin=self._owner,
                    stdout=self._net,
                    stderr=self._words,
                )
            except OSError as error:
                raise BackendError(f"the sandbox's network is not to be had: {error}") from error
            self._opened = opened.pop_all()
        self.pid = self._process.pid
        process.watch(self._process, lambda code, _: self.ended.set_result(code))

    async def up(self) -> None:
        """Wait until it works.

        Raises:
            BackendError: with the helper's own words.
        """
        if self._helper.name == "pasta":  # it puts routes of the host's in the place of what there is
            await self._connected()
            await self._close_off()
        else:
            await asyncio.gather(self._connected(), self._close_off())

    async def _connected(self) -> None:
        loop = asyncio.get_running_loop()
        give_up = loop.time() + PATIENCE
        while not self._is_up():
            if self.ended.done() or loop.time() > give_up:
                raise self._failed(f"{self._helper.name} does not connect the sandbox")
            await asyncio.sleep(0.002)

    async def _close_off(self) -> None:
        """Let no address of a metadata service be reached."""
        orders = os.memfd_create("routes")
        try:
            os.pwrite(orders, "".join(f"route replace unreachable {network}\n" for network in METADATA).encode(), 0)
            into = [f"--net=/proc/self/fd/{self._net}"]
            if not self._ours:
                into += [f"--user=/proc/self/fd/{self._owner}", "--preserve-credentials"]
            setting = process.spawn(
                [self._helper.nsenter, *into, "--", self._helper.ip, "-batch", "-"],
                env={"PATH": os.defpath},
                cwd="/",
                stdin=orders,
                stdout=self._words,
                stderr=self._words,
                pass_fds=(self._net, self._owner),
            )
        finally:
            os.close(orders)
        done = self._set = asyncio.get_running_loop().create_future()
        process.watch(setting, lambda code, _: done.set_result(code))
        if await asyncio.shield(done) != 0:
            raise self._failed("the sandbox cannot be kept away from metadata services")

    def _failed(self, what: str) -> BackendError:
        said = os.pread(self._words, _MAX_WORDS, 0).decode("utf-8", "replace").strip()
        mend = 'network = "none" in workbench.toml does without'
        return BackendError(f"{what}: {said or 'it says nothing'}", mend=mend)

    async def close(self) -> None:
        """End it."""
        if not self.ended.done():
            os.kill(self.pid, signal.SIGKILL)
            await self.ended
        if self._set is not None:
            await self._set
        self._opened.close()

    def _is_up(self) -> bool:
        """Is there a default route? The helper makes it last."""
        try:
            routes = Path(f"/proc/{self._init}/net/route").read_text(encoding="ascii")
        except OSError:  # the box has just ended; that is told elsewhere
            return False
        return f"\n{INTERFACE}\t00000000\t" in routes


def _slirp4netns(helper: Helper, net: str, user: str | None) -> list[str]:
    fixed = ["--configure", "--mtu=65520", "--disable-host-loopback", "--enable-seccomp", "--netns-type=path"]
    if user is not None:  # where its own sandbox finds no user to become
        return [helper.path, *fixed, "--userns-path", user, net, INTERFACE]
    # It reads packets that the function may have made up. Its sandbox takes all mounts away, and of those only `/` is
    # made its own first: what is mounted below a shared one (a container's files, below the folder of a Docker daemon)
    # would go from the host, too. In a mount namespace that gets nothing out, it does not.
    return [helper.unshare, "--mount", "--", helper.path, *fixed, "--enable-sandbox", net, INTERFACE]


def _pasta(helper: Helper, net: str, user: str | None) -> list[str]:
    # As root it would become another user, who may not enter the namespace.
    given = ["--runas", "0"] if user is None else ["--userns", user]
    fixed = ["--foreground", "--quiet", "--ipv4-only", "--config-net", "--ns-ifname", INTERFACE]
    closed = ["--no-map-gw", *("-t", "none"), *("-u", "none"), *("-T", "none"), *("-U", "none")]
    return [helper.path, *fixed, *closed, "--dns-forward", RESOLVER, *given, "--netns", net]


_COMMANDS = {"slirp4netns": _slirp4netns, "pasta": _pasta}
