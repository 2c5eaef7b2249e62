"""The verbs of the command line that `:` opens, and what each is done to."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum
from inspect import cleandoc
from typing import TYPE_CHECKING

from workbench.live.view import FunctionView
from workbench.model.names import LATEST
from workbench.tui import judged
from workbench.tui.alias_draft import Draft, check
from workbench.tui.changes import settled
from workbench.tui.judged import Judgement
from workbench.tui.mirror import Mirror

if TYPE_CHECKING:
    from workbench.tui.app import WorkbenchApp


class Takes(Enum):
    """What a verb is done to."""

    NOTHING = ""
    FUNCTION = "FUNCTION"
    TARGET = "FUNCTION[:QUALIFIER]"
    ALIAS = "FUNCTION:ALIAS"
    PROVISIONABLE = "FUNCTION:QUALIFIER"
    ENVIRONMENT = "ENVIRONMENT"
    INVOCATION = "REQUEST-ID"
    FORMAT = "FORMAT"


#: What may follow, with a word about each, by what the verb is done to.
Offers = Callable[[Mirror, str], dict[str, str]]


@dataclass(frozen=True, slots=True)
class Verb:
    """One command. `run` gets the whole name of what it is done to; with `optional` that may be empty.

    `value` says what else follows, such as a figure: `run` gets that too, as it was typed, and `offers` completes it.
    """

    word: str
    takes: Takes
    help: str
    run: Callable[..., None]
    optional: bool = False
    value: str = ""
    offers: Offers = lambda mirror, name: {}

    @property
    def wants(self) -> str:
        """What follows the word."""
        return f"{self.takes.value} {self.value}".strip()


VERBS: dict[str, Verb] = {}


def verb(
    takes: Takes, value: str = "", offers: Offers = lambda mirror, name: {}, *, optional: bool = False
) -> Callable[[Callable[..., None]], None]:
    """Makes a verb of a function: its name is the word, its docstring the help."""

    def made(function: Callable[..., None]) -> None:
        word = function.__name__.rstrip("_")
        help = cleandoc(function.__doc__ or "").replace("\n", " ")
        VERBS[word] = Verb(word, takes, help, function, optional, value, offers)

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


# -- what changes a function: by the same edits, and with the same checks, as on its screen


def _view_of(mirror: Mirror, name: str) -> FunctionView | None:
    return mirror.functions.get(name.partition(":")[0])


def _versions(mirror: Mirror, name: str) -> dict[str, str]:
    view = _view_of(mirror, name)
    if view is None:
        return {}
    now = view.aliases.get(name.partition(":")[2], {})
    published = {version: "it has it now" if version in now else "version" for version in reversed(view.versions)}
    return {**published, LATEST: "it has it now" if LATEST in now else "what is not published"}


def _memory(mirror: Mirror, name: str) -> dict[str, str]:
    view = _view_of(mirror, name)
    sizes = {128: "the least", 256: "", 512: "", 1024: "", 1769: "one vCPU", 3008: "", 10_240: "the most"}
    return _with_now(sizes, view.memory_size if view is not None else None)


def _timeout(mirror: Mirror, name: str) -> dict[str, str]:
    view = _view_of(mirror, name)
    return _with_now({3: "the default", 30: "", 60: "", 900: "the most"}, view.timeout if view is not None else None)


def _reserved(mirror: Mirror, name: str) -> dict[str, str]:
    view = _view_of(mirror, name)
    offered = {"none": "no reservation", "0": "stops the function"}
    return offered | ({str(view.reserved): "now"} if view is not None and view.reserved is not None else {})


def _provisioned(mirror: Mirror, name: str) -> dict[str, str]:
    view = _view_of(mirror, name)
    now = view.provisioned.get(name.partition(":")[2]) if view is not None else None
    return {"none": "ends them"} | ({str(now): "now"} if now is not None else {})


def _with_now(figures: dict[int, str], now: int | None) -> dict[str, str]:
    if now is not None:
        figures = figures | {now: "now"}
    return {str(figure): figures[figure] for figure in sorted(figures)}


@verb(Takes.FUNCTION)
def publish(app: WorkbenchApp, name: str) -> None:
    """Publish `$LATEST` of a function as the next version."""
    app.run_worker(app.publish(name), group="edits")


@verb(Takes.ALIAS, "VERSION [SECOND=WEIGHT]", _versions)
def alias(app: WorkbenchApp, target: str, value: str) -> None:
    """Create an alias or point it elsewhere: `alias hello:live 8`, or `alias hello:live 7 8=10%` for two versions."""
    name, _, word = target.partition(":")
    version, _, routing = value.partition(" ")
    second, _, weight = routing.strip().partition("=")

    async def work() -> None:
        try:
            port = app.link.port
            versions = {one.version: one for one in await port.list_versions(name)}
            aliases = {one.name: one for one in await port.list_aliases(name)}
        except Exception as error:
            app.say_error(error)
            return
        known = aliases.get(word)
        about, revision = (known.description, known.revision_id) if known is not None else ("", None)
        draft = Draft(name, word, version, second or None, weight if second else "0", about, revision)
        if problems := [found.text for found in check(draft, versions, aliases) if found.bad]:
            app.say("; ".join(problems), title="Not saved", bad=True)
        else:
            await app.save_alias(draft, _undo(name))

    app.run_worker(work(), group="edits")


@verb(Takes.FUNCTION, "COUNT", _reserved)
def concurrency(app: WorkbenchApp, name: str, value: str) -> None:
    """Reserve concurrency for a function; 0 stops it, `none` gives the reservation back."""

    async def judge() -> Judgement:
        port = app.link.port
        attached, account = await port.get_attached(name), await port.account_settings()
        return judged.reserved(app.mirror.functions[name], attached, account, value)

    _change(app, name, judge)


@verb(Takes.PROVISIONABLE, "COUNT", _provisioned)
def provisioned(app: WorkbenchApp, target: str, value: str) -> None:
    """Have so many environments made ahead of an alias or a version; `none` ends them."""
    name, _, qualifier = target.partition(":")

    async def judge() -> Judgement:
        attached = await app.link.port.get_attached(name)
        return judged.provisioned(app.mirror.functions[name], attached, qualifier, value)

    _change(app, name, judge)


@verb(Takes.FUNCTION, "MB", _memory)
def memory(app: WorkbenchApp, name: str, value: str) -> None:
    """Change the memory of `$LATEST`, and with it its share of the CPU."""
    _configure(app, name, "memory_size", value)


@verb(Takes.FUNCTION, "SECONDS", _timeout)
def timeout(app: WorkbenchApp, name: str, value: str) -> None:
    """Change the timeout of `$LATEST`."""
    _configure(app, name, "timeout", value)


@verb(Takes.FUNCTION)
def undo(app: WorkbenchApp, name: str) -> None:
    """Undo the last change that was made here of a function; again for the one before it."""
    app.ask_undo(name, lambda: None)


def _configure(app: WorkbenchApp, name: str, setting: str, value: str) -> None:
    async def judge() -> Judgement:
        found = judged.figure(setting, value)
        if isinstance(found, str):
            return Judgement(problems=[found])
        return judged.configured(await settled(app.link.port, name), {setting: found})

    _change(app, name, judge)


def _change(app: WorkbenchApp, name: str, judge: Callable[[], Awaitable[Judgement]]) -> None:
    async def work() -> None:
        try:
            found = await judge()
        except Exception as error:
            app.say_error(error)
            return
        if found.problems:
            app.say("; ".join(found.problems), title="Not saved", bad=True)
        elif not found.changes:
            app.say("That is what it has.", title=name)
        else:
            await app.make(found.changes, _undo(name))

    app.run_worker(work(), group="edits")


def _undo(name: str) -> str:
    return f":undo {name}"


# -- the rest


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
