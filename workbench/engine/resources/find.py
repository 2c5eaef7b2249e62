"""Whom a request is about: the function, version or alias that a reference names, or AWS's words that there is none."""

from __future__ import annotations

from workbench.engine.decide import Function
from workbench.model.errors import ResourceNotFound
from workbench.model.names import ALIAS_PATTERN, LATEST, Account, FunctionRef

NO_RESOURCE = "The resource you requested does not exist."


def find(account: Account, function: Function | None, ref: FunctionRef) -> Function:
    """The function, if it has the version or alias that `ref` names.

    Raises:
        ResourceNotFound: in the words of most operations: what looks like an alias is missed as one.
    """
    if function is not None and has(function, ref.qualifier):
        return function
    arn = account.function_arn(ref.name, ref.qualifier)
    if ref.qualifier is not None and ref.qualifier != LATEST and ALIAS_PATTERN.fullmatch(ref.qualifier):
        raise ResourceNotFound(f"Cannot find alias arn: {arn}")
    raise ResourceNotFound(f"Function not found: {arn}")


def find_or(function: Function | None, ref: FunctionRef, words: str) -> Function:
    """As `find`, for the operations that have words of their own for everything that is missing."""
    if function is None or not has(function, ref.qualifier):
        raise ResourceNotFound(words)
    return function


def has(function: Function, qualifier: str | None) -> bool:
    """Is there such a version or alias? Without a qualifier the function itself is meant."""
    return qualifier is None or qualifier in function.versions or qualifier in function.aliases


def key(ref: FunctionRef) -> str:
    """Under what `Attached` keeps what belongs to a reference."""
    return ref.qualifier or LATEST
