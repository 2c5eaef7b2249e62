"""The tree of errors.

`WorkbenchError` is what a person reads: a title, a message that says what is wrong and where, and a mend.
`ApiError` is what a Lambda client reads: AWS's code, HTTP status and message.
Source of codes, statuses and the spelling of the message key: botocore's `lambda` service model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence


class WorkbenchError(Exception):
    """Something a person can read and mend. `title` heads a notification; `exit_code` is the command line's."""

    title = "Workbench"
    exit_code = 4

    def __init__(self, message: str, *, mend: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.mend = mend

    def __str__(self) -> str:
        return f"{self.message} ({self.mend})" if self.mend else self.message


class UsageError(WorkbenchError):
    """The request itself is wrong: a name, an option, an event that is not JSON."""

    title = "Cannot do that"
    exit_code = 2


class TemplateError(UsageError):
    """A template cannot be read. `where` is `path:line` when the line is known."""

    title = "Template"

    def __init__(self, message: str, *, where: str, mend: str | None = None) -> None:
        super().__init__(f"{where}: {message}", mend=mend)
        self.where = where


class DeployError(WorkbenchError):
    """Some functions of a template cannot run. `failed` says which and why, `done` what was done, a line each."""

    title = "Deploy"

    def __init__(
        self, message: str, *, mend: str | None = None, failed: Sequence[str] = (), done: Sequence[str] = ()
    ) -> None:
        super().__init__(message, mend=mend)
        self.failed = tuple(failed)
        self.done = tuple(done)


class BackendError(WorkbenchError):
    """A backend cannot make or drive an environment."""

    title = "Backend"


class NoWorkingDirectory(BackendError):
    """A process cannot be started in the folder that was named for it."""


class BackendUnavailable(BackendError):
    """The named backend does not work on this machine; `mend` is the command that would change that."""


class RuntimeUnavailable(WorkbenchError):
    """No interpreter or client for a runtime identifier was found on this machine."""

    title = "Runtime"


class StateError(WorkbenchError):
    """The state folder is locked, damaged, of a newer format, or not ours."""

    title = "State"


class StateLocked(StateError):
    """Another engine has this state folder open."""


class EngineGone(WorkbenchError):
    """The engine that this face was attached to no longer answers."""

    title = "Engine"


class ApiError(WorkbenchError):
    """An answer in AWS's words.

    `message_key` is the JSON key of the message: botocore's model spells it `message` for some shapes and `Message`
    for others, and clients see the difference. `members` are further members of the error's shape.
    """

    title = "Lambda"
    exit_code = 2
    code = "ServiceException"
    status = 500
    message_key = "Message"
    kind: str | None = "User"

    def __init__(self, message: str, **members: object) -> None:
        super().__init__(message)
        self.members: Mapping[str, object] = members


class ServiceException(ApiError):
    exit_code = 4
    kind = "Service"


class ResourceNotFound(ApiError):
    code, status = "ResourceNotFoundException", 404


class ResourceConflict(ApiError):
    code, status, message_key = "ResourceConflictException", 409, "message"


class InvalidParameterValue(ApiError):
    code, status, message_key = "InvalidParameterValueException", 400, "message"


class ResourceInUse(ApiError):
    code, status = "ResourceInUseException", 400


class CodeSigningConfigNotFound(ApiError):
    code, status = "CodeSigningConfigNotFoundException", 404


class ProvisionedConcurrencyConfigNotFound(ApiError):
    code, status, message_key = "ProvisionedConcurrencyConfigNotFoundException", 404, "message"


class PolicyLengthExceeded(ApiError):
    code, status, message_key = "PolicyLengthExceededException", 400, "message"


class InvalidRequestContent(ApiError):
    code, status, message_key = "InvalidRequestContentException", 400, "message"


class PreconditionFailed(ApiError):
    code, status, message_key = "PreconditionFailedException", 412, "message"


class RequestEntityTooLarge(ApiError):
    code, status, message_key = "RequestEntityTooLargeException", 413, "message"


class RecursiveInvocation(ApiError):
    code, status, message_key = "RecursiveInvocationException", 400, "Message"


class EFSMountFailure(ApiError):
    """A function's file system cannot be mounted."""

    code, status = "EFSMountFailureException", 403


class AccessDenied(ApiError):
    """AWS says nothing of `silent` ones: on the wire their message is null."""

    code, status, message_key = "AccessDeniedException", 403, "Message"
    silent = False


class UnknownOperation(ApiError):
    code, status, message_key, kind = "UnknownOperationException", 404, "message", None


class ValidationException(ApiError):
    """Shape constraints broken. AWS answers with only a `message`, in its `N validation error(s) detected` form."""

    code, status, message_key, kind = "ValidationException", 400, "message", None

    def __init__(self, problems: list[str]) -> None:
        count = len(problems)
        super().__init__(f"{count} validation error{'s' if count > 1 else ''} detected: {'; '.join(problems)}")


#: What a person reads of the `ThrottleReason`s that the engine gives.
_THROTTLED = {
    "ReservedFunctionConcurrentInvocationLimitExceeded": (
        "the function's reserved concurrency is all in use; a reservation of 0 lets nothing run: "
        "`workbench concurrency set` or `delete` changes it"
    ),
    "ConcurrentInvocationLimitExceeded": (
        "the account's concurrency is all in use, or the function has grown as fast as it may"
    ),
}


class TooManyRequests(ApiError):
    """A throttle. `reason` is one of AWS's `ThrottleReason` values."""

    code, status, message_key = "TooManyRequestsException", 429, "message"
    exit_code = 3

    def __init__(self, reason: str, message: str = "Rate Exceeded.") -> None:
        super().__init__(message, Reason=reason)
        self.reason = reason

    @property
    def why(self) -> str:
        """The reason, in words where it has some."""
        return _THROTTLED.get(self.reason, self.reason)

    def __str__(self) -> str:
        return f"{self.message} ({self.why})" if self.reason in _THROTTLED else self.message


def api_error(code: str, message: str, **members: object) -> ApiError:
    """Rebuild the error that a remote engine answered with; an unknown code keeps its name."""
    for kind in _subclasses(ApiError):
        if kind.code == code:
            error = kind.__new__(kind)
            ApiError.__init__(error, message, **members)
            if isinstance(error, TooManyRequests):
                error.reason = str(members.get("Reason", ""))
            return error
    error = ApiError(message, **members)
    error.code = code
    return error


def _subclasses(kind: type[ApiError]) -> list[type[ApiError]]:
    found = list(kind.__subclasses__())
    for child in kind.__subclasses__():
        found += _subclasses(child)
    return found
