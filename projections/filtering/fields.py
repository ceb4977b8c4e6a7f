"""Filters as they are applied: fields with types, and what a comparison with each means."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from operator import eq, ge, gt, le, lt, ne
from typing import Any, Final, Generic, TypeVar

from google.protobuf.descriptor import EnumDescriptor

from ledger.context import EPOCH
from projections.filtering.text import (
    And,
    Comparison,
    Expression,
    Not,
    Or,
    parsed,
    wrong,
)

Entry = TypeVar("Entry")
Predicate = Callable[[Entry], bool]
Test = Callable[[Any], bool]
"""Whether a field's value, which is not None, is as asked."""

EQUALITY: Final = ("=", "!=")
ORDERED: Final = {"=": eq, "!=": ne, "<": lt, "<=": le, ">": gt, ">=": ge}
PRESENT: Final = "*"
"""The value that `:` finds in whatever is there."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A type of fields: which operators it has, and the test that a value makes of one.

    `expected` tells what values look like. `test` raises ValueError for another.
    """

    operators: Collection[str]
    expected: str
    test: Callable[[str, str], Test]


@dataclass(frozen=True, slots=True)
class Field(Generic[Entry]):
    """A field of a list's entries; None, or an empty text, where an entry has none."""

    kind: Kind
    value: Callable[[Entry], Any]


Fields = Mapping[str, Field[Entry]]


def predicate(text: str, fields: Fields[Entry]) -> tuple[Expression | None, Predicate[Entry]]:
    """A filter's tree, and whether an entry passes it; every entry passes an empty one.

    Raises:
        FieldInvalid: it is no filter, names a field that there is not, or compares one with
            something else than it holds.
    """
    expression = parsed(text)
    if expression is None:
        return None, lambda _: True
    return expression, _compiled(expression, fields)


def required(expression: Expression | None) -> Iterator[Comparison]:
    """The comparisons that every entry which passes fulfils: those joined by AND alone."""
    match expression:
        case Comparison():
            yield expression
        case And(parts):
            for part in parts:
                yield from required(part)


def _compiled(expression: Expression, fields: Fields[Entry]) -> Predicate[Entry]:
    match expression:
        case Comparison():
            return _comparison(expression, fields)
        case Not(part):
            inner = _compiled(part, fields)
            return lambda entry: not inner(entry)
        case And(parts):
            all_of = [_compiled(part, fields) for part in parts]
            return lambda entry: all(passes(entry) for passes in all_of)
        case Or(parts):
            any_of = [_compiled(part, fields) for part in parts]
            return lambda entry: any(passes(entry) for passes in any_of)


def _comparison(asked: Comparison, fields: Fields[Entry]) -> Predicate[Entry]:
    at_field, at_operator, at_value = asked.columns
    found = fields.get(asked.name)
    if found is None:
        known = ", ".join(sorted(fields))
        raise wrong(at_field, f"one of the fields {known}", asked.name, "filter.field")
    operators = [":", *found.kind.operators] if asked.value == PRESENT else found.kind.operators
    if asked.operator not in operators:
        expected = f"one of {' '.join(found.kind.operators)} after {asked.name}"
        raise wrong(at_operator, expected, asked.operator, "filter.operator")
    value = found.value
    if asked.operator == ":" and asked.value == PRESENT:
        return lambda entry: bool(value(entry))
    try:
        test = found.kind.test(asked.operator, asked.value)
    except ValueError:
        raise wrong(at_value, found.kind.expected, asked.value, "filter.value") from None
    absent = asked.operator == "!="

    def passes(entry: Entry) -> bool:
        held = value(entry)
        return absent if held is None else test(held)

    return passes


def instant_us(text: str) -> int:
    """A time with its offset, in µs since 1970 UTC.

    Raises:
        ValueError: it is none, or has no offset.
    """
    if "T" not in text.upper():
        raise ValueError("a day is no time")
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise ValueError("a time without an offset could be any")
    return (found - EPOCH) // EPOCH.resolution


def has_wildcard(value: str) -> bool:
    """Whether "*" stands for any text at an end of it."""
    return value.startswith(PRESENT) or value.endswith(PRESENT)


def _alike(value: str) -> Test:
    """Whether a text is the value, in which "*" at an end stands for any text."""
    if not has_wildcard(value):
        return lambda held: bool(held == value)
    core = re.escape(value.strip(PRESENT))
    start = ".*" if value.startswith(PRESENT) else ""
    end = ".*" if value.endswith(PRESENT) else ""
    form = re.compile(f"{start}{core}{end}", re.DOTALL)
    return lambda held: form.fullmatch(held) is not None


def _negated(operator: str, test: Test) -> Test:
    return (lambda held: not test(held)) if operator == "!=" else test


def _text(operator: str, value: str) -> Test:
    if operator == ":":
        wanted = value.casefold()
        return lambda held: wanted in held.casefold()
    return _negated(operator, _alike(value))


def _name(operator: str, value: str) -> Test:
    if operator == ":":
        return lambda held: held == value or held.startswith(f"{value}/")
    return _negated(operator, _alike(value))


def _names(operator: str, value: str) -> Test:
    alike = _name(":", value) if operator == ":" else _alike(value)
    return _negated(operator, lambda held: any(map(alike, held)))


def _ordered(read: Callable[[str], Any]) -> Callable[[str, str], Test]:
    def test(operator: str, value: str) -> Test:
        wanted, compare = read(value), ORDERED[operator]
        return lambda held: bool(compare(held, wanted))

    return test


def _boolean(operator: str, value: str) -> Test:
    if value not in ("true", "false"):
        raise ValueError(value)
    return lambda held: bool(ORDERED[operator](held, value == "true"))


def _event_type(operator: str, value: str) -> Test:
    full = value if value.startswith(("okr.v1.", PRESENT)) else f"okr.v1.{value}"
    return _name(operator, full)


def _day(text: str) -> date:
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text, re.ASCII):
        raise ValueError(text)
    return date.fromisoformat(text)


def _number(text: str) -> int:
    if not re.fullmatch(r"-?[0-9]{1,18}", text, re.ASCII):
        raise ValueError(text)
    return int(text)


TEXT: Final = Kind((*EQUALITY, ":"), "a text", _text)
"""Words of people: `:` finds a part of them, in large or small letters."""

NAME: Final = Kind((*EQUALITY, ":"), "a name", _name)
"""A name: `:` finds it and whatever lies below it."""

NAMES: Final = Kind((*EQUALITY, ":"), "a name", _names)
"""Several names, of which one has to be as asked; none for `!=`."""

EVENT_TYPE: Final = Kind(EQUALITY, "the type of an event, such as KeyResultRevised", _event_type)
"""The full name of an event's message, with or without "okr.v1."."""

BOOLEAN: Final = Kind(EQUALITY, "true or false", _boolean)

NUMBER: Final = Kind(tuple(ORDERED), "a whole number", _ordered(_number))

TIME: Final = Kind(
    tuple(ORDERED), "a time with its offset, such as 2026-08-10T18:00:00Z", _ordered(instant_us)
)
"""A time in µs since 1970 UTC."""

DAY: Final = Kind(tuple(ORDERED), "a day, such as 2026-08-10", _ordered(_day))


def enum(of: EnumDescriptor, prefix: str) -> Kind:
    """Values of an enum by their names, with or without the prefix of all of them."""
    numbers = {each.name.removeprefix(prefix): each.number for each in of.values if each.number}

    def test(operator: str, value: str) -> Test:
        wanted = numbers.get(value.removeprefix(prefix))
        if wanted is None:
            raise ValueError(value)
        return lambda held: bool(ORDERED[operator](held, wanted))

    return Kind(EQUALITY, f"one of {', '.join(numbers)}", test)
