"""What is recorded about a cycle beside its plan and check-ins.

Seals and that they were opened again, amendments, reviews, lessons: each is a row under the name of
what the API shows.
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

from ledger.closing import AMENDMENTS, SEALS
from ledger.reviews import LESSONS
from okr.v1 import events_pb2 as facts
from projections.read_model import ReadModel
from projections.store.tables import TABLES, TEXT, WHOLE, position_key

if TYPE_CHECKING:
    from google.protobuf.message import Message
    from sqlalchemy import Connection

    from projections.event import Event


class Entry(NamedTuple):
    """An event of the chronicle; `effective_day` is an ordinal.

    `about` is the subject of an amendment or lesson and the team of a review; empty for the cycle.
    """

    position: int
    cycle: str
    event_type: str
    about: str
    name: str
    effective_day: int
    recorded_us: int
    metadata: bytes
    payload: bytes

    @property
    def effective(self) -> date:
        """The day from which it holds."""
        return date.fromordinal(self.effective_day)


chronicle = Table(
    "chronicle",
    TABLES,
    position_key(),
    Column("cycle", TEXT, nullable=False),
    Column("event_type", TEXT, nullable=False),
    Column("about", TEXT, nullable=False),
    Column("name", TEXT, nullable=False),
    Column("effective_day", Integer, nullable=False),
    Column("recorded_us", WHOLE, nullable=False),
    Column("metadata", LargeBinary, nullable=False),
    Column("payload", LargeBinary, nullable=False),
)
Index("chronicle_by_cycle", chronicle.c.cycle, chronicle.c.event_type, chronicle.c.position)
Index("chronicle_by_name", chronicle.c.name, chronicle.c.position)

_Fact = (
    facts.CycleSealed
    | facts.CycleReopened
    | facts.AmendmentRecorded
    | facts.ReviewHeld
    | facts.LessonRecorded
)


def reopening_of(seal: str) -> str:
    """The name under which the chronicle has that a seal was opened again."""
    return f"{seal}/reopening"


def _fold(event: Event) -> list[Entry]:
    record, fact = event.record, event.fact
    assert isinstance(fact, _Fact)
    name, about = _name_and_subject(fact)
    return [
        Entry(
            record.position,
            fact.cycle,
            record.event_type,
            about,
            name,
            event.effective_day,
            record.recorded_us,
            record.metadata,
            record.payload,
        )
    ]


def _name_and_subject(fact: _Fact) -> tuple[str, str]:
    match fact:
        case facts.CycleSealed():
            return f"{fact.cycle}{SEALS}{fact.number}", ""
        case facts.CycleReopened():
            return reopening_of(f"{fact.cycle}{SEALS}{fact.seal}"), ""
        case facts.AmendmentRecorded():
            return f"{fact.cycle}{AMENDMENTS}{fact.number}", fact.subject
        case facts.LessonRecorded():
            return f"{fact.cycle}{LESSONS}{fact.number}", fact.subject
        case facts.ReviewHeld():
            return fact.review, fact.team


MODEL: Final = ReadModel(chronicle, dict.fromkeys(_Fact.__args__, _fold))


def named(connection: Connection, name: str, known: int) -> Entry | None:
    """The entry of a name known at a position."""
    row = connection.execute(_named(), {"name": name, "known": known}).first()
    return Entry._make(row) if row else None


class Wanted(NamedTuple):
    """A cycle's entries of a kind, those about something where that is given."""

    cycle: str
    kind: type[Message]
    about: str = ""


def of_cycle(
    connection: Connection,
    wanted: Wanted,
    known: int,
    *,
    after_position: int = 0,
    limit: int | None = None,
) -> list[Entry]:
    """The entries known at a position, in order of position.

    At most `limit`, of those after a position.
    """
    statement = _of_cycle(about=bool(wanted.about)).limit(limit)
    parameters = {
        "cycle": wanted.cycle,
        "event_type": wanted.kind.DESCRIPTOR.full_name,
        "known": known,
        "about": wanted.about,
        "after": after_position,
    }
    return [Entry._make(row) for row in connection.execute(statement, parameters)]


@cache
def _named() -> Select[*tuple[Any, ...]]:
    return select(chronicle).where(
        chronicle.c.name == bindparam("name"), chronicle.c.position <= bindparam("known")
    )


@cache
def _of_cycle(*, about: bool) -> Select[*tuple[Any, ...]]:
    statement = (
        select(chronicle)
        .where(
            chronicle.c.cycle == bindparam("cycle"),
            chronicle.c.event_type == bindparam("event_type"),
            chronicle.c.position > bindparam("after"),
            chronicle.c.position <= bindparam("known"),
        )
        .order_by(chronicle.c.position)
    )
    return statement.where(chronicle.c.about == bindparam("about")) if about else statement
