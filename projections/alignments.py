"""Alignments made and taken back, and the edges in force on a day as known at a position."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from functools import cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sqlalchemy import (
    Column,
    Index,
    Integer,
    LargeBinary,
    Select,
    Table,
    bindparam,
    literal_column,
    select,
)

from ledger.alignment import edges_on
from ledger.event import metadata_of
from okr.v1 import events_pb2 as facts
from projections.event import revision_of
from projections.read_model import ReadModel
from projections.store.tables import TABLES, TEXT, WHOLE, pages, position_key, wanted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement, Connection

    from ledger.alignment import Edge
    from ledger.revision import Revision
    from okr.v1.event_record_pb2 import EventMetadata
    from projections.event import Event


class AlignmentRow(NamedTuple):
    """An event about an alignment; `effective_day` is an ordinal."""

    position: int
    child: str
    parent: str
    event_type: str
    effective_day: int
    recorded_us: int
    adjustment: str
    metadata: bytes
    payload: bytes

    @property
    def effective(self) -> date:
        """The day from which it holds."""
        return date.fromordinal(self.effective_day)

    @property
    def revision(self) -> Revision:
        """The event parsed, for the fold that makes the edges."""
        return revision_of(self)

    @property
    def circumstances(self) -> EventMetadata:
        """Who, why and on whose behalf."""
        return metadata_of(self)


alignments = Table(
    "alignments",
    TABLES,
    position_key(),
    Column("child", TEXT, nullable=False),
    Column("parent", TEXT, nullable=False),
    Column("event_type", TEXT, nullable=False),
    Column("effective_day", Integer, nullable=False),
    Column("recorded_us", WHOLE, nullable=False),
    Column("adjustment", TEXT, nullable=False),
    Column("metadata", LargeBinary, nullable=False),
    Column("payload", LargeBinary, nullable=False),
)
Index("alignments_by_child", alignments.c.child, alignments.c.position)
Index("alignments_by_parent", alignments.c.parent, alignments.c.position)
# A partial index is used only where the query states its condition in the same words.
_ADJUSTED: Final = alignments.c.adjustment > literal_column("''", TEXT)
Index(
    "alignments_by_adjustment",
    alignments.c.adjustment,
    alignments.c.position,
    sqlite_where=_ADJUSTED,
    postgresql_where=_ADJUSTED,
)


def _fold(event: Event) -> list[AlignmentRow]:
    record, fact = event.record, event.fact
    assert isinstance(fact, facts.Aligned | facts.Unaligned)
    return [
        AlignmentRow(
            record.position,
            fact.child,
            fact.parent,
            record.event_type,
            event.effective_day,
            record.recorded_us,
            event.metadata.adjustment,
            record.metadata,
            record.payload,
        )
    ]


MODEL: Final = ReadModel(alignments, {facts.Aligned: _fold, facts.Unaligned: _fold})


Statement = Callable[[int], Select[*tuple[Any, ...]]]
"""A statement for each number of names."""


def of_children(
    connection: Connection, children: Sequence[str], known: int, day: date
) -> list[Edge]:
    """The edges up from objectives and key results in force on a day, known at a position.

    In the order in which they were made. Costs by the number of their alignments.
    """
    return _edges(_rows(connection, _of_children, children, known), day)


def of_parents(connection: Connection, parents: Sequence[str], known: int, day: date) -> list[Edge]:
    """The edges down from the given objectives and key results; else as `of_children`."""
    return _edges(_rows(connection, _of_parents, parents, known), day)


def ever_of_parents(
    connection: Connection, parents: Sequence[str], known: int
) -> dict[str, list[Revision]]:
    """What is known at a position of the edges down from each objective or key result.

    In order of position: those in force on a day are `edges_on` that day. Costs by their number.
    """
    found: dict[str, list[Revision]] = {parent: [] for parent in parents}
    for row in _rows(connection, _of_parents, parents, known):
        found[row.parent].append(row.revision)
    return found


def ever_of_children(
    connection: Connection, children: Sequence[str], known: int
) -> dict[str, list[Revision]]:
    """The same of the edges up."""
    found: dict[str, list[Revision]] = {child: [] for child in children}
    for row in _rows(connection, _of_children, children, known):
        found[row.child].append(row.revision)
    return found


def of_adjustments(
    connection: Connection, adjustments: Sequence[str], known: int
) -> dict[str, list[AlignmentRow]]:
    """The events that are part of each strategy adjustment, in order of position."""
    found: dict[str, list[AlignmentRow]] = {adjustment: [] for adjustment in adjustments}
    for row in _rows(connection, _of_adjustments, adjustments, known):
        found[row.adjustment].append(row)
    return found


def _edges(rows: list[AlignmentRow], day: date) -> list[Edge]:
    return edges_on([row.revision for row in rows], day)


def _rows(
    connection: Connection, statement: Statement, asked: Sequence[str], known: int
) -> list[AlignmentRow]:
    found = [
        AlignmentRow._make(row)
        for width, names in pages(asked)
        for row in connection.execute(statement(width), {**names, "known": known})
    ]
    return sorted(found)


def _statement(column: ColumnElement[str], width: int) -> Select[*tuple[Any, ...]]:
    names = wanted(width)
    return (
        select(alignments)
        .join(names, column == names.c.name)
        .where(alignments.c.position <= bindparam("known"))
    )


@cache
def _of_children(width: int) -> Select[*tuple[Any, ...]]:
    return _statement(alignments.c.child, width)


@cache
def _of_parents(width: int) -> Select[*tuple[Any, ...]]:
    return _statement(alignments.c.parent, width)


@cache
def _of_adjustments(width: int) -> Select[*tuple[Any, ...]]:
    return _statement(alignments.c.adjustment, width).where(_ADJUSTED)
