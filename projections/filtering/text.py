"""Filters as callers write them: a subset of AIP-160, its text and its tree.

```
filter     = conjunct {"AND" conjunct}
conjunct   = term {"OR" term}
term       = ["NOT" | "-"] ("(" filter ")" | comparison)
comparison = field ("=" | "!=" | "<" | "<=" | ">" | ">=" | ":") value
```

OR binds tighter than AND. A field is written in lower case; a value is a word, or stands in single
or double quotes, in which a backslash lets the next character stand for itself. Columns count code
points from 1.

Source: https://google.aip.dev/160
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from ledger.refusals import FieldInvalid, invalid

DEEPEST: Final = 20
"""How many parentheses may stand within each other."""

OPERATORS: Final = ("<=", ">=", "!=", "=", "<", ">", ":")
KEYWORDS: Final = frozenset(("AND", "OR", "NOT"))

_FIELD: Final = re.compile(r"[a-z][a-z_]*")
_WORD: Final = re.compile(r"[^\s()\"'<>=!\\,]+")
_QUOTED: Final = re.compile(r"\"((?:[^\"\\]|\\.)*)\"|'((?:[^'\\]|\\.)*)'", re.DOTALL)
_OPERATOR: Final = re.compile("|".join(OPERATORS))
_SPACE: Final = re.compile(r"\s*")


@dataclass(frozen=True, slots=True)
class Comparison:
    """A field compared with a value, and the columns of all three."""

    name: str
    operator: str
    value: str
    columns: tuple[int, int, int] = field(default=(0, 0, 0), compare=False)


@dataclass(frozen=True, slots=True)
class Not:
    """The contrary."""

    part: Expression


@dataclass(frozen=True, slots=True)
class And:
    """All of two or more."""

    parts: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """Any of two or more."""

    parts: tuple[Expression, ...]


Expression = Comparison | Not | And | Or


class Token(NamedTuple):
    """A piece of the text, as it stands there, and where."""

    text: str
    column: int


def parsed(text: str) -> Expression | None:
    """The tree of a filter; None for an empty one.

    Raises:
        FieldInvalid: it is no filter; the violation of "filter" names the column and what was
            expected there.
    """
    reader = _Reader(text)
    if not reader.peek().text:
        return None
    return reader.whole()


def written(expression: Expression) -> str:
    """A text whose tree this is."""
    match expression:
        case Comparison(name, operator, value):
            return f"{name} {operator} {_value(value)}"
        case Not(part):
            return f"NOT {_within(part, And, Or, Not)}"
        case And(parts):
            return " AND ".join(_within(part, And) for part in parts)
        case Or(parts):
            return " OR ".join(_within(part, And, Or) for part in parts)


def wrong(column: int, expected: str, found: str, rule: str = "filter.syntax") -> FieldInvalid:
    """The refusal of a filter, by the place and what was expected there."""
    told = repr(found) if found else "the end"
    return invalid("filter", rule, f"column {column}: expected {expected}, found {told}")


def _within(part: Expression, *loose: type) -> str:
    return f"({written(part)})" if isinstance(part, loose) else written(part)


def _value(value: str) -> str:
    if _WORD.fullmatch(value) and value not in KEYWORDS:
        return value
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


class _Reader:
    """Reads a filter from left to right."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._depth = 0
        self._skip()

    def whole(self) -> Expression:
        found = self._filter()
        if self.peek().text:
            raise self._wrong("AND, OR or the end")
        return found

    def peek(self) -> Token:
        """The next word, sign or quoted text; empty at the end."""
        for form in (_QUOTED, _OPERATOR, _WORD):
            found = form.match(self._text, self._at)
            if found:
                return Token(found[0], self._at + 1)
        return Token(self._text[self._at : self._at + 1], self._at + 1)

    def _filter(self) -> Expression:
        parts = [*self._separated("AND", self._conjunct)]
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def _conjunct(self) -> Expression:
        parts = [*self._separated("OR", self._term)]
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def _separated(self, keyword: str, read: Callable[[], Expression]) -> Iterator[Expression]:
        yield read()
        while self.peek().text == keyword:
            self._take(keyword)
            yield read()

    def _term(self) -> Expression:
        negated = self.peek().text == "NOT" or self._text.startswith("-", self._at)
        if negated:
            self._take("NOT" if self.peek().text == "NOT" else "-")
        found = self._group() if self._text.startswith("(", self._at) else self._comparison()
        return Not(found) if negated else found

    def _group(self) -> Expression:
        self._depth += 1
        if self._depth > DEEPEST:
            raise self._wrong(f"no more than {DEEPEST} parentheses within each other")
        self._take("(")
        found = self._filter()
        if not self._text.startswith(")", self._at):
            raise self._wrong('AND, OR or ")"')
        self._take(")")
        self._depth -= 1
        return found

    def _comparison(self) -> Comparison:
        name = self._read(_FIELD, "the name of a field")
        operator = self._read(_OPERATOR, f"one of {' '.join(OPERATORS)}")
        at = self.peek()
        quoted = _QUOTED.match(self._text, self._at)
        if quoted:
            self._take(quoted[0])
            value = re.sub(r"\\(.)", r"\1", quoted[0][1:-1], flags=re.DOTALL)
        elif at.text in KEYWORDS:
            raise self._wrong("a value; such a word is written in quotes")
        elif at.text.startswith(("'", '"')):
            raise self._wrong(f"a value that ends with {at.text[0]}")
        else:
            value = self._read(_WORD, "a value").text
        return Comparison(
            name.text, operator.text, value, (name.column, operator.column, at.column)
        )

    def _read(self, form: re.Pattern[str], expected: str) -> Token:
        found = form.match(self._text, self._at)
        if not found:
            raise self._wrong(expected)
        token = Token(found[0], self._at + 1)
        self._take(token.text)
        return token

    def _take(self, text: str) -> None:
        self._at += len(text)
        self._skip()

    def _skip(self) -> None:
        found = _SPACE.match(self._text, self._at)
        assert found is not None
        self._at = found.end()

    def _wrong(self, expected: str) -> FieldInvalid:
        found = self.peek()
        return wrong(found.column, expected, found.text)
