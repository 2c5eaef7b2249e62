"""Keys of a person's own: the `[keys]` of workbench.toml, read and judged.

[keys]
quit = "Q"                      # a command by its name, wherever it is
fire = ["f9", "ctrl+o"]
[keys.function]
fire = "z"                      # on the function screen only
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from string import punctuation
from typing import Any

from textual.binding import Binding
from textual.keys import Keys, _character_to_key

from workbench.model.errors import UsageError
from workbench.tui.commands import (
    diff,
    environments,
    events,
    function,
    invocation,
    lists,
    main,
    moves,
    replay,
    runtimes,
)
from workbench.tui.commands.base import Command, shown

Keymap = dict[str, tuple[str, ...]]
Commands = Sequence[type[Command]]

#: The main screen's own, and those of its panes.
_MAIN = [one for one in vars(main).values() if isinstance(one, type) and one is not Command]
_ALWAYS: Commands = (*main.APP, *replay.ALL)
#: What may be active at once, by the screen; a screen more than once where its panes take turns.
SCOPES: Sequence[tuple[str, Commands]] = tuple(
    (name, tuple(dict.fromkeys((*offered, *_ALWAYS))))
    for name, offered in (
        ("main", (*_MAIN, *moves.ROWS, *moves.SIDEWAYS)),
        ("function", (*function.SCREEN, *function.ALIASES, *moves.ROWS)),
        ("function", (*function.SCREEN, *function.WEIGHTS)),
        ("environments", (*environments.SCREEN, main.Open, *moves.ROWS)),
        ("invocation", (*invocation.SCREEN, invocation.OpenLine, *moves.ROWS, *moves.SIDEWAYS)),
        ("events", (*events.SCREEN, *events.LIST, *moves.ROWS)),
        ("runtimes", (*runtimes.SCREEN, *runtimes.VERSIONS, *moves.ROWS)),
        ("runtimes", (*runtimes.SCREEN, *runtimes.FUNCTIONS, *moves.ROWS)),
        ("layers", (*lists.LAYERS, *moves.ROWS)),
        ("settings", lists.PAGE),
        ("diff", (*diff.SCREEN, *moves.ROWS, *moves.SIDEWAYS)),
    )
)
_MODIFIERS = frozenset({"ctrl", "alt", "shift", "super", "hyper", "meta"})
_NAMED = frozenset(key.value for key in Keys if key.value.isidentifier()) | frozenset(
    _character_to_key(character) for character in punctuation
)
#: What Textual does itself, in every text field and list.
_TAKEN = {"ctrl+p": "the palette", "ctrl+q": "leaving", "ctrl+c": "copying", "tab": "the next field"}
#: What a terminal sends for these is another key.
_SAME = {"ctrl+i": "tab", "ctrl+m": "enter", "ctrl+left_square_bracket": "escape"}


def commands() -> dict[str, type[Command]]:
    """Every command whose keys can be changed, by `SCREEN.NAME`. Those that lead to a pane have the pane's number."""
    found = {command.name(): command for _, scope in SCOPES for command in scope}
    return {name: found[name] for name in sorted(found) if not found[name].action.startswith("screen.pane(")}


def keymap(given: Mapping[str, Any], where: str) -> Keymap:
    """The keys of each command that `[keys]` changes, as Textual calls them. `where` names the file.

    Raises:
        UsageError: there is no such command or key, or two commands of a screen have the same key.
    """
    known = commands()
    broad: Keymap = {}
    narrow: Keymap = {}
    for name, value in given.items():
        if isinstance(value, Mapping):
            for inner, keys in value.items():
                narrow |= _change(known, f"{name}.{inner}", keys, where)
        else:
            broad |= _change(known, name, value, where)
    changed = broad | narrow
    _refuse_conflicts(changed, where)
    return changed


def _change(known: Mapping[str, type[Command]], name: str, value: Any, where: str) -> Keymap:
    found = [full for full in known if full == name or full.partition(".")[2] == name]
    if not found:
        names = [*known, *(full.partition(".")[2] for full in known)]
        near = difflib.get_close_matches(name, names, 1)
        raise UsageError(
            f"{where}: [keys]: there is no command '{name}'{f'; {near[0]!r} is one' if near else ''}",
            mend="workbench keys lists them",
        )
    given = [value] if isinstance(value, str) else value
    if not isinstance(given, list) or not given or not all(isinstance(key, str) for key in given):
        raise UsageError(f'{where}: [keys] {name} takes a key or a list of keys, such as "ctrl+o", not {value!r}')
    keys = tuple(dict.fromkeys(_key(key, f"{where}: [keys] {name}") for key in given))
    return dict.fromkeys(found, keys)


def _key(text: str, where: str) -> str:
    """A key by Textual's name.

    Raises:
        UsageError: there is none, or it does something else everywhere.
    """
    *modifiers, last = text.split("+") if len(text) > 1 else [text]
    if text.endswith("++"):
        modifiers, last = modifiers[:-1], "+"
    last = _character_to_key(last) if len(last) == 1 else last.lower()
    if modifiers == ["shift"] and len(last) == 1:  # as a terminal sends it
        modifiers, last = [], last.upper()
    key = "+".join([*modifiers, last])
    good = (len(last) == 1 and last.isalnum()) or last in _NAMED
    if not good or not set(modifiers) <= _MODIFIERS:
        raise UsageError(
            f"{where}: there is no key {text!r}",
            mend='keys are written like "x", "X", "/", "f9", "ctrl+o", "shift+left", "pageup", "space"',
        )
    if key in _SAME:
        raise UsageError(f"{where}: terminals send {text!r} as {_SAME[key]}", mend="choose another key")
    if key in _TAKEN or key == "shift+tab":
        raise UsageError(
            f"{where}: {text!r} is for {_TAKEN.get(key, 'the field before')} on every screen", mend="choose another key"
        )
    return key


def _refuse_conflicts(changed: Keymap, where: str) -> None:
    """Raises UsageError when a key that was changed is another command's, where both work."""
    for screen, scope in SCOPES:
        for command, other in _pairs(scope):
            if command.name() not in changed and other.name() not in changed:
                continue
            both = set(keys_of(command, changed)) & set(keys_of(other, changed))
            new = both - (set(keys_of(command, {})) & set(keys_of(other, {})))
            if new:
                raise UsageError(
                    f"{where}: [keys]: {shown([min(new)])} is both '{command.name()}' and '{other.name()}' on the "
                    f"{screen} screen",
                    mend="give one of them another key",
                )


def _pairs(scope: Commands) -> Iterator[tuple[type[Command], type[Command]]]:
    for index, command in enumerate(scope):
        for other in scope[index + 1 :]:
            if command.action != other.action:
                yield command, other


def keys_of(command: type[Command], changed: Keymap) -> tuple[str, ...]:
    """The keys that a command has, as Textual calls them."""
    return changed.get(command.name()) or tuple(binding.key for binding in Binding.make_bindings([command.binding()]))
