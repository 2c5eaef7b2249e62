"""Changes that a person made here, each remembered so that it can be undone. They go through the port as anyone's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from workbench.model.errors import EngineGone, UsageError
from workbench.model.functions import Alias
from workbench.model.names import FunctionRef
from workbench.tui.alias_draft import Draft
from workbench.tui.changes import Change
from workbench.tui.format import version as short

if TYPE_CHECKING:
    from workbench.client.port import EnginePort

#: Edits that are remembered.
KEPT = 100


@dataclass(frozen=True, slots=True)
class AliasEdit:
    """An alias before and after; None where there was none."""

    function: str
    name: str
    before: Alias | None
    after: Alias | None
    wall: float

    def __str__(self) -> str:
        if self.after is None:
            return f"{self.name} deleted"
        if self.before is None:
            return f"{self.name} created: {_routing(self.after)}"
        was, now = _routing(self.before), _routing(self.after)
        return f"{self.name}: {was} → {now}" if was != now else f"{self.name}: description"


@dataclass(frozen=True, slots=True)
class PublishEdit:
    """A version that was published."""

    function: str
    version: str
    wall: float

    def __str__(self) -> str:
        return f"version {self.version} published"


@dataclass(frozen=True, slots=True)
class SettingEdit:
    """A setting of a function that was changed."""

    change: Change
    wall: float

    @property
    def function(self) -> str:
        return self.change.function

    def __str__(self) -> str:
        return str(self.change)


Edit = AliasEdit | PublishEdit | SettingEdit


class Edits:
    """Carries changes out and remembers them, newest last.

    Every method may raise what the port raises; nothing is remembered then. `wall` gives the time of day in epoch
    seconds.
    """

    def __init__(self, wall: Callable[[], float]) -> None:
        self._done: list[Edit] = []
        #: The revision in which the last edit here left each alias: an undo must not overwrite another's change.
        self._left: dict[tuple[str, str], str] = {}
        self._wall = wall

    def of(self, function: str) -> list[Edit]:
        """The edits of one function that can be undone, newest first."""
        return [edit for edit in reversed(self._done) if edit.function == function]

    async def save_alias(self, port: EnginePort, draft: Draft) -> Alias:
        """Create the alias of this draft, or change it if nobody else has meanwhile."""
        if draft.new:
            before = None
            after = await port.create_alias(
                draft.function, draft.name, draft.version, description=draft.description, weights=draft.weights
            )
        else:
            before = await port.get_alias(draft.function, draft.name)
            after = await port.update_alias(
                draft.function,
                draft.name,
                version=draft.version,
                description=draft.description,
                weights=draft.weights,
                revision_id=draft.revision,
            )
        self._remember(AliasEdit(draft.function, draft.name, before, after, self._wall()))
        return after

    async def delete_alias(self, port: EnginePort, alias: Alias) -> None:
        await port.delete_alias(alias.function, alias.name)
        self._remember(AliasEdit(alias.function, alias.name, alias, None, self._wall()))

    async def publish(self, port: EnginePort, function: str) -> tuple[str, bool]:
        """The version that now holds what `$LATEST` holds, and whether it is a new one."""
        known = {version.version for version in await port.list_versions(function)}
        published = await port.publish_version(function)
        fresh = published.version not in known
        if fresh:
            self._remember(PublishEdit(function, published.version, self._wall()))
        return published.version, fresh

    async def make(self, port: EnginePort, change: Change) -> None:
        """Change a setting."""
        await change.do(port)
        self._remember(SettingEdit(change, self._wall()))

    async def undo(self, port: EnginePort, function: str) -> str | None:
        """Take the function's last edit back and say what that did; None if there is none.

        Raises:
            ApiError, UsageError: it can no longer be undone; the edit before it is the last one then.
            EngineGone: the engine did not answer; the edit stays.
        """
        edit = next(iter(self.of(function)), None)
        return await self.take_back(port, edit) if edit is not None else None

    async def take_back(self, port: EnginePort, edit: Edit) -> str:
        """Take one edit back, whatever came after it, and say what that did. Raises what `undo` raises."""
        index = next((at for at in reversed(range(len(self._done))) if self._done[at] is edit), None)
        if index is None:
            raise UsageError(f"{edit}: that is {KEPT} changes ago, and no longer remembered")
        del self._done[index]
        try:
            if isinstance(edit, PublishEdit):
                await port.delete_function(FunctionRef(edit.function, edit.version))
                return f"version {edit.version} deleted; its number is not used again"
            if isinstance(edit, SettingEdit):
                await edit.change.undo(port)
                return f"{edit}: taken back"
            return await self._undo_alias(port, edit)
        except EngineGone:
            self._done.insert(index, edit)
            raise

    async def _undo_alias(self, port: EnginePort, edit: AliasEdit) -> str:
        key = (edit.function, edit.name)
        if edit.before is None:
            await port.delete_alias(*key)
            self._left.pop(key, None)
            return f"{edit.name} deleted"
        if edit.after is None:
            restored = await port.create_alias(
                *key, edit.before.version, description=edit.before.description, weights=edit.before.weights
            )
        else:
            restored = await port.update_alias(
                *key,
                version=edit.before.version,
                description=edit.before.description,
                weights=edit.before.weights,
                revision_id=self._left.get(key, edit.after.revision_id),
            )
        self._left[key] = restored.revision_id
        return f"{edit.name}: {_routing(restored)}"

    def ramped(self, known: AliasEdit | None, before: Alias, after: Alias) -> AliasEdit:
        """Steps of a ramp are one edit: the one that is `known` of it, grown by the last step."""
        if known is not None:
            self._done = [edit for edit in self._done if edit is not known]
        grown = AliasEdit(before.function, before.name, before, after, self._wall())
        self._remember(grown)
        return grown

    def _remember(self, edit: Edit) -> None:
        self._done.append(edit)
        del self._done[:-KEPT]
        if isinstance(edit, AliasEdit) and edit.after is not None:
            self._left[edit.function, edit.name] = edit.after.revision_id


def _routing(alias: Alias) -> str:
    return routing({alias.version: 1.0 - sum(alias.weights.values()), **alias.weights})


def routing(targets: Mapping[str, float]) -> str:
    """`7`, or `7 90% 8 10%`."""
    if len(targets) == 1:
        return next(iter(targets))
    return " ".join(f"{short(version)} {round(100 * weight, 2):g}%" for version, weight in targets.items())
