"""An alias while it is edited, and AWS's rules for it, checked while it is typed. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from enum import Enum

from workbench.model.functions import Alias, FunctionVersion, weight_of
from workbench.model.names import ALIAS_PATTERN, LATEST

#: Weights, in percent, that a key or a click chooses.
PRESETS = (0, 1, 5, 10, 25, 50, 100)
#: AWS's limit of an alias's description (Lambda API reference, UpdateAlias).
DESCRIPTION = 256


@dataclass(frozen=True, slots=True)
class Draft:
    """What stands in the editor. `second` is None without routing; `weight` is the second version's, as it was typed.

    `revision` is the revision of the alias that the draft began from, None for one that does not exist yet.
    """

    function: str
    name: str
    version: str
    second: str | None = None
    weight: str = "0"
    description: str = ""
    revision: str | None = None

    @classmethod
    def of(cls, alias: Alias) -> Draft:
        """The alias as it is."""
        second, weight = next(iter(alias.weights.items()), (None, 0.0))
        return cls(
            alias.function, alias.name, alias.version, second, written(weight), alias.description, alias.revision_id
        )

    @property
    def new(self) -> bool:
        return self.revision is None

    @property
    def share(self) -> float | None:
        """The second version's weight, 0.0 to 1.0; None while what is typed is no number."""
        if self.second is None:
            return 0.0
        try:
            return weight_of(self.weight)
        except ValueError:
            return None

    @property
    def weights(self) -> dict[str, float]:
        """The routing as the API takes it."""
        return {} if self.second is None else {self.second: self.share or 0.0}

    @property
    def targets(self) -> dict[str, float]:
        """Every version with its share of the invocations, the primary one first."""
        weights = self.weights
        return {self.version: max(0.0, 1.0 - sum(weights.values())), **weights}

    def with_share(self, share: float) -> Draft:
        """The draft with this weight, kept within 0.0 to 1.0."""
        return replace(self, weight=written(min(1.0, max(0.0, share))))

    def shifted(self, percent: float) -> Draft:
        """The weight moved by so many percent."""
        return self.with_share(round(self.share or 0.0, 4) + percent / 100)

    def next_preset(self, step: int) -> Draft:
        """The weight moved to the preset above (1) or below (-1) it."""
        now = 100 * (self.share or 0.0)
        beyond = [preset for preset in PRESETS if (preset - now) * step > 1e-6]
        return self.with_share((min if step > 0 else max)(beyond) / 100) if beyond else self


def written(weight: float) -> str:
    """A weight as few digits as tell it: `0.1`, `0`, `1`."""
    return f"{round(weight, 6):g}"


class Verdict(Enum):
    """Of a rule, by the glyph that stands before it. What is doubtful AWS takes."""

    KEPT = "✓"
    DOUBTFUL = "▲"
    BROKEN = "✗"


@dataclass(frozen=True, slots=True)
class Check:
    """One rule: what it asks for, what breaks it, or what it makes of the weights that one may not expect."""

    text: str
    verdict: Verdict = Verdict.KEPT

    @property
    def bad(self) -> bool:
        return self.verdict is Verdict.BROKEN


def _broken(text: str) -> Check:
    return Check(text, Verdict.BROKEN)


def _asked(kept: bool, text: str, otherwise: str) -> Check:
    return Check(text) if kept else _broken(otherwise)


def check(draft: Draft, versions: Mapping[str, FunctionVersion], aliases: Collection[str]) -> list[Check]:
    """AWS's rules for this draft, each kept or broken; nothing that is not written down is asked for.

    Source: Lambda API reference, CreateAlias and AliasRoutingConfiguration; Developer Guide, "Weighted aliases".
    """
    checks = []
    if draft.new:
        checks.append(_name(draft.name, aliases))
    checks.append(_known(draft, versions))
    if len(draft.description) > DESCRIPTION:
        checks.append(_broken(f"the description has {len(draft.description)} of {DESCRIPTION} characters"))
    if draft.second is None:
        return checks
    checks.append(_weight(draft))
    first, second = versions.get(draft.version), versions.get(draft.second)
    if first is None or second is None or LATEST in (draft.version, draft.second) or first is second:
        return checks
    before, after = first.configuration, second.configuration
    same_role = before.role == after.role
    checks.append(_asked(same_role, "same role", "the versions have different execution roles"))
    same_queue = _queue(first) == _queue(second)
    checks.append(_asked(same_queue, "same DLQ", "the versions have different dead-letter queues"))
    return checks


def _weight(draft: Draft) -> Check:
    share = draft.share
    if share is None:
        return _broken("the weight is no number")
    if not 0.0 <= share <= 1.0:
        percent = f": {share:g} % is {share / 100:g}, or {share:g}%" if 1.0 < share <= 100.0 else ""
        return _broken(f"the weight must be from 0 to 1{percent}")
    if share == 0.0:
        return Check(f"version {draft.second} gets nothing: its weight is 0", Verdict.DOUBTFUL)
    if share == 1.0:
        return Check(f"version {draft.version} gets nothing: the other has it all", Verdict.DOUBTFUL)
    return Check("weight")


def _name(name: str, aliases: Collection[str]) -> Check:
    if not name:
        return _broken("the alias needs a name")
    if name in aliases:
        return _broken("that name is taken")
    if name.isdigit():
        return _broken("a name of digits only is a version")
    if ALIAS_PATTERN.fullmatch(name) is None:
        return _broken("letters, digits, - and _ only, 128 at most")
    return Check("name")


def _known(draft: Draft, versions: Mapping[str, FunctionVersion]) -> Check:
    targets = [draft.version] if draft.second is None else [draft.version, draft.second]
    if missing := [version for version in targets if version not in versions]:
        return _broken(f"there is no version {missing[0] or '(none)'}")
    if draft.second is None:
        return Check("published" if draft.version != LATEST else "$LATEST, without a second version")
    if LATEST in targets:
        return _broken("$LATEST cannot share an alias with another version")
    if draft.second == draft.version:
        return _broken("both versions are the same")
    return Check("both published")


def _queue(version: FunctionVersion) -> str | None:
    settings = version.configuration.settings.get("DeadLetterConfig")
    target = settings.get("TargetArn") if isinstance(settings, Mapping) else None
    return str(target) if target else None
