"""Check-ins as rows: one for each, one more for each correction and for the retraction."""

from __future__ import annotations

from datetime import date
from enum import IntEnum
from typing import TYPE_CHECKING, Final, NamedTuple

from sqlalchemy import (
    Column,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    literal_column,
)

from okr.v1 import events_pb2 as facts
from projections.read_model import ReadModel
from projections.store.tables import TABLES, TEXT, WHOLE, position_key

if TYPE_CHECKING:
    from projections.event import Event


class Kind(IntEnum):
    """What an event does to a check-in."""

    RECORDED = 1
    CORRECTED = 2
    RETRACTED = 3


class CheckInRow(NamedTuple):
    """An event about a check-in.

    `effective_day` is an ordinal. `moment` is the instant in nanoseconds from the start of that day
    in UTC, NO_MOMENT where there is none.
    """

    position: int
    key_result: str
    number: int
    kind: int
    effective_day: int
    moment: int
    recorded_us: int
    metadata: bytes
    payload: bytes

    @property
    def effective(self) -> date:
        """The day it held, or from which it was taken back."""
        return date.fromordinal(self.effective_day)


NO_MOMENT: Final = -(1 << 62)
"""Before every instant: a check-in without one counts as made at the start of its day."""

check_ins = Table(
    "check_ins",
    TABLES,
    position_key(),
    Column("key_result", TEXT, nullable=False),
    Column("number", WHOLE, nullable=False),
    Column("kind", SmallInteger, nullable=False),
    Column("effective_day", Integer, nullable=False),
    Column("moment", WHOLE, nullable=False),
    Column("recorded_us", WHOLE, nullable=False),
    Column("metadata", LargeBinary, nullable=False),
    Column("payload", LargeBinary, nullable=False),
)

# A partial index is used only where the query states its condition in the same words. The kind is
# in each index, so that looking for a row need not read it.
RECORDED: Final = literal_column(str(int(Kind.RECORDED)), SmallInteger)
CORRECTED: Final = literal_column(str(int(Kind.CORRECTED)), SmallInteger)
RETRACTED: Final = literal_column(str(int(Kind.RETRACTED)), SmallInteger)

Index(
    "check_ins_in_order",
    check_ins.c.key_result,
    check_ins.c.effective_day,
    check_ins.c.moment,
    check_ins.c.number,
    check_ins.c.position,
    check_ins.c.kind,
)
Index(
    "check_ins_by_number",
    check_ins.c.key_result,
    check_ins.c.number,
    check_ins.c.position,
    check_ins.c.kind,
    sqlite_where=check_ins.c.kind == RECORDED,
    postgresql_where=check_ins.c.kind == RECORDED,
)
# Few check-ins are ever changed, so this index stays small and a new check-in never writes to it.
Index(
    "check_ins_changed",
    check_ins.c.key_result,
    check_ins.c.number,
    check_ins.c.position,
    check_ins.c.kind,
    sqlite_where=check_ins.c.kind != RECORDED,
    postgresql_where=check_ins.c.kind != RECORDED,
)


def _content(event: Event, kind: Kind) -> list[CheckInRow]:
    record, fact = event.record, event.fact
    assert isinstance(fact, facts.CheckInRecorded | facts.CheckInCorrected)
    moment = NO_MOMENT
    if fact.HasField("instant"):
        day_start = (event.effective_day - _EPOCH_DAY) * 86_400
        moment = (fact.instant.seconds - day_start) * 1_000_000_000 + fact.instant.nanos
        if abs(moment) >= -NO_MOMENT:
            raise ValueError("the instant lies decades from the effective day")
    return [
        CheckInRow(
            record.position,
            fact.key_result,
            fact.number,
            kind,
            event.effective_day,
            moment,
            record.recorded_us,
            record.metadata,
            record.payload,
        )
    ]


def _recorded(event: Event) -> list[CheckInRow]:
    return _content(event, Kind.RECORDED)


def _corrected(event: Event) -> list[CheckInRow]:
    return _content(event, Kind.CORRECTED)


def _retracted(event: Event) -> list[CheckInRow]:
    record, fact = event.record, event.fact
    assert isinstance(fact, facts.CheckInRetracted)
    return [
        CheckInRow(
            record.position,
            fact.key_result,
            fact.number,
            Kind.RETRACTED,
            event.effective_day,
            NO_MOMENT,
            record.recorded_us,
            record.metadata,
            record.payload,
        )
    ]


_EPOCH_DAY: Final = date(1970, 1, 1).toordinal()

MODEL: Final = ReadModel(
    check_ins,
    {
        facts.CheckInRecorded: _recorded,
        facts.CheckInCorrected: _corrected,
        facts.CheckInRetracted: _retracted,
    },
)
