"""A JSON text as a tree that knows the line of each value.

The standard library's parser forgets where a value stood and rounds numbers; this one keeps the
line and the number's own text, and refuses a name that stands twice in an object.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from dataclasses import dataclass
from typing import Final, TypeAlias

_SPACE = re.compile(r"[ \t\r\n]*")
_WORD = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?|true|false|null", re.ASCII)
_STRING = re.compile(r'"(?:[^"\\\x00-\x1f]|\\.)*"')
_DEPTH: Final = 40


class NotJson(ValueError):
    """A text that is no JSON; `line` counts from 1."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


@dataclass(frozen=True, slots=True)
class Text:
    """A string."""

    text: str
    line: int


@dataclass(frozen=True, slots=True)
class Word:
    """A number, true, false or null, as it is written."""

    text: str
    line: int


@dataclass(frozen=True, slots=True)
class List:
    """A list."""

    items: tuple[Node, ...]
    line: int


@dataclass(frozen=True, slots=True)
class Object:
    """An object; its fields are in the order of the text."""

    fields: dict[str, Node]
    line: int


Node: TypeAlias = Text | Word | List | Object


def parse(text: str) -> Node:
    """The tree of a JSON text.

    Raises:
        NotJson: it is no JSON, an object has a name twice, or it is over 40 levels deep.
    """
    parser = _Parser(text)
    node, at = parser.value(parser.skip(0), 0)
    at = parser.skip(at)
    if at < len(text):
        raise parser.error("more text after the end of the JSON", at)
    return node


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._breaks = [found.start() for found in re.finditer("\n", text)]

    def error(self, message: str, at: int) -> NotJson:
        return NotJson(message, self._line(at))

    def skip(self, at: int) -> int:
        found = _SPACE.match(self._text, at)
        return found.end() if found else at

    def value(self, at: int, depth: int) -> tuple[Node, int]:
        if depth > _DEPTH:
            raise self.error(f"is over {_DEPTH} levels deep", at)
        match self._text[at : at + 1]:
            case "{":
                return self._object(at, depth)
            case "[":
                return self._list(at, depth)
            case '"':
                text, end = self._string(at)
                return Text(text, self._line(at)), end
        word = _WORD.match(self._text, at)
        if word is None:
            raise self.error("expected a value", at)
        return Word(word[0], self._line(at)), word.end()

    def _line(self, at: int) -> int:
        return bisect_right(self._breaks, at) + 1

    def _string(self, at: int) -> tuple[str, int]:
        found = _STRING.match(self._text, at)
        if found is None:
            raise self.error("is no text in double quotes on one line", at)
        try:
            return str(json.loads(found[0])), found.end()
        except json.JSONDecodeError as error:
            raise self.error(f"is no JSON text: {error.msg}", at) from error

    def _list(self, at: int, depth: int) -> tuple[Node, int]:
        items: list[Node] = []
        line, at = self._line(at), self.skip(at + 1)
        while self._text[at : at + 1] != "]":
            item, at = self.value(at, depth + 1)
            items.append(item)
            at = self._after(at, "]")
        return List(tuple(items), line), at + 1

    def _object(self, at: int, depth: int) -> tuple[Node, int]:
        fields: dict[str, Node] = {}
        line, at = self._line(at), self.skip(at + 1)
        while self._text[at : at + 1] != "}":
            if self._text[at : at + 1] != '"':
                raise self.error("expected a name in double quotes", at)
            start = at
            name, at = self._string(at)
            if name in fields:
                raise self.error(f"{name!r} stands twice in one object", start)
            at = self.skip(at)
            if self._text[at : at + 1] != ":":
                raise self.error(f"expected a colon after {name!r}", at)
            fields[name], at = self.value(self.skip(at + 1), depth + 1)
            at = self._after(at, "}")
        return Object(fields, line), at + 1

    def _after(self, at: int, closing: str) -> int:
        """Behind an item: at the next one, or at the closing bracket."""
        at = self.skip(at)
        following = self._text[at : at + 1]
        if following == closing:
            return at
        if following != ",":
            raise self.error(f"expected a comma or {closing!r}", at)
        at = self.skip(at + 1)
        if self._text[at : at + 1] == closing:
            raise self.error("a comma after the last item", at)
        return at
