"""Why a payload is no JSON, in the words of AWS's parser.

Lambda's front end reads payloads with Jackson, a Java library, and answers with its message: what was found, what was
expected, and where. Only a payload that was already found to be broken comes here.
Source: jackson-core 2.x, `UTF8StreamJsonParser`; the location is that of the byte after the offence.
"""

from __future__ import annotations

import re

_VALUES = "(JSON String, Number, Array, Object or token 'null', 'true' or 'false')"
_SHOWN = 500
_LONGEST_TOKEN = 256
_MAX_DEPTH = 1000
_SPACE = frozenset(b" \t\r\n")
_WORDS = {b"t"[0]: b"true", b"f"[0]: b"false", b"n"[0]: b"null"}
_NOT_NUMBERS = {b"N"[0]: b"NaN", b"I"[0]: b"Infinity"}
_SIMPLE_ESCAPES = frozenset(b'"\\/bfnrt')
_CONTROL = re.compile(r"[\x00-\x09\x0b\x0c\x0e-\x1f\x7f-\x9f]")


class _Broken(Exception):
    """What is wrong, and where."""


def complaint(body: bytes) -> str | None:
    """The message for a broken payload; None if this parser finds nothing wrong with it."""
    parser = _Parser(body)
    try:
        parser.document()
    except _Broken as error:
        return f"{error}\n at {parser.here()}"
    return None


class _Parser:
    """Reads until the first offence; `at` is then the byte after it."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._end = len(body)
        self.at = 0

    def here(self, at: int | None = None) -> str:
        """A place in the source, as Jackson shows it."""
        at = self.at if at is None else at
        line = self._body.count(b"\n", 0, at) + 1
        column = at - (self._body.rfind(b"\n", 0, at) + 1) + 1
        text = self._body[:_SHOWN].decode("utf-8", "replace")
        text = _CONTROL.sub(lambda found: f"\\u{ord(found.group()):04X}", text)
        more = f"[truncated {self._end - _SHOWN} bytes]" if self._end > _SHOWN else ""
        return f'[Source: (byte[])"{text}"{more}; line: {line}, column: {column}]'

    def document(self) -> None:
        if not self._space():
            raise _Broken("No content to map due to end-of-input")
        self._value([])
        if self._space():
            after = self.at
            self._value([])  # what follows is read too, and what is wrong with it comes first
            self.at = after + 1
            self._unexpected(self._body[after], "expected the end of the document")

    # -- values. Containers are kept on a list, so that depth costs no stack.
    def _value(self, open_: list[tuple[int, int]]) -> None:
        """One value; `open_` holds the containers around it: their kind and their start."""
        while True:
            if not self._space():
                self._unfinished(open_)
            first = self._next()
            if first in b"{[":
                if len(open_) >= _MAX_DEPTH:
                    raise _Broken(
                        f"Document nesting depth ({_MAX_DEPTH + 1}) exceeds the maximum allowed "
                        f"({_MAX_DEPTH}, from `StreamReadConstraints.getMaxNestingDepth()`)"
                    )
                open_.append((first, self.at - 1))
                closer = first + 2
                if not self._space():
                    self._unfinished(open_)
                if self._body[self.at] == closer:
                    self.at += 1
                    open_.pop()
                elif first == b"{"[0]:
                    self._name(open_)
                    continue
                else:
                    continue
            else:
                self._scalar(first)
            if not self._after_value(open_):
                return

    def _after_value(self, open_: list[tuple[int, int]]) -> bool:
        """Close what ends here; True when another value follows inside a container."""
        while open_:
            kind = open_[-1][0]
            if not self._space():
                self._unfinished(open_)
            found = self._next()
            if found == b","[0]:
                if not self._space():
                    self._unfinished(open_)
                if kind == b"{"[0]:
                    self._name(open_)
                return True
            if found == kind + 2:
                open_.pop()
            elif found in b"]}":
                opener = "{" if kind == b"{"[0] else "["
                what = "Object" if opener == "{" else "Array"
                start = self.here(open_[-1][1]).rpartition("line: ")[2]
                raise _Broken(
                    f"Unexpected close marker '{chr(found)}': expected '{chr(kind + 2)}' "
                    f"(for {what} starting at [Source: (byte[]){self._quoted()}; line: {start})"
                )
            else:
                what = "Object" if kind == b"{"[0] else "Array"
                self._unexpected(found, f"was expecting comma to separate {what} entries")
        return False

    def _name(self, open_: list[tuple[int, int]]) -> None:
        found = self._next()
        if found != b'"'[0]:
            self._unexpected(found, "was expecting double-quote to start field name")
        self._string("in field name")
        if not self._space():
            self._unfinished(open_)
        found = self._next()
        if found != b":"[0]:
            self._unexpected(found, "was expecting a colon to separate field name and value")

    def _scalar(self, first: int) -> None:
        if first == b'"'[0]:
            self._string("in VALUE_STRING")
        elif first in b"-0123456789":
            self._number(first)
        elif first in _WORDS:
            self._word(_WORDS[first])
        elif first in _NOT_NUMBERS:
            self._word(_NOT_NUMBERS[first])
            name = _NOT_NUMBERS[first].decode()
            raise _Broken(f"Non-standard token '{name}': enable `JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS` to allow")
        elif first in b"}]":
            self._unexpected(first, "expected a value")
        elif first < 0x80 and (chr(first).isalpha() or first in b"_$"):
            self._token(chr(first))
        else:
            self._unexpected(first, f"expected a valid value {_VALUES}")

    def _word(self, word: bytes) -> None:
        for offset, wanted in enumerate(word[1:], 1):
            if self.at >= self._end or self._body[self.at] != wanted:
                self._token(word[:offset].decode())
            self.at += 1
        if self.at < self._end and _part_of_name(chr(self._body[self.at])):
            self._token(word.decode())

    def _token(self, text: str) -> None:
        """Read on to the end of what looks like a word, and complain of it."""
        while self.at < self._end:
            character = self._character()
            if not _part_of_name(character):
                break
            text += character
            if len(text) >= _LONGEST_TOKEN:
                text += "..."
                break
        raise _Broken(f"Unrecognized token '{text}': was expecting {_VALUES}")

    def _number(self, first: int) -> None:
        digits = first
        if first == b"-"[0]:
            digits = self._digit("expected digit (0-9) to follow minus sign, for valid numeric value")
        if digits == b"0"[0] and self.at < self._end and self._body[self.at] in b"0123456789":
            self.at += 1
            raise _Broken("Invalid numeric value: Leading zeroes not allowed")
        self._digits()
        if self.at < self._end and self._body[self.at] == b"."[0]:
            self.at += 1
            self._digit("Decimal point not followed by a digit", plain=True)
            self._digits()
        if self.at < self._end and self._body[self.at] in b"eE":
            self.at += 1
            if self.at < self._end and self._body[self.at] in b"+-":
                self.at += 1
            self._digit("Exponent indicator not followed by a digit", plain=True)
            self._digits()
        if self.at < self._end and self._body[self.at] not in b" \t\r\n,]}":
            self._unexpected(self._next(), "Expected space separating root-level values")

    def _digit(self, complaint: str, *, plain: bool = False) -> int:
        if self.at >= self._end:
            raise _Broken("Unexpected end-of-input in a Number value")
        found = self._next()
        if found not in b"0123456789":
            self._unexpected(found, complaint)
        return found

    def _digits(self) -> None:
        while self.at < self._end and self._body[self.at] in b"0123456789":
            self.at += 1

    def _string(self, where: str) -> None:
        while True:
            if self.at >= self._end:
                what = "for name" if "name" in where else "for a string value"
                raise _Broken(f"Unexpected end-of-input {where}: was expecting closing quote {what}")
            found = self._body[self.at]
            if found >= 0x80:
                self._character()
                continue
            self.at += 1
            if found == b'"'[0]:
                return
            if found == b"\\"[0]:
                self._escape()
            elif found < 0x20:
                part = "name" if "name" in where else "string value"
                raise _Broken(
                    f"Illegal unquoted character ({_described(found)}): "
                    f"has to be escaped using backslash to be included in {part}"
                )

    def _escape(self) -> None:
        if self.at >= self._end:
            raise _Broken("Unexpected end-of-input in character escape sequence")
        found = self._next()
        if found in _SIMPLE_ESCAPES:
            return
        if found != b"u"[0]:
            raise _Broken(f"Unrecognized character escape {_described(found)}")
        for _ in range(4):
            if self.at >= self._end:
                raise _Broken("Unexpected end-of-input in character escape sequence")
            found = self._next()
            if found not in b"0123456789abcdefABCDEF":
                self._unexpected(found, "expected a hex-digit for character escape sequence")

    # -- bytes
    def _space(self) -> bool:
        """Skip white space; whether anything follows."""
        while self.at < self._end and self._body[self.at] in _SPACE:
            self.at += 1
        return self.at < self._end

    def _next(self) -> int:
        found = self._body[self.at]
        self.at += 1
        return found

    def _character(self) -> str:
        """One character of UTF-8."""
        first = self._next()
        if first < 0x80:
            return chr(first)
        if 0xC0 <= first < 0xE0:
            value, more = first & 0x1F, 1
        elif 0xE0 <= first < 0xF0:
            value, more = first & 0x0F, 2
        elif 0xF0 <= first < 0xF8:
            value, more = first & 0x07, 3
        else:
            raise _Broken(f"Invalid UTF-8 start byte 0x{first:x}")
        for _ in range(more):
            if self.at >= self._end:
                raise _Broken("Unexpected end-of-input in character escape sequence")
            byte = self._next()
            if byte & 0xC0 != 0x80:
                raise _Broken(f"Invalid UTF-8 middle byte 0x{byte:x}")
            value = value << 6 | byte & 0x3F
        return chr(min(value, 0x10FFFF))

    # -- complaints
    def _quoted(self) -> str:
        return self.here(0).removeprefix("[Source: (byte[])").rpartition("; line: ")[0]

    def _unexpected(self, found: int, comment: str) -> None:
        raise _Broken(f"Unexpected character ({_described(found)}): {comment}")

    def _unfinished(self, open_: list[tuple[int, int]]) -> None:
        if not open_:
            raise _Broken("No content to map due to end-of-input")
        kind, start = open_[-1]
        what = "Object" if kind == b"{"[0] else "Array"
        raise _Broken(f"Unexpected end-of-input: expected close marker for {what} (start marker at {self.here(start)})")


def _described(code: int) -> str:
    if code < 0x20 or 0x7F <= code < 0xA0:
        return f"(CTRL-CHAR, code {code})"
    return f"'{chr(code)}' (code {code})"


def _part_of_name(character: str) -> bool:
    return character.isalnum() or character in "_$"
