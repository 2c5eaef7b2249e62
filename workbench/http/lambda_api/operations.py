"""What an operation is here: one async function from a call to a result, registered under the model's name for it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from workbench.client.port import StreamingPort
from workbench.http.messages import Request, Response, StreamedResponse
from workbench.http.services import Services
from workbench.model.errors import InvalidParameterValue
from workbench.model.names import LATEST, Account, FunctionRef, parse_function_ref


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What all calls share.

    `runtimes` are the identifiers that the model knows; the rest is as for `LambdaApi`.
    """

    port: StreamingPort
    account: Account
    runtimes: Collection[str]
    services: Services


@dataclass(frozen=True, slots=True)
class Call:
    """One request to one operation, read and checked."""

    context: Context
    params: Mapping[str, Any]
    request: Request

    @property
    def port(self) -> StreamingPort:
        return self.context.port

    @property
    def account(self) -> Account:
        return self.context.account

    def ref(self) -> FunctionRef:
        """The function that `FunctionName` and `Qualifier` address."""
        return parse_function_ref(self.params["FunctionName"], self.params.get("Qualifier"), self.account)

    def function(self) -> str:
        """The name of the function, for an operation that is about the whole of it, whatever qualifier came along."""
        return self.ref().name

    def latest(self) -> str:
        """The name of the function, for an operation that changes `$LATEST` and nothing else."""
        ref = self.ref()
        if ref.qualifier not in (None, LATEST):
            raise InvalidParameterValue(f"Only {LATEST} can be changed; the request names {ref}")
        return ref.name


#: A handler answers with the members of its output shape, or, where it is about the wire itself, with a response.
Handler = Callable[[Call], Awaitable[Mapping[str, Any] | Response | StreamedResponse]]


@dataclass(frozen=True, slots=True)
class Registered:
    """A handler, the members whose constraints it checks itself, and the largest request that AWS takes for it."""

    handler: Handler
    unchecked: Collection[str] = ()
    limit: int | None = None


OPERATIONS: dict[str, Registered] = {}


def operation(name: str, *, unchecked: Collection[str] = (), limit: int | None = None) -> Callable[[Handler], Handler]:
    """Register the decorated function as the operation of that name in botocore's model."""

    def register(handler: Handler) -> Handler:
        OPERATIONS[name] = Registered(handler, unchecked, limit)
        return handler

    return register
