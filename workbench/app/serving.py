"""An engine with its doors: what `workbench serve` runs."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import signal
from collections.abc import Callable, Coroutine, Iterator, Sequence
from typing import Any

from workbench.app.backends import Choice
from workbench.app.engine import open_engine
from workbench.client.credentials import NAME, Credentials, read_credentials
from workbench.client.project import Project
from workbench.http.control import Control
from workbench.http.front import Front
from workbench.http.gateway.door import Gateway
from workbench.http.lambda_api.api import LambdaApi
from workbench.http.lambda_api.signature import Signatures
from workbench.http.services import ServicesAt
from workbench.model.errors import UsageError
from workbench.store.folder import write_durably


async def serve(
    project: Project,
    *,
    backend: str | None,
    port: int,
    gateway_port: int,
    seed: int | None,
    spares: int | None = None,
    ready: Callable[[dict[str, object], Sequence[str], Choice], None],
    report: Callable[[str, bool], None] = lambda text, over: None,
) -> None:
    """Run the engine with its endpoint until SIGTERM, SIGINT or a call of `stop`.

    `spares` stands in for the project's own bound.

    `ready` is called once, when requests are answered: with what `serve --json` prints, and what else is to be known.
    `report` is for `open_engine`.

    Raises:
        UsageError: a port is taken.
        StateError, BackendUnavailable: as `open_engine`.
    """
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)

    def stop_soon() -> None:
        # The answer to `stop` leaves first.
        loop.call_later(0.05, stopping.set)

    spares = project.spares if spares is None else spares
    async with open_engine(
        project, backend=backend, seed=seed, on_stop=stop_soon, spares=spares, report=report
    ) as running:
        if not await _unless(stopping, running.engine.backend()):
            return
        api = LambdaApi(
            running.port,
            await running.port.account(),
            services=ServicesAt(project.services, project.region),
        )
        signatures = Signatures(_credentials(project)) if project.auth == "strict" else None
        front = Front(api, Control(running.port, running.key), signatures)
        gateway = Gateway(running.port, signatures)
        await _listen(front, port, "--port")
        try:
            await _listen(gateway, gateway_port, "--gateway-port")
        except UsageError:
            front.close()
            raise
        urls = {"lambda": front.url, "gateway": gateway.url}
        running.relay.never(urls.values())
        notes = tuple(_strictness(project, running.choice))
        running.engine.announce(urls, notes)
        endpoint = {
            "url": front.url,
            "key": running.key,
            "pid": os.getpid(),
            "state": str(project.state),
            "auth": project.auth,
        }
        write_durably(project.endpoint_file, json.dumps(endpoint).encode())
        # What is there by now lives as long as the process: the collector need not look at it again.
        gc.collect()
        gc.freeze()
        try:
            if stopping.is_set():
                return
            ready({**urls, "pid": os.getpid(), "state": str(project.state)}, notes, running.choice)
            await stopping.wait()
        finally:
            project.endpoint_file.unlink(missing_ok=True)
            await _close(front, gateway)


def _strictness(project: Project, choice: Choice) -> Iterator[str]:
    """What is to be known of `auth = "strict"`; nothing where any credentials pass."""
    if project.auth == "strict":
        yield 'auth "strict": the Lambda API takes what workbench credentials prints, and nothing else'
        if not choice.isolated or "host" in project.networks.values():
            yield "the Runtime API of functions in your own network is open to every user of this machine, auth or not"


def _credentials(project: Project) -> Credentials:
    """Those of the state folder, which are made once."""
    found = read_credentials(project.state)
    if found is None:
        found = Credentials.fresh()
        write_durably(project.state / NAME, found.document())
    return found


async def _unless(stopping: asyncio.Event, work: Coroutine[Any, Any, object]) -> bool:
    """Do the work, or give it up when we are told to stop; whether it was done."""
    doing, told = asyncio.ensure_future(work), asyncio.ensure_future(stopping.wait())
    try:
        await asyncio.wait((doing, told), return_when=asyncio.FIRST_COMPLETED)
    finally:
        told.cancel()
        doing.cancel()
        await asyncio.gather(doing, return_exceptions=True)
    if stopping.is_set():
        return False
    await doing
    return True


async def _listen(door: Front | Gateway, port: int, option: str) -> None:
    try:
        await door.open("127.0.0.1", port)
    except OSError as error:
        raise UsageError(
            f"port {port} of 127.0.0.1 cannot be used: {error.strerror}", mend=f"{option} 0 picks a free one"
        ) from error


async def _close(*doors: Front | Gateway) -> None:
    """Stop listening; what is being answered has a moment to leave."""
    for door in doors:
        door.close()
    await asyncio.sleep(0)
