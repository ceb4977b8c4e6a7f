"""Strategy adjustments: proposed, approved, rejected, made.

What an adjustment changed is found among the revisions and alignments that name it.
"""

from __future__ import annotations

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
    select,
)

from ledger.event import fact_of, metadata_of
from okr.v1 import events_pb2 as facts
from projections.read_model import ReadModel
from projections.store.tables import TABLES, TEXT, WHOLE, pages, position_key, wanted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from google.protobuf.message import Message
    from sqlalchemy import Connection

    from okr.v1.event_record_pb2 import EventMetadata
    from projections.event import Event


class AdjustmentRow(NamedTuple):
    """An event about an adjustment; `effective_day` is an ordinal."""

    position: int
    adjustment: str
    event_type: str
    effective_day: int
    recorded_us: int
    metadata: bytes
    payload: bytes

    @property
    def effective(self) -> date:
        """The day from which it holds."""
        return date.fromordinal(self.effective_day)

    @property
    def fact(self) -> Message:
        """The event parsed."""
        return fact_of(self)

    @property
    def circumstances(self) -> EventMetadata:
        """Who, why and on whose behalf."""
        return metadata_of(self)


adjustments = Table(
    "adjustments",
    TABLES,
    position_key(),
    Column("adjustment", TEXT, nullable=False),
    Column("event_type", TEXT, nullable=False),
    Column("effective_day", Integer, nullable=False),
    Column("recorded_us", WHOLE, nullable=False),
    Column("metadata", LargeBinary, nullable=False),
    Column("payload", LargeBinary, nullable=False),
)
Index("adjustments_by_name", adjustments.c.adjustment, adjustments.c.position)

_Fact = (
    facts.AdjustmentProposed
    | facts.AdjustmentApproved
    | facts.AdjustmentRejected
    | facts.StrategyAdjusted
)


def _fold(event: Event) -> list[AdjustmentRow]:
    record, fact = event.record, event.fact
    assert isinstance(fact, _Fact)
    return [
        AdjustmentRow(
            record.position,
            fact.adjustment,
            record.event_type,
            event.effective_day,
            record.recorded_us,
            record.metadata,
            record.payload,
        )
    ]


MODEL: Final = ReadModel(
    adjustments,
    {
        facts.AdjustmentProposed: _fold,
        facts.AdjustmentApproved: _fold,
        facts.AdjustmentRejected: _fold,
        facts.StrategyAdjusted: _fold,
    },
)


def of(connection: Connection, adjustment: str, known: int) -> list[AdjustmentRow]:
    """The events of an adjustment known at a position, in order of position; [] if unknown."""
    return of_many(connection, [adjustment], known)[adjustment]


def of_many(
    connection: Connection, names: Sequence[str], known: int
) -> dict[str, list[AdjustmentRow]]:
    """The events of each adjustment known at a position, in order of position."""
    found: dict[str, list[AdjustmentRow]] = {name: [] for name in names}
    for width, asked in pages(names):
        for row in connection.execute(_of(width), {**asked, "known": known}):
            made = AdjustmentRow._make(row)
            found[made.adjustment].append(made)
    return found


@cache
def _of(width: int) -> Select[*tuple[Any, ...]]:
    names = wanted(width)
    return (
        select(adjustments)
        .join(names, adjustments.c.adjustment == names.c.name)
        .where(adjustments.c.position <= bindparam("known"))
        .order_by(adjustments.c.position)
    )
