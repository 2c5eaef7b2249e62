"""What a command is."""

from __future__ import annotations

from inspect import cleandoc
from typing import ClassVar

from textual.binding import Binding, BindingType


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
    def help(cls) -> str:
        return cleandoc(cls.__doc__ or "").replace("\n", " ")

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
        )


def bindings(*commands: type[Command]) -> list[BindingType]:
    """Textual's form of these commands."""
    return [command.binding() for command in commands]
