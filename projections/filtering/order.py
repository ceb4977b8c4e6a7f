"""The order that a list is asked for in: a field, and whether the last comes first."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from ledger.refusals import FieldInvalid, invalid

_FORM: Final = re.compile(r"\s*(?P<name>\S*)\s*(?P<way>\S*)\s*(?P<rest>.*)", re.DOTALL)


class Order(NamedTuple):
    """By a field; upwards or downwards."""

    name: str
    descending: bool = False


def ordered(text: str, names: Sequence[str], default: Order) -> Order:
    """The order that a text names; the default for an empty one.

    Raises:
        FieldInvalid: it names another field, or is no order; the violation of "order_by" names the
            column and what was expected there.
    """
    found = _FORM.fullmatch(text)
    assert found is not None
    if not found["name"]:
        return default
    if found["name"] not in names:
        raise _wrong(found, "name", f"one of {', '.join(names)}")
    if found["way"] not in ("", "asc", "desc"):
        raise _wrong(found, "way", "asc, desc or the end")
    if found["rest"]:
        raise _wrong(found, "rest", "the end")
    return Order(found["name"], found["way"] == "desc")


def _wrong(found: re.Match[str], part: str, expected: str) -> FieldInvalid:
    column = found.start(part) + 1
    said = f"column {column}: expected {expected}, found {found[part]!r}"
    return invalid("order_by", "order_by.syntax", said)
