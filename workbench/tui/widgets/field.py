"""A line to edit that came from elsewhere: shown harmlessly, and given back as it was unless it is edited."""

from __future__ import annotations

from textual.widgets import Input

from workbench.model.text import one_line


class Field(Input):
    """`text` is what stands here. What no terminal should be sent is neither shown nor lost."""

    def __init__(self, given: str = "", *, id: str | None = None, placeholder: str = "") -> None:
        super().__init__(one_line(given), id=id, compact=True, placeholder=placeholder)
        self._given = given

    @property
    def text(self) -> str:
        return self._given if self.value == one_line(self._given) else self.value

    def take(self, given: str) -> None:
        """Hold this from now on."""
        if given != self.text:
            self._given = given
            self.value = one_line(given)
