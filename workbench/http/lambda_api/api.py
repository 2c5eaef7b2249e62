"""The way in: one request to the Lambda endpoint, one response. Nothing that a client sends makes it raise.

Invoke has a fast path. The first time that a path and query are seen, they are routed, read and checked by the model
like any other request; whom they address is then remembered, and only headers and payload are left to look at.
"""

from __future__ import annotations

import logging
import uuid

from workbench.client.port import StreamingPort
from workbench.http.lambda_api import account, aliases, functions, invoke, layers, resources, streaming
from workbench.http.lambda_api.checks import check_request
from workbench.http.lambda_api.operations import OPERATIONS, Call, Context
from workbench.http.lambda_api.parse import SerializationException, parse
from workbench.http.lambda_api.service import load
from workbench.http.lambda_api.shape import answer, failure
from workbench.http.lambda_api.validate import Validator
from workbench.http.messages import Request, Response, StreamedResponse
from workbench.http.services import NoServices, Services
from workbench.model.errors import (
    ApiError,
    InvalidParameterValue,
    ServiceException,
    UnknownOperation,
    ValidationException,
    WorkbenchError,
)
from workbench.model.names import Account, FunctionRef

__all__ = [
    "LambdaApi",
    "account",
    "aliases",
    "functions",
    "layers",
    "resources",
    "streaming",
]  # the modules of operations register themselves when imported

_log = logging.getLogger(__name__)
#: Addresses that the fast path remembers.
_REMEMBERED = 4_096


class LambdaApi:
    """Answers AWS's Lambda API from an engine. `services` are asked for what is theirs."""

    def __init__(
        self,
        port: StreamingPort,
        account: Account,
        *,
        services: Services | None = None,
    ) -> None:
        self._port = port
        self._service = load()
        self._validator = Validator(self._service)
        self._context = Context(
            port=port,
            account=account,
            runtimes=self._service.enum("Runtime"),
            services=services or NoServices(),
        )
        self._addresses: dict[tuple[str, str], FunctionRef] = {}

    async def handle(self, request: Request) -> Response | StreamedResponse:
        """Answer a request."""
        try:
            ref = self._addresses.get((request.path, request.query)) if request.method == "POST" else None
            if ref is not None:
                headers = request.headers
                kind = invoke.TYPES.get(headers.get("x-amz-invocation-type"))
                logs = invoke.LOGS.get(headers.get("x-amz-log-type"))
                if kind is not None and logs is not None and headers.keys().isdisjoint(invoke.RARE_HEADERS):
                    return await invoke.run(self._port, ref, kind, logs, headers, request.body)
            return await self._any(request)
        except ApiError as error:
            return failure(error, str(uuid.uuid4()))
        except WorkbenchError as error:
            # The engine cannot serve, and says how to mend it: nobody is helped by hiding that.
            return failure(ServiceException(str(error)), str(uuid.uuid4()))
        except Exception:
            request_id = str(uuid.uuid4())
            _log.exception("request %s: %s %s failed", request_id, request.method, request.path)
            return failure(ServiceException("An error occurred and the request cannot be processed."), request_id)

    async def _any(self, request: Request) -> Response | StreamedResponse:
        """Route, read, check, run and shape a request by the model."""
        try:
            routed = self._service.route(request.method, request.path, request.query)
        except UnicodeDecodeError:
            raise SerializationException("The path is not UTF-8") from None
        if routed is None:
            raise UnknownOperation(f"No operation of AWS Lambda answers {request.method} {request.path[:256]}")
        operation, labels = routed
        registered = OPERATIONS.get(operation.name)
        if registered is None:
            raise InvalidParameterValue(f"Workbench does not implement the operation {operation.name}.")
        if registered.limit is not None:
            check_request(len(request.body), registered.limit, operation.name)
        params = parse(self._service, operation, labels, request)
        problems = self._validator.problems(operation.input, params, unchecked=registered.unchecked)
        if problems:
            raise ValidationException(problems)
        call = Call(self._context, params, request)
        if operation.name == "Invoke":
            self._remember(request, call.ref())
        result = await registered.handler(call)
        if isinstance(result, Response | StreamedResponse):
            return result
        return answer(self._service, operation, result, str(uuid.uuid4()))

    def _remember(self, request: Request, ref: FunctionRef) -> None:
        if len(self._addresses) >= _REMEMBERED:
            self._addresses.clear()
        self._addresses[request.path, request.query] = ref
