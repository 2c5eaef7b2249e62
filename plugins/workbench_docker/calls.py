"""Requests to the daemon: blocking, so each runs in a thread of its own, and its exceptions become ours here, once."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from workbench.model.errors import BackendError
from workbench_docker.daemon import Daemon, start_command

T = TypeVar("T")
#: Requests at once: as many containers are made beside one another.
THREADS = 8
#: Seconds for a request, but for a pull.
PATIENCE = 60


class Refused(BackendError):
    """The daemon answered, and would not. `status` is HTTP's."""

    def __init__(self, what: str, said: str, status: int) -> None:
        super().__init__(f"Docker cannot {what}: {said}")
        self.status = status


class Calls:
    """Runs functions on a client of the `docker` package."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon
        self._executor = ThreadPoolExecutor(THREADS, thread_name_prefix="docker")
        self._local = threading.local()
        self._clients: list[Any] = []

    async def __call__(self, what: str, work: Callable[[Any], T]) -> T:
        """Run `work` with a `docker.APIClient`; `what` says what for.

        Raises:
            Refused: the daemon's answer is an error.
            BackendError: it does not answer.
        """
        return await asyncio.get_running_loop().run_in_executor(self._executor, self._run, what, work)

    async def aclose(self) -> None:
        """Wait for what is under way, and close the connections."""
        await asyncio.to_thread(self._executor.shutdown)
        for client in self._clients:
            client.close()

    def _run(self, what: str, work: Callable[[Any], T]) -> T:
        # Imported here: nothing of it is needed until a container is.
        from docker.errors import APIError, DockerException
        from requests.exceptions import RequestException

        try:
            client = self._client()
            try:
                return work(client)
            finally:
                _let_go(client)
        except APIError as error:
            raise Refused(what, str(error.explanation or error), error.status_code or 0) from error
        except (DockerException, RequestException) as error:
            raise BackendError(
                f"Docker cannot {what}: the daemon at {self._daemon.path} does not answer ({error})",
                mend=start_command(),
            ) from error

    def _client(self) -> Any:
        client = getattr(self._local, "client", None)
        if client is None:
            from docker import APIClient

            client = APIClient(base_url=self._daemon.url, version=self._daemon.api, timeout=PATIENCE)
            self._local.client = client
            self._clients.append(client)
        return client


def _let_go(client: Any) -> None:
    """Close idle connections to a Unix socket: the package keeps one for each URL, and URLs do not recur."""
    if (pools := getattr(client.get_adapter(client.base_url), "pools", None)) is not None:
        pools.clear()
