"""What a change of a function's settings would do, and what AWS would refuse of it, judged before it is made. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from workbench.live.view import FunctionView
from workbench.model.account import AccountSettings
from workbench.model.attached import Attached
from workbench.model.functions import FunctionVersion
from workbench.model.names import LATEST
from workbench.tui.changes import Change, ConfigurationChange, ProvisionedChange, ReservedChange, without_environment
from workbench.tui.format import number, plural

#: Concurrency that AWS keeps for the functions that reserved none (Developer Guide, "Reserved concurrency").
UNRESERVED = 100
#: What a field is called, least, most (Lambda API reference, UpdateFunctionConfiguration; Lambda quotas).
BOUNDS = {
    "memory_size": ("memory", 128, 10_240),
    "timeout": ("timeout", 1, 900),
    "ephemeral_storage": ("/tmp", 512, 10_240),
}
#: Bytes of all names and values together, and what a name may be.
_VARIABLES = 4096
_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9_]+")


@dataclass(frozen=True, slots=True)
class Judgement:
    """Of what is wanted: what it would change, what AWS would refuse, and what follows from it."""

    changes: Sequence[Change] = ()
    problems: Sequence[str] = ()
    effects: Sequence[str] = field(default_factory=tuple)


def reserved(view: FunctionView, attached: Attached, account: AccountSettings, text: str) -> Judgement:
    """Reserved concurrency as it was typed; nothing is none."""
    wanted = _count(text, 0)
    if isinstance(wanted, str):
        return Judgement(problems=[f"reserved {wanted}"])
    if wanted == attached.reserved:
        return Judgement()
    limit = account.concurrent_executions
    left = account.unreserved_concurrent_executions + (attached.reserved or 0) - (wanted or 0)
    change = ReservedChange(view.name, attached.reserved, wanted)
    if left < UNRESERVED:
        most = max(0, left + (wanted or 0) - UNRESERVED)
        problem = f"the other functions keep {UNRESERVED} of {limit}: at most {most} can be reserved"
        return Judgement([change], [problem])
    effects = [f"{number(left)} of the account's {number(limit)} are left to those that reserve none."]
    if wanted is not None and view.running >= wanted:
        effects.append(_refused(wanted, view.running))
    return Judgement([change], effects=effects)


def provisioned(view: FunctionView, attached: Attached, qualifier: str, text: str) -> Judgement:
    """Provisioned concurrency of an alias or a version as it was typed; nothing is none."""
    wanted, before = _count(text, 1), asked(attached, qualifier)
    if isinstance(wanted, str):
        return Judgement(problems=[f"provisioned {wanted}"])
    if wanted == before:
        return Judgement()
    more = (wanted or 0) - (before or 0)
    effect = (
        f"{plural(more, 'environment')} more: made now, kept ready, and paid for while {qualifier} has them."
        if more > 0
        else f"{plural(-more, 'environment')} will end."
    )
    return Judgement([ProvisionedChange(view.name, qualifier, before, wanted)], effects=[effect])


def asked(attached: Attached, qualifier: str) -> int | None:
    """How many environments are provisioned for it."""
    config = attached.provisioned.get(qualifier)
    return config.requested if config is not None else None


def provisionable(view: FunctionView) -> list[str]:
    """What concurrency can be provisioned for: aliases without `$LATEST`, and versions, the newest first."""
    aliases = [name for name, targets in sorted(view.aliases.items()) if LATEST not in targets]
    return [*aliases, *reversed(view.versions)]


def figure(name: str, text: str) -> int | str:
    """A figure of the configuration as it was typed, or what is wrong with it."""
    label, least, most = BOUNDS[name]
    text = text.strip()
    if not text.isdecimal() or not least <= int(text) <= most:
        return f"{label} is from {least} to {most}, not “{text}”"
    return int(text)


def configured(latest: FunctionVersion, values: Mapping[str, object]) -> Judgement:
    """The configuration of `$LATEST` with these values."""
    before = latest.configuration
    after = without_environment(replace(before, **values))  # type: ignore[arg-type]
    if after == without_environment(before):
        return Judgement()
    return Judgement([ConfigurationChange(latest.name, before, after)])


def problems_of(variables: dict[str, str]) -> list[str]:
    """What AWS would refuse of these environment variables."""
    problems = [
        f"“{name}”: letters, digits and _, at least two, a letter first"
        for name in variables
        if _NAME.fullmatch(name) is None
    ]
    size = sum(len(name.encode()) + len(value.encode("utf-8", "replace")) for name, value in variables.items())
    if size > _VARIABLES:
        problems.append(f"the variables take {size} of {_VARIABLES} bytes")
    return problems


def _refused(reserved: int, running: int) -> str:
    if reserved == 0:
        return "Every invocation is throttled from then on; those that run finish."
    return f"{plural(running, 'invocation')} run now: at {reserved} a further one is throttled."


def _count(text: str, least: int) -> int | str | None:
    """A count, None where there is none, or what is wrong."""
    text = text.strip()
    if text in ("", "none"):
        return None
    if not text.isdecimal() or int(text) < least:
        return f"is a whole number from {least}, or none; not “{text}”"
    return int(text)
