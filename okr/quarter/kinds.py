"""What a file can say: each kind of record with its columns. The one table of both formats."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from okr import definitions
from okr.quarter.record import Problem, Record, problem


@dataclass(frozen=True, slots=True)
class Kind:
    """The columns that a kind of record needs, and those that it may have."""

    required: tuple[str, ...]
    optional: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns."""
        return self.required + self.optional


# Who did it and when, in the system that the file comes from.
_SOURCE = ("actor", "source_time")


def _but(columns: tuple[str, ...], *taken: str) -> tuple[str, ...]:
    return tuple(column for column in columns if column not in taken)


KINDS: Final = {
    "cycle": Kind(
        ("id", "title", "first_day", "last_day"),
        (*_but(definitions.CYCLE, "title", "first_day", "last_day"), *_SOURCE),
    ),
    "team": Kind(("id", "title"), ("parent", *_SOURCE)),
    "objective": Kind(
        ("id", "title", "team"),
        ("description", "commitment", "owner", "visibility", "adjustment", *_SOURCE),
    ),
    "key_result": Kind(
        ("of", "id", "title"), (*_but(definitions.KEY_RESULT, "title"), "adjustment")
    ),
    "milestone": Kind(("of", "id", "title"), ("weight",)),
    "alignment": Kind(("of", "parent", "alignment"), ("weight", "adjustment", *_SOURCE)),
    "plan": Kind((), ("on", *_SOURCE)),
    "check_in": Kind(("of", "on", "value"), ("id", "at", "confidence", "note", *_SOURCE)),
    "correction": Kind(("of", "value"), ("on", "at", "confidence", "note", "reason", *_SOURCE)),
    "retraction": Kind(("of", "reason"), _SOURCE),
    "adjustment": Kind(("id", "title", "on", "reason", "category"), _SOURCE),
    "revision": Kind(
        ("of", "adjustment"),
        (*definitions.KEY_RESULT, *_but(definitions.OBJECTIVE, "title", "owner")),
    ),
    "drop": Kind(("of", "adjustment")),
    "restoration": Kind(("of", "adjustment")),
    "abandonment": Kind(("of", "adjustment")),
    "unalignment": Kind(("of", "parent", "alignment", "adjustment")),
    "grade": Kind(("of",), ("on", "score", "reason", *_SOURCE)),
}
"""Every kind. `of` names what a record is about, `adjustment` the decision that it is part of."""

COLUMNS: Final = tuple(
    dict.fromkeys(("kind", *(column for kind in KINDS.values() for column in kind.columns)))
)
"""Every column that any kind has, in order of first use."""


def misfits(record: Record) -> Iterator[Problem]:
    """The columns that a record lacks or cannot have, or its kind if there is none such."""
    kind = KINDS.get(record.kind)
    if kind is None:
        known = ", ".join(KINDS)
        yield problem(record, "kind", f"{record.kind!r} is none of {known}")
        return
    for column in record.cells:
        if column not in kind.columns:
            does = f"does not belong to a {record.kind}; it has {', '.join(kind.columns)}"
            yield problem(record, column, does)
    for column in kind.required:
        if not record.text(column).strip():
            yield problem(record, column, f"is missing; a {record.kind} needs it")
