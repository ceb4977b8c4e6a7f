"""Check-ins on two time axes: what was known at a position of what held on a day.

Known at a position, a check-in's form is its last row at or before that position that gives
content; a retraction ends it for good. Check-ins of a key result stand in the order of (effective
day, instant, number), those without an instant before those with one, and the last is in force. The
number stands for the position of the recording: both grow together within a key result.
"""

from __future__ import annotations

from datetime import date
from functools import cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sqlalchemy import (
    Integer,
    Row,
    Select,
    and_,
    bindparam,
    case,
    exists,
    func,
    literal_column,
    select,
    tuple_,
)

from ledger import check_ins as domain
from ledger.event import fact_of, metadata_in
from okr.v1 import events_pb2 as facts
from projections.check_ins import (
    CORRECTED,
    NO_MOMENT,
    RECORDED,
    RETRACTED,
    CheckInRow,
    Kind,
    check_ins,
)
from projections.store.tables import pages, wanted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement, Connection, FromClause

    from okr.v1.event_record_pb2 import EventMetadata


class _Content(NamedTuple):
    """The fact that gave a check-in its content, as it is stored."""

    event_type: str
    payload: bytes


_EVENT_TYPES: Final = {
    Kind.RECORDED: facts.CheckInRecorded.DESCRIPTOR.full_name,
    Kind.CORRECTED: facts.CheckInCorrected.DESCRIPTOR.full_name,
}


class Place(NamedTuple):
    """The place of a check-in among those of its key result."""

    effective_day: int
    moment: int
    number: int


class KnownCheckIn(NamedTuple):
    """A check-in in the form known at a position.

    `position`, `recorded_us` and `metadata` are those of the event that recorded it;
    `content_position` and `content_metadata` those of the event that gave its content, which are
    the same where it was never corrected.
    """

    key_result: str
    number: int
    effective_day: int
    moment: int
    content_kind: int
    content_position: int
    content_metadata: bytes
    payload: bytes
    position: int
    recorded_us: int
    metadata: bytes
    retracted: bool

    @property
    def effective(self) -> date:
        """The day it held, as last corrected."""
        return date.fromordinal(self.effective_day)

    @property
    def place(self) -> Place:
        """Where it stands among its key result's; pages go on after it."""
        return Place(self.effective_day, self.moment, self.number)

    @property
    def corrected_position(self) -> int:
        """Position of the last correction, 0 if there is none."""
        return self.content_position if self.content_kind == Kind.CORRECTED else 0

    @property
    def content(self) -> domain.CheckInFact:
        """What it says, as last corrected."""
        fact = fact_of(_Content(_EVENT_TYPES[Kind(self.content_kind)], self.payload))
        assert isinstance(fact, domain.CheckInFact)
        return fact

    @property
    def measured(self) -> domain.CheckInFact:
        """The same, its note as it is stored: what it says for scores."""
        if self.content_kind == Kind.CORRECTED:
            return facts.CheckInCorrected.FromString(self.payload)
        return facts.CheckInRecorded.FromString(self.payload)

    @property
    def check_in(self) -> domain.CheckIn:
        """The check-in for the scoring of its key result, its note as it is stored."""
        return domain.CheckIn(
            self.key_result,
            self.number,
            self.position,
            self.content_position,
            self.effective,
            self.measured,
            self.retracted,
        )

    @property
    def recording(self) -> EventMetadata:
        """Who recorded it."""
        return metadata_in(self.metadata)

    @property
    def correction(self) -> EventMetadata | None:
        """Who corrected it last, None if nobody did."""
        if self.content_kind != Kind.CORRECTED:
            return None
        return metadata_in(self.content_metadata)


def in_force(
    connection: Connection, key_results: Sequence[str], known: int, day: date
) -> dict[str, KnownCheckIn]:
    """The check-in in force on a day, known at a position, of each key result that has one.

    Walks each key result's check-ins from the day back to the first that holds: costs by the
    number of key results, and by how many of their check-ins of that time were changed or became
    known later.
    """
    found: dict[str, KnownCheckIn] = {}
    for width, names in pages(key_results):
        parameters = {**names, "known": known, "day": day.toordinal()}
        for row in connection.execute(_in_force(width), parameters):
            made = _known(row)
            found[made.key_result] = made
    return found


def all_in_force(
    connection: Connection,
    key_results: Sequence[str],
    known: int,
    day: date,
    *,
    after: date | None = None,
) -> dict[str, list[KnownCheckIn]]:
    """Every check-in that holds on a day, known at a position, by key result in order.

    Of those after another day, where one is given. The last one is in force; [] where there is
    none. Costs by their number.
    """
    found: dict[str, list[KnownCheckIn]] = {name: [] for name in key_results}
    first = after.toordinal() if after else 0
    for width, names in pages(key_results):
        parameters = {**names, "known": known, "day": day.toordinal(), "after": first}
        for row in connection.execute(_all_in_force(width), parameters):
            made = _known(row)
            found[made.key_result].append(made)
    return found


def page(
    connection: Connection,
    key_result: str,
    known: int,
    day: date,
    *,
    limit: int,
    after: Place | None = None,
) -> list[KnownCheckIn]:
    """The check-ins of a key result up to a day, in order, retracted ones included.

    At most `limit`, of those after a place.
    """
    place = after or Place(0, NO_MOMENT, 0)
    parameters = {
        "key_result": key_result,
        "known": known,
        "day": day.toordinal(),
        "limit": limit,
        "after_day": place.effective_day,
        "after_moment": place.moment,
        "after_number": place.number,
    }
    return [_known(row) for row in connection.execute(_page(), parameters)]


def numbered(
    connection: Connection, key_result: str, number: int, known: int, day: date
) -> KnownCheckIn | None:
    """One check-in of a key result by its number, retracted or not, if it holds by the day."""
    parameters = {
        "key_result": key_result,
        "number": number,
        "known": known,
        "day": day.toordinal(),
    }
    for corrected in (False, True):
        row = connection.execute(_one(corrected=corrected), parameters).one_or_none()
        if row is not None:
            return _known(row)
    return None


def counts(connection: Connection, key_results: Sequence[str], known: int) -> dict[str, int]:
    """How many check-ins each key result had at a position, retracted ones included."""
    found = dict.fromkeys(key_results, 0)
    for width, names in pages(key_results):
        for name, number in connection.execute(_counts(width), {**names, "known": known}):
            found[name] = number
    return found


def rows_of(
    connection: Connection, key_results: Sequence[str], known: int
) -> dict[str, list[CheckInRow]]:
    """Every event about the check-ins of each key result known at a position, in order.

    Costs by their number.
    """
    found: dict[str, list[CheckInRow]] = {name: [] for name in key_results}
    for width, names in pages(key_results):
        for row in connection.execute(_rows_of(width), {**names, "known": known}):
            made = CheckInRow._make(row)
            found[made.key_result].append(made)
    return found


Selected = Select[*tuple[Any, ...]]
"""A statement whose rows are `KnownCheckIn`s."""

_form = check_ins.alias("form")
_origin = check_ins.alias("origin")
_later = check_ins.alias("later")


def _known(row: Row[*tuple[Any, ...]]) -> KnownCheckIn:
    return KnownCheckIn._make(row)


def _changed(form: FromClause, *conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    """Whether a known later event changed the form; what comes later is never the recording."""
    return exists().where(
        _later.c.key_result == form.c.key_result,
        _later.c.number == form.c.number,
        _later.c.kind != RECORDED,
        _later.c.position <= bindparam("known"),
        *conditions,
    )


def _holds(form: FromClause) -> ColumnElement[bool]:
    """Whether the form is its check-in's last known one, holds on the day and is not taken back."""
    return and_(
        form.c.effective_day <= bindparam("day"),
        form.c.position <= bindparam("known"),
        form.c.kind != RETRACTED,
        ~_changed(form, _later.c.position > form.c.position),
    )


def _described(rows: FromClause, retracted: ColumnElement[bool]) -> Selected:
    """The forms with the event that recorded each."""
    # Only a corrected form was recorded by another event: the others look for no row at all.
    number = case((_form.c.kind == CORRECTED, _form.c.number))
    recording = _numbered(_origin, _form.c.key_result, number)
    return select(
        _form.c.key_result,
        _form.c.number,
        _form.c.effective_day,
        _form.c.moment,
        _form.c.kind,
        _form.c.position,
        _form.c.metadata,
        _form.c.payload,
        func.coalesce(_origin.c.position, _form.c.position),
        func.coalesce(_origin.c.recorded_us, _form.c.recorded_us),
        func.coalesce(_origin.c.metadata, _form.c.metadata),
        retracted,
    ).select_from(rows.outerjoin(_origin, recording))


_NO: Final = literal_column("0", Integer) != literal_column("0", Integer)


@cache
def _rows_of(width: int) -> Select[*tuple[Any, ...]]:
    names = wanted(width)
    return (
        select(check_ins)
        .join(names, check_ins.c.key_result == names.c.name)
        .where(check_ins.c.position <= bindparam("known"))
        .order_by(check_ins.c.key_result, check_ins.c.position)
    )


@cache
def _in_force(width: int) -> Selected:
    names = wanted(width)
    candidate = check_ins.alias("candidate")
    last = (
        select(candidate.c.position)
        .where(candidate.c.key_result == names.c.name, _holds(candidate))
        .order_by(
            candidate.c.effective_day.desc(), candidate.c.moment.desc(), candidate.c.number.desc()
        )
        .limit(literal_column("1"))
        .scalar_subquery()
    )
    return _described(names.join(_form, _form.c.position == last), _NO)


@cache
def _all_in_force(width: int) -> Selected:
    names = wanted(width)
    rows = names.join(_form, _form.c.key_result == names.c.name)
    return (
        _described(rows, _NO)
        .where(_holds(_form), _form.c.effective_day > bindparam("after"))
        .order_by(_form.c.key_result, _form.c.effective_day, _form.c.moment, _form.c.number)
    )


@cache
def _page() -> Selected:
    place = tuple_(_form.c.effective_day, _form.c.moment, _form.c.number)
    after = tuple_(bindparam("after_day"), bindparam("after_moment"), bindparam("after_number"))
    return (
        _forms()
        .where(_form.c.kind != RETRACTED, place > after)
        .order_by(_form.c.effective_day, _form.c.moment, _form.c.number)
        .limit(bindparam("limit"))
    )


@cache
def _one(*, corrected: bool) -> Selected:
    # Each has an index of its own, which is used only where its condition is stated.
    kind = (
        (_form.c.kind != RECORDED, _form.c.kind != RETRACTED)
        if corrected
        else (_form.c.kind == RECORDED,)
    )
    return _forms().where(_form.c.number == bindparam("number"), *kind)


def _forms() -> Selected:
    """The last known content of each check-in of a key result that holds by the day."""
    corrected = _changed(_form, _later.c.position > _form.c.position, _later.c.kind == CORRECTED)
    return _described(_form, _changed(_form, _later.c.kind == RETRACTED)).where(
        _form.c.key_result == bindparam("key_result"),
        _form.c.effective_day <= bindparam("day"),
        _form.c.position <= bindparam("known"),
        ~corrected,
    )


@cache
def _counts(width: int) -> Select[*tuple[Any, ...]]:
    """The last number recorded by the position.

    Numbers are dense and grow with positions, so halving the range finds it; the first guess, that
    all are known, is right for every read of now.
    """
    names = wanted(width)
    one = literal_column("1", Integer)
    last = (
        select(_form.c.number)
        .where(_form.c.key_result == names.c.name, _form.c.kind == RECORDED)
        .order_by(_form.c.number.desc())
        .limit(one)
        .scalar_subquery()
    )
    low, high = _halved(_origin, literal_column("0", Integer), _origin.c.number)
    start = select(names.c.name, low.label("low"), high.label("high")).select_from(
        names.join(_origin, _numbered(_origin, names.c.name, last))
    )
    range_ = start.cte("range", recursive=True)
    middle = (range_.c.low + range_.c.high + one) // literal_column("2", Integer)
    low, high = _halved(_later, range_.c.low, range_.c.high)
    range_ = range_.union_all(
        select(range_.c.name, low, high)
        .select_from(range_.join(_later, _numbered(_later, range_.c.name, middle)))
        .where(range_.c.low < range_.c.high)
    )
    return select(range_.c.name, range_.c.low).where(range_.c.low >= range_.c.high)


def _numbered(
    row: FromClause, name: ColumnElement[str], number: ColumnElement[int]
) -> ColumnElement[bool]:
    return and_(row.c.key_result == name, row.c.kind == RECORDED, row.c.number == number)


def _halved(
    row: FromClause, low: ColumnElement[int], high: ColumnElement[int]
) -> tuple[ColumnElement[int], ColumnElement[int]]:
    """The range that is left once the row is seen to be known, or not."""
    known = row.c.position <= bindparam("known")
    return (
        case((known, row.c.number), else_=low),
        case((known, high), else_=row.c.number - literal_column("1", Integer)),
    )
