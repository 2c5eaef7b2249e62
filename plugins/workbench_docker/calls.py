"""Requests to the daemon: blocking, so each runs in a thread of its own, and its exceptions become ours here, once."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

from workbench.model.errors import BackendError, BackendUnavailable
from workbench_docker.daemon import Daemon

T = TypeVar("T")
#: Requests at once: as many containers are made beside one another.
THREADS = 8
#: Seconds for an answer, unless the variable says otherwise; and for a piece of one while an image is fetched.
PATIENCE = 20.0
VARIABLE = "WORKBENCH_DOCKER_TIMEOUT"
PULL_PATIENCE = 120.0
#: Seconds for a daemon that did not answer the last time to show that it does again.
SHORT_PATIENCE = 2.0


class Refused(BackendError):
    """The daemon answered, and would not. `status` is HTTP's."""

    def __init__(self, what: str, said: str, status: int) -> None:
        super().__init__(f"Docker cannot {what}: {said}")
        self.status = status


class Calls:
    """Runs functions on a client of the `docker` package."""

    def __init__(self, daemon: Daemon) -> None:
        """Make no connection yet.

        Raises:
            BackendUnavailable: the variable is no number of seconds.
        """
        self.daemon = daemon
        self._patience = _patience()
        self._executor = ThreadPoolExecutor(THREADS, thread_name_prefix="docker")
        self._local = threading.local()
        self._clients: list[Any] = []
        self._silent = False

    async def __call__(self, what: str, work: Callable[[Any], T]) -> T:
        """Run `work` with a `docker.APIClient`; `what` says what for.

        Raises:
            Refused: the daemon's answer is an error.
            BackendError: it does not answer, or not in time.
        """
        return await asyncio.get_running_loop().run_in_executor(self._executor, self._run, what, work)

    async def aclose(self) -> None:
        """Wait for what is under way, and close the connections."""
        await asyncio.to_thread(self._executor.shutdown, cancel_futures=True)
        for client in self._clients:
            client.close()

    def _run(self, what: str, work: Callable[[Any], T]) -> T:
        # Imported here: nothing of it is needed until a container is.
        from docker.errors import APIError, DockerException
        from requests.exceptions import RequestException, Timeout

        path = self.daemon.path
        try:
            client = self._client()
            try:
                if self._silent:  # what hangs is found out quickly: others wait for this thread
                    with patience(client, SHORT_PATIENCE):
                        client.ping()
                    self._silent = False
                return work(client)
            finally:
                _let_go(client)
        except APIError as error:
            raise Refused(what, str(error.explanation or error), error.status_code or 0) from error
        except Timeout as error:
            self._silent = True
            raise BackendError(
                f"Docker cannot {what}: the daemon at {path} hangs (no answer in {self._patience:g} s)",
                mend=self.daemon.restart_command,
            ) from error
        except (DockerException, RequestException) as error:
            raise BackendError(
                f"Docker cannot {what}: no daemon answers at {path} ({reason(error)})", mend=self.daemon.start_command
            ) from error

    def _client(self) -> Any:
        client = getattr(self._local, "client", None)
        if client is None:
            from docker import APIClient

            client = APIClient(
                base_url=self.daemon.url, version=self.daemon.api, timeout=self._patience, tls=_tls(self.daemon)
            )
            self._local.client = client
            self._clients.append(client)
        return client


def _let_go(client: Any) -> None:
    """Close idle connections to a Unix socket: the package keeps one for each URL, and URLs do not recur."""
    if (pools := getattr(client.get_adapter(client.base_url), "pools", None)) is not None:
        pools.clear()


def _tls(daemon: Daemon) -> Any:
    """As the `docker` command does it: by the variables, for a daemon on another machine."""
    if "://" not in daemon.path:
        return False
    from docker.utils import kwargs_from_env

    return kwargs_from_env().get("tls", False)


def _patience() -> float:
    said = os.environ.get(VARIABLE, "")
    try:
        seconds = float(said or PATIENCE)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise BackendUnavailable(f"{VARIABLE} is '{said}', which is no number of seconds", mend=f"unset {VARIABLE}")
    return seconds


@contextmanager
def patience(client: Any, seconds: float) -> Iterator[None]:
    """Wait so long for a client's answers."""
    before, client.timeout = client.timeout, seconds
    try:
        yield
    finally:
        client.timeout = before


def reason(error: BaseException) -> str:
    """The system's own word for what is at the bottom of an error of `requests`."""
    found: BaseException | None = error
    while found is not None:
        if isinstance(found, OSError) and found.strerror:
            return found.strerror
        found = found.__cause__ or found.__context__ or next((a for a in found.args if isinstance(a, Exception)), None)
    return str(error)
