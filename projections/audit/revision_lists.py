"""The revisions of many subjects in one order: of an objective's key results, a cycle, teams."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import Enum, auto
from functools import cache
from heapq import merge
from itertools import groupby, islice
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sqlalchemy import Select, bindparam, select, tuple_

from projections.filtering.order import Order
from projections.plan import members
from projections.revisions import RevisionRow, revisions
from projections.store.tables import pages, wanted

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from projections.paging import Cursor

AT_A_TIME: Final = 128
"""Revisions read at a time."""


class Level(Enum):
    """What the names of a scope are, and which subjects they stand for."""

    SUBJECTS = auto()
    """Subjects themselves."""
    COLLECTIONS = auto()
    """Collections, which stand for their members."""
    OWNERS_OF_KEY_RESULTS = auto()
    """Collections of objectives, which stand for the key results of their members."""


class Scope(NamedTuple):
    """The subjects that a list is about."""

    level: Level
    names: Sequence[str]


BY_POSITION: Final = "position"
BY_DAY: Final = "effective_date"
"""By the day from which a revision holds, then by position."""


def rows_of(
    connection: Connection, scope: Scope, known: int, order: Order, after: Cursor
) -> Iterator[list[tuple[RevisionRow, Cursor]]]:
    """The revisions of a scope known at a position, from a cursor on, each with its own cursor.

    The keys of all of them are put in order; the revisions themselves are read some at a time, as
    far as they are asked for.
    """
    chunks = [
        _keys(connection, scope.level, order, width, {**names, "known": known, **_bounds(after)})
        for width, names in pages(scope.names)
    ]
    # An objective may have been of several teams.
    merged = (key for key, _ in groupby(merge(*chunks, reverse=order.descending)))
    while keys := list(islice(merged, AT_A_TIME)):
        found = {row.position: row for row in _at(connection, [key[-1] for key in keys])}
        yield [(found[int(key[-1])], key) for key in keys]


def _bounds(after: Cursor) -> dict[str, int]:
    return {f"after_{i}": int(part) for i, part in enumerate(after)}


def _keys(
    connection: Connection, level: Level, order: Order, width: int, parameters: dict[str, Any]
) -> Iterator[Cursor]:
    statement = _ordered(level, order, width, first="after_0" not in parameters)
    for row in connection.execute(statement, parameters):
        yield tuple(row)


def _at(connection: Connection, positions: Sequence[int | str]) -> Iterator[RevisionRow]:
    statement = select(revisions).where(
        revisions.c.position.in_(bindparam("positions", expanding=True))
    )
    return map(RevisionRow._make, connection.execute(statement, {"positions": positions}))


@cache
def _ordered(level: Level, order: Order, width: int, *, first: bool) -> Select[*tuple[Any, ...]]:
    by_day = order.name == BY_DAY
    columns = [*([revisions.c.effective_day] if by_day else []), revisions.c.position]
    statement = select(*columns).where(
        revisions.c.subject.in_(_subjects(level, width)),
        revisions.c.position <= bindparam("known"),
    )
    if not first:
        key = tuple_(*columns)
        after = tuple_(*(bindparam(f"after_{i}") for i in range(len(columns))))
        statement = statement.where(key < after if order.descending else key > after)
    return statement.order_by(*(c.desc() if order.descending else c.asc() for c in columns))


def _subjects(level: Level, width: int) -> Select[tuple[str]]:
    names = wanted(width)
    given = select(names.c.name)
    if level is Level.SUBJECTS:
        return given
    inner = members.alias("objectives_of_scope")
    match level:
        case Level.COLLECTIONS:
            return select(inner.c.member).where(inner.c.collection.in_(given))
        case Level.OWNERS_OF_KEY_RESULTS:
            objectives = select(inner.c.member + "/keyResults").where(inner.c.collection.in_(given))
            return select(members.c.member).where(members.c.collection.in_(objectives))
