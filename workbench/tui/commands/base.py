"""What a command is."""

from __future__ import annotations

import re
from collections.abc import Iterable
from inspect import cleandoc
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.keys import format_key


class Command:
    """The docstring is what help and palette say of the command."""

    #: Keys, comma-separated as Textual writes them.
    keys: ClassVar[str]
    #: How help and footer write the key.
    shown_key: ClassVar[str]
    title: ClassVar[str]
    #: The footer's one word; without it the footer leaves the command out.
    footer: ClassVar[str] = ""
    action: ClassVar[str]
    #: Works whatever has the focus, even while a text is being typed.
    priority: ClassVar[bool] = False
    #: Belongs to the palette; cursor movement does not.
    palette: ClassVar[bool] = True

    @classmethod
    def name(cls) -> str:
        """What workbench.toml calls it: its screen, and its class's name in small letters: `function.edit-alias`."""
        words = re.sub(r"(?<=[a-z])(?=[A-Z])", "-", cls.__name__).lower()
        return f"{cls.__module__.rpartition('.')[2]}.{words}"

    @classmethod
    def help(cls) -> str:
        return cleandoc(cls.__doc__ or "").replace("\n", " ").replace("`", "")

    @classmethod
    def binding(cls) -> Binding:
        return Binding(
            cls.keys,
            cls.action,
            cls.footer or cls.title,
            show=bool(cls.footer),
            key_display=cls.shown_key,
            priority=cls.priority,
            tooltip=cls.help(),
            id=cls.name(),
        )


def shown(keys: Iterable[str]) -> str:
    """Keys as help and footer write them."""
    return " ".join(_shown(key) for key in keys)


def _shown(key: str) -> str:
    *modifiers, last = key.split("+")
    text = "".join("^" if modifier == "ctrl" else f"{modifier}+" for modifier in modifiers) + format_key(last)
    return text[:1].upper() + text[1:] if re.fullmatch(r"f\d+", text) else text


def bindings(*commands: type[Command]) -> list[BindingType]:
    """Textual's form of these commands."""
    return [command.binding() for command in commands]
