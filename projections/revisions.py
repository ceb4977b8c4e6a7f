"""Revisions: the events that make a subject what it is.

Subjects are cycles, teams, people, objectives, key results and reviews. Check-ins, alignments and
adjustments have tables of their own. Revision n of a subject is its n-th row by position.
"""

from __future__ import annotations

from datetime import date
from functools import cache
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sqlalchemy import (
    Column,
    Index,
    Integer,
    LargeBinary,
    Table,
    bindparam,
    literal_column,
    select,
)

from ledger.cycles import outline
from ledger.event import metadata_of
from okr.v1 import events_pb2 as facts
from projections.event import revision_of
from projections.read_model import ReadModel
from projections.store.tables import TABLES, TEXT, WHOLE, pages, position_key, wanted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from google.protobuf.message import Message
    from sqlalchemy import Connection, Select

    from ledger.revision import Revision
    from okr.v1.event_record_pb2 import EventMetadata
    from projections.event import Event
    from projections.read_model import Fold


class RevisionRow(NamedTuple):
    """An event about a subject.

    `subject` is a resource name; `adjustment` the strategy adjustment that the event is part of,
    or empty; `effective_day` an ordinal, 1 for a fact that holds from the beginning.
    """

    position: int
    subject: str
    stream_version: int
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
        """The event parsed, for the fold that makes the subject."""
        return revision_of(self)

    @property
    def circumstances(self) -> EventMetadata:
        """Who, why and on whose behalf."""
        return metadata_of(self)


revisions = Table(
    "revisions",
    TABLES,
    position_key(),
    Column("subject", TEXT, nullable=False),
    Column("stream_version", WHOLE, nullable=False),
    Column("event_type", TEXT, nullable=False),
    Column("effective_day", Integer, nullable=False),
    Column("recorded_us", WHOLE, nullable=False),
    Column("adjustment", TEXT, nullable=False),
    Column("metadata", LargeBinary, nullable=False),
    Column("payload", LargeBinary, nullable=False),
)
Index("revisions_by_subject", revisions.c.subject, revisions.c.position)
# Only a few revisions are part of an adjustment, and only they are in the index; a query has to
# state the index's condition in the same words.
_ADJUSTED: Final = revisions.c.adjustment > literal_column("''", TEXT)
Index(
    "revisions_by_adjustment",
    revisions.c.adjustment,
    revisions.c.position,
    sqlite_where=_ADJUSTED,
    postgresql_where=_ADJUSTED,
)

SUBJECTS: Final[dict[str, tuple[type[Message], ...]]] = {
    "cycle": (
        facts.CycleDrafted,
        facts.CycleRevised,
        facts.PlanCommitted,
        facts.CycleClosing,
        facts.CycleSealed,
        facts.CycleReopened,
    ),
    "team": (facts.TeamRegistered, facts.TeamRevised, facts.TeamRetired),
    "person": (facts.PersonRegistered, facts.PersonErased),
    "objective": (
        facts.ObjectiveCreated,
        facts.ObjectiveRevised,
        facts.ObjectiveGraded,
        facts.ObjectiveRegraded,
        facts.ObjectiveAbandoned,
    ),
    "key_result": (
        facts.KeyResultAdded,
        facts.KeyResultRevised,
        facts.KeyResultDropped,
        facts.KeyResultRestored,
        facts.KeyResultCarriedOver,
    ),
}
"""The events of each kind of subject, by the field that names the subject."""


def _about(field: str) -> Fold:
    subject = attrgetter(field)

    def fold(event: Event) -> list[RevisionRow]:
        record = event.record
        return [
            RevisionRow(
                record.position,
                subject(event.fact),
                record.stream_version,
                record.event_type,
                event.effective_day,
                record.recorded_us,
                event.metadata.adjustment,
                record.metadata,
                _payload(event),
            )
        ]

    return fold


def _payload(event: Event) -> bytes:
    """The stored fact; of a seal its outline, since every read of its cycle has it."""
    if isinstance(event.fact, facts.CycleSealed):
        return outline(event.fact).SerializeToString()
    return event.record.payload


MODEL: Final = ReadModel(
    revisions,
    {event: _about(field) for field, events in SUBJECTS.items() for event in events},
)


def of(connection: Connection, subject: str, known: int) -> list[RevisionRow]:
    """The revisions of a subject known at a position, in order of position."""
    return of_many(connection, [subject], known)[subject]


def of_many(
    connection: Connection, subjects: Sequence[str], known: int
) -> dict[str, list[RevisionRow]]:
    """The revisions of each subject known at a position, in order of position; [] if unknown.

    Costs by the number of revisions.
    """
    found: dict[str, list[RevisionRow]] = {subject: [] for subject in subjects}
    for width, names in pages(subjects):
        for row in connection.execute(_of(width), {**names, "known": known}):
            made = RevisionRow._make(row)
            found[made.subject].append(made)
    return found


def of_adjustments(
    connection: Connection, adjustments: Sequence[str], known: int
) -> dict[str, list[RevisionRow]]:
    """The revisions that are part of each strategy adjustment, in order of position."""
    found: dict[str, list[RevisionRow]] = {adjustment: [] for adjustment in adjustments}
    for width, names in pages(adjustments):
        for row in connection.execute(_of_adjustments(width), {**names, "known": known}):
            made = RevisionRow._make(row)
            found[made.adjustment].append(made)
    return found


@cache
def _of(width: int) -> Select[*tuple[Any, ...]]:
    names = wanted(width)
    return (
        select(revisions)
        .join(names, revisions.c.subject == names.c.name)
        .where(revisions.c.position <= bindparam("known"))
        .order_by(revisions.c.subject, revisions.c.position)
    )


@cache
def _of_adjustments(width: int) -> Select[*tuple[Any, ...]]:
    names = wanted(width)
    return (
        select(revisions)
        .join(names, revisions.c.adjustment == names.c.name)
        .where(_ADJUSTED, revisions.c.position <= bindparam("known"))
        .order_by(revisions.c.adjustment, revisions.c.position)
    )
