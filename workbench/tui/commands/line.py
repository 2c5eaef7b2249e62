"""The command line that `:` opens: a verb, and what it is done to. Completion and reading are pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from inspect import cleandoc
from typing import TYPE_CHECKING, TypeVar

from workbench.tui.mirror import Mirror

if TYPE_CHECKING:
    from workbench.tui.app import WorkbenchApp


class Takes(Enum):
    """What a verb is done to."""

    NOTHING = ""
    FUNCTION = "FUNCTION"
    TARGET = "FUNCTION[:QUALIFIER]"
    ENVIRONMENT = "ENVIRONMENT"
    INVOCATION = "REQUEST-ID"
    FORMAT = "FORMAT"


@dataclass(frozen=True, slots=True)
class Verb:
    """One command. `run` gets the whole name of what it is done to; with `optional` that may be empty."""

    word: str
    takes: Takes
    help: str
    run: Callable[[WorkbenchApp, str], None]
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """A verb with its argument in full."""

    verb: Verb
    argument: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """What the line could become, and what that means."""

    text: str
    help: str


Item = TypeVar("Item")
VERBS: dict[str, Verb] = {}
#: Candidates that are worth offering: more are found by typing on.
OFFERED = 200


def verb(takes: Takes, *, optional: bool = False) -> Callable[[Callable[[WorkbenchApp, str], None]], None]:
    """Makes a verb of a function: its name is the word, its docstring the help."""

    def made(function: Callable[[WorkbenchApp, str], None]) -> None:
        word = function.__name__.rstrip("_")
        VERBS[word] = Verb(word, takes, cleandoc(function.__doc__ or "").replace("\n", " "), function, optional)

    return made


@verb(Takes.FUNCTION)
def function(app: WorkbenchApp, name: str) -> None:
    """Open a function: versions, aliases, configuration."""
    app.open_function(name)


@verb(Takes.TARGET)
def fire(app: WorkbenchApp, target: str) -> None:
    """Choose an event for a function, a version or an alias, and fire it."""
    name, _, qualifier = target.partition(":")
    app.open_fire(name, qualifier or None)


@verb(Takes.FUNCTION)
def again(app: WorkbenchApp, name: str) -> None:
    """Fire a function at once with its last event, or else its saved one."""
    app.fire_again(name)


@verb(Takes.TARGET, optional=True)
def events(app: WorkbenchApp, target: str) -> None:
    """Choose, edit and save events, and fire one many times."""
    app.open_events(target)


@verb(Takes.TARGET)
def cost(app: WorkbenchApp, target: str) -> None:
    """See what a function would have cost on AWS, and what if other concurrency were provisioned or reserved."""
    name, _, qualifier = target.partition(":")
    app.open_cost(name, qualifier or None)


@verb(Takes.FUNCTION, optional=True)
def environments(app: WorkbenchApp, name: str) -> None:
    """Watch the execution environments and their concurrency, of all functions or of one."""
    app.open_environments(name or None)


@verb(Takes.NOTHING)
def runtimes(app: WorkbenchApp, _: str) -> None:
    """See what this machine can run, publish a runtime version, watch it being rolled out."""
    app.open_runtimes()


@verb(Takes.NOTHING)
def layers(app: WorkbenchApp, _: str) -> None:
    """See the layer versions and which functions have them."""
    app.open_layers()


@verb(Takes.NOTHING)
def settings(app: WorkbenchApp, _: str) -> None:
    """See what the engine was started with and what the account may use."""
    app.open_settings()


@verb(Takes.NOTHING)
def doctor(app: WorkbenchApp, _: str) -> None:
    """Try which backends and runtimes work on this machine, and what would mend the rest."""
    app.open_doctor()


@verb(Takes.ENVIRONMENT)
def environment(app: WorkbenchApp, id: str) -> None:
    """Open an execution environment."""
    app.open_environment(id)


@verb(Takes.ENVIRONMENT)
def kill(app: WorkbenchApp, id: str) -> None:
    """End an execution environment; asks first."""
    app.ask_kill(id)


@verb(Takes.INVOCATION)
def invocation(app: WorkbenchApp, id: str) -> None:
    """Open an invocation by its request id, or the beginning of it."""
    app.open_invocation(id)


@verb(Takes.FORMAT, optional=True)
def export(app: WorkbenchApp, format: str) -> None:
    """Write what is shown to a file: the rows of the focused list, or the whole screen."""
    if format:
        app.export(format)
    else:
        app.action_export()


@verb(Takes.NOTHING)
def deploy(app: WorkbenchApp, _: str) -> None:
    """Deploy the functions of this project's template."""
    app.start_deploy()


@verb(Takes.NOTHING)
def tour(app: WorkbenchApp, _: str) -> None:
    """Take the guided tour: seven short steps on this engine, all of it undone after."""
    app.action_tour()


@verb(Takes.NOTHING)
def theme(app: WorkbenchApp, _: str) -> None:
    """Switch between the dark and the light theme."""
    app.action_switch_theme()


@verb(Takes.NOTHING)
def help_(app: WorkbenchApp, _: str) -> None:
    """Say what each key does here."""
    app.action_help()


@verb(Takes.NOTHING)
def quit_(app: WorkbenchApp, _: str) -> None:
    """Leave; asks what becomes of an engine that still has environments."""
    app.run_worker(app.action_quit())


def candidates(text: str, mirror: Mirror) -> list[Candidate]:
    """What the line could become: verbs, then what the verb can be done to; those that begin so come first."""
    word, space, argument = text.lstrip().partition(" ")
    if not space:
        return [_offer(verb) for verb in _matching(VERBS.values(), word, lambda verb: verb.word)]
    verb = VERBS.get(word)
    if verb is None:
        return []
    names = _names(verb.takes, mirror)
    found = _matching(names, argument.strip(), lambda name: name)
    return [Candidate(f"{word} {name}", names[name]) for name in found[:OFFERED]]


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
        return Call(verb, "") if verb.optional else f"{verb.word} needs: {verb.takes.value}"
    names = _names(verb.takes, mirror)
    name = argument.partition(":")[0]
    if argument in names or (verb.takes is Takes.TARGET and name in names):
        return Call(verb, argument)
    begun = [known for known in names if known.startswith(argument) and ":" not in known[len(argument) :]]
    if len(begun) == 1:
        return Call(verb, begun[0])
    kind = verb.takes.value.partition("[")[0].lower()
    return f"'{argument}' may mean {len(begun)} of them" if begun else f"there is no {kind} '{argument}'"


def _offer(verb: Verb) -> Candidate:
    """A verb; where something follows, with the blank that the next letter needs."""
    if verb.takes is Takes.NOTHING:
        return Candidate(verb.word, verb.help)
    return Candidate(f"{verb.word} ", f"{verb.takes.value}  {verb.help}")


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
