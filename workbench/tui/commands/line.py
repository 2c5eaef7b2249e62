"""Reading and completing what is typed on the command line that `:` opens. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from workbench.tui import judged
from workbench.tui.commands.verbs import VERBS, Takes, Verb
from workbench.tui.edits import routing
from workbench.tui.mirror import Mirror

if TYPE_CHECKING:
    from workbench.tui.app import WorkbenchApp


@dataclass(frozen=True, slots=True)
class Call:
    """A verb with its argument in full, and the value that followed, as it was typed."""

    verb: Verb
    argument: str
    value: str = ""

    def do(self, app: WorkbenchApp) -> None:
        """Carry it out; what goes wrong is said there."""
        self.verb.run(app, self.argument, *([self.value] if self.verb.value else []))


@dataclass(frozen=True, slots=True)
class Candidate:
    """What the line could become, and what that means."""

    text: str
    help: str


Item = TypeVar("Item")
#: Candidates that are worth offering: more are found by typing on.
OFFERED = 200


def candidates(text: str, mirror: Mirror) -> list[Candidate]:
    """What the line could become: verbs, then what the verb can be done to; those that begin so come first."""
    word, space, argument = text.lstrip().partition(" ")
    if not space:
        return [_offer(verb) for verb in _matching(VERBS.values(), word, lambda verb: verb.word)]
    verb = VERBS.get(word)
    if verb is None:
        return []
    if verb.value and " " in argument.lstrip():
        name, _, value = argument.lstrip().partition(" ")
        values = verb.offers(mirror, name)
        found = _matching(values, value.strip(), lambda value: value)
        return [Candidate(f"{word} {name} {value}", values[value]) for value in found]
    names = _names(verb.takes, mirror)
    found = _matching(names, argument.strip(), lambda name: name)
    blank = " " if verb.value else ""
    return [Candidate(f"{word} {name}{blank}", names[name]) for name in found[:OFFERED]]


def read(text: str, mirror: Mirror) -> Call | str:
    """The call that a line means, or what is wrong with it. A beginning is enough where only one thing begins so."""
    word, _, argument = text.strip().partition(" ")
    argument = argument.strip()
    verbs = [VERBS[word]] if word in VERBS else [verb for verb in VERBS.values() if verb.word.startswith(word)]
    if not word or not verbs:
        return f"there is no command '{word}'"
    if len(verbs) > 1:
        return f"'{word}' may mean {' or '.join(verb.word for verb in verbs)}"
    (verb,) = verbs
    if verb.takes is Takes.NOTHING:
        return f"{verb.word} takes nothing" if argument else Call(verb, "")
    if not argument:
        return Call(verb, "") if verb.optional else f"{verb.word} needs: {verb.wants}"
    value = ""
    if verb.value:
        argument, _, value = argument.partition(" ")
        value = " ".join(value.split())
        if not value:
            return f"{verb.word} needs: {verb.wants}"
    names = _names(verb.takes, mirror)
    name = argument.partition(":")[0]
    if argument in names or (verb.takes is Takes.TARGET and name in names):
        return Call(verb, argument, value)
    if verb.takes is Takes.ALIAS and name in mirror.functions and argument.partition(":")[2]:
        return Call(verb, argument, value)  # one that is not there is made
    begun = [known for known in names if known.startswith(argument) and ":" not in known[len(argument) :]]
    if len(begun) == 1:
        return Call(verb, begun[0], value)
    kind = verb.takes.value.partition("[")[0].lower()
    return f"'{argument}' may mean {len(begun)} of them" if begun else f"there is no {kind} '{argument}'"


def _offer(verb: Verb) -> Candidate:
    """A verb; where something follows, with the blank that the next letter needs."""
    if verb.takes is Takes.NOTHING:
        return Candidate(verb.word, verb.help)
    return Candidate(f"{verb.word} ", f"{verb.wants}  {verb.help}")


def _names(takes: Takes, mirror: Mirror) -> dict[str, str]:
    """What a verb can be done to, with a word about each."""
    if takes is Takes.FUNCTION or takes is Takes.TARGET:
        found = {}
        for name, view in sorted(mirror.functions.items()):
            found[name] = view.runtime
            if takes is Takes.TARGET:
                found |= {f"{name}:{alias}": "alias" for alias in sorted(view.aliases)}
                found |= {f"{name}:{version}": "version" for version in reversed(view.versions)}
        return found
    if takes is Takes.ALIAS:
        functions = sorted(mirror.functions.items())
        return {
            f"{name}:{alias}": f"→ {routing(targets)}"
            for name, view in functions
            for alias, targets in sorted(view.aliases.items())
        }
    if takes is Takes.PROVISIONABLE:
        functions = sorted(mirror.functions.items())
        return {
            f"{name}:{qualifier}": "alias" if qualifier in view.aliases else "version"
            for name, view in functions
            for qualifier in judged.provisionable(view)
        }
    if takes is Takes.ENVIRONMENT:
        return {
            id: f"{view.state.glyph} {view.state.value}  {view.function}" for id, view in mirror.environments.items()
        }
    if takes is Takes.INVOCATION:
        newest = reversed(mirror.invocations.items())
        return {id: f"{view.status.value}  {view.function}" for id, view in newest}
    if takes is Takes.FORMAT:
        return {"csv": "rows", "json": "rows, or all of the screen", "svg": "a picture of the screen"}
    return {}


def _matching(items: Iterable[Item], text: str, name: Callable[[Item], str]) -> list[Item]:
    """Those whose name begins with the text, then those that have it elsewhere."""
    found = [item for item in items if text in name(item)]
    return sorted(found, key=lambda item: not name(item).startswith(text))
