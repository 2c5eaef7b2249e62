"""What a face may ask of an engine. Both roads, in-process and over HTTP, answer the same.

Every method may raise an `ApiError` with AWS's code and message, or another `WorkbenchError`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Mapping
from typing import Protocol

from workbench.client.layers import LayerPort
from workbench.client.resources import ResourcePort
from workbench.live.view import Delta, EngineStatus, Past
from workbench.model.account import AccountSettings
from workbench.model.cost import Costs
from workbench.model.environments import Fault, Process
from workbench.model.forecast import Forecast, WhatIf
from workbench.model.functions import Alias, FunctionConfiguration, FunctionVersion, NewFunction
from workbench.model.history import MAX_INVOCATIONS, InvocationRecord, PastInvocation
from workbench.model.invocations import InvocationResult, InvocationStatus, InvokeRequest
from workbench.model.names import Account, FunctionRef
from workbench.model.records import Deployment
from workbench.model.routes import Route


class EnginePort(ResourcePort, LayerPort, Protocol):
    """An engine, local or remote."""

    async def account(self) -> Account:
        """The account and Region that the engine plays."""

    async def account_settings(self) -> AccountSettings:
        """What the account may use, and what it uses."""

    # -- data plane
    def invoke(self, request: InvokeRequest) -> Awaitable[InvocationResult]:
        """Invoke a function.

        RequestResponse waits for the function; Event answers when the event is durable; DryRun only checks.

        Raises:
            ResourceNotFound, ResourceConflict (function Pending), InvalidRequestContent, RequestEntityTooLarge,
            TooManyRequests.
        """

    # -- functions
    async def create_function(self, new: NewFunction) -> FunctionVersion:
        """Create a function. It is answered in state Pending and becomes Active, or Failed, by itself.

        Raises:
            ResourceConflict: the name is taken.
            InvalidParameterValue: the archive or the configuration is refused.
        """

    async def update_function_code(
        self,
        name: str,
        code: bytes,
        *,
        image: str | None = None,
        architecture: str | None = None,
        publish: bool = False,
        dry_run: bool = False,
        revision_id: str | None = None,
    ) -> FunctionVersion:
        """Replace the code of `$LATEST`: by an archive, or by the container image that `image` names."""

    async def update_function_configuration(
        self, name: str, configuration: FunctionConfiguration, *, revision_id: str | None = None
    ) -> FunctionVersion:
        """Replace the configuration of `$LATEST`."""

    async def get_function(self, ref: FunctionRef) -> FunctionVersion:
        """The version that a reference names; an alias gives its primary version."""

    async def list_functions(self) -> tuple[FunctionVersion, ...]:
        """Every function's `$LATEST`, by name."""

    async def list_versions(self, name: str) -> tuple[FunctionVersion, ...]:
        """`$LATEST`, then the published versions, oldest first."""

    async def delete_function(self, ref: FunctionRef) -> None:
        """Delete a function, or one version of it when the reference has a qualifier."""

    async def code(self, sha256: str) -> bytes:
        """The archive of a version, by the hex SHA-256 in its `Code`."""

    async def publish_version(
        self,
        name: str,
        *,
        description: str | None = None,
        code_sha256: str | None = None,
        revision_id: str | None = None,
    ) -> FunctionVersion:
        """Freeze `$LATEST` as the next version; without a change since the newest version, answer that one.

        `code_sha256` is AWS's guard: base64 of the SHA-256.
        """

    # -- aliases
    async def create_alias(
        self,
        function: str,
        name: str,
        version: str,
        *,
        description: str = "",
        weights: Mapping[str, float] | None = None,
    ) -> Alias:
        """Create an alias. `weights` has at most one additional version."""

    async def update_alias(
        self,
        function: str,
        name: str,
        *,
        version: str | None = None,
        description: str | None = None,
        weights: Mapping[str, float] | None = None,
        revision_id: str | None = None,
    ) -> Alias:
        """Change what is given, keep the rest; empty `weights` clear the routing."""

    async def get_alias(self, function: str, name: str) -> Alias:
        """One alias."""

    async def list_aliases(self, function: str) -> tuple[Alias, ...]:
        """All aliases of a function, by name."""

    async def delete_alias(self, function: str, name: str) -> None:
        """Delete an alias; one that does not exist is no error."""

    # -- routes of the HTTP front ends
    async def put_routes(self, source: str, routes: tuple[Route, ...]) -> None:
        """Replace the routes that `source`, a template's path, has brought; none takes them away."""

    async def list_routes(self) -> tuple[Route, ...]:
        """All routes, those of the source that was brought last at the end."""

    # -- what templates have brought
    async def add_deployment(self, brought: Deployment) -> None:
        """Add functions and layer versions to what a template, by its `id`, has brought; no other one has then."""

    async def list_deployments(self) -> tuple[Deployment, ...]:
        """What each template has brought, without what was deleted since, by `id`."""

    async def delete_deployment(self, id: str) -> None:
        """Forget what a template has brought; one that has brought nothing is no error."""

    # -- environments
    async def stop_environment(self, environment: str) -> None:
        """End an environment at once; an invocation in it fails as when its sandbox is killed."""

    async def freeze_environment(self, environment: str) -> None:
        """Freeze one that is idle, before it would be by itself; its next invocation thaws it.

        Raises:
            ResourceNotFound: there is none.
            ResourceConflict: it is not idle, or its backend cannot freeze.
        """

    async def thaw_environment(self, environment: str) -> None:
        """Thaw one that is frozen: what it has started in the background runs on until its next invocation has ended.

        Raises:
            ResourceNotFound: there is none.
            ResourceConflict: it is not frozen.
        """

    async def inject_fault(self, environment: str, fault: Fault) -> None:
        """Make the runtime of an environment fail, between invocations or in the middle of one.

        Raises:
            ResourceNotFound: there is none.
            ResourceConflict: no runtime runs in it.
        """

    async def list_processes(self, environment: str) -> tuple[Process, ...]:
        """The processes in an environment at this moment, by pid, without those that the sandbox itself needs.

        Names and commands are the function's text: sanitise before they are shown.

        Raises:
            ResourceNotFound: there is none.
            BackendError: its backend cannot tell.
        """

    # -- history
    async def get_invocation(self, request_id: str) -> InvocationRecord:
        """An invocation that ended, with its whole event, response and log; of a retried event the last attempt.

        The beginning of a request id will do where no other begins so.

        Raises:
            UsageError: several request ids begin so.
            ResourceNotFound: it is not, or no longer, in the history.
            StateError: the history cannot be read.
        """

    async def list_invocations(
        self,
        *,
        function: str | None = None,
        status: InvocationStatus | None = None,
        limit: int = 100,
        before: int | None = None,
    ) -> tuple[PastInvocation, ...]:
        """Invocations that ended, the last one first; `before`, the `n` of one, goes on behind it.

        Raises:
            StateError: the history cannot be read.
        """

    async def costs(self, *, function: str | None = None) -> Costs:
        """What everything in the history would have cost on AWS, by function, and at which prices.

        `workbench.model.cost.cost_of` gives the cost of one invocation at the same prices.

        Raises:
            StateError: the history cannot be read.
        """

    async def what_if(
        self, change: WhatIf, *, function: FunctionRef | None = None, limit: int = MAX_INVOCATIONS
    ) -> Forecast:
        """The recorded traffic with other concurrency: cold starts, throttles, latency and cost, beside what they were.

        The change is for one function, or for what was invoked by one qualifier or version of it; without `function`,
        for each one. `limit` takes the newest invocations only. docs/cost.md says what is assumed.

        Raises:
            UsageError: there is no such traffic, or AWS would refuse the change.
            StateError: the history cannot be read.
        """

    # -- live
    async def changes(self, since: int) -> Delta:
        """What changed since sequence number `since`; 0 gives everything there is. Answers at once."""

    async def past(self, function: str | None) -> Past:
        """The last ten minutes of the environments and of concurrency, of one function or of all (docs/live.md)."""

    async def metrics(self) -> str:
        """The metrics of every function, as Prometheus reads them (docs/live.md)."""

    async def status(self) -> EngineStatus:
        """The engine itself."""

    async def stop(self) -> None:
        """End the engine: environments are shut down, then its process ends."""


class ResponseStream(Protocol):
    """A response that is read while the function still writes it."""

    request_id: str
    trace_id: str
    executed_version: str
    #: What the runtime calls the response, if it does.
    content_type: str | None

    def pieces(self) -> AsyncGenerator[bytes, None]:
        """The response as it comes, to be read once. A reader that closes it leaves: the function goes on unheard."""

    async def result(self) -> InvocationResult:
        """The outcome, to be awaited after the last piece. Its payload is the error of a function that failed, and
        otherwise only the beginning of what was streamed."""


class StreamingPort(EnginePort, Protocol):
    """An engine in this process: what the HTTP doors ask of it beyond the port."""

    async def invoke_streaming(self, request: InvokeRequest) -> ResponseStream:
        """Invoke a function, synchronously; answers when the response begins or the function has failed.

        Raises:
            As `invoke`.
        """
