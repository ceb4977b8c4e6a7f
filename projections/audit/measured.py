"""What became known of check-ins after a position: recorded, corrected, taken back."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Integer, Select, bindparam, func, literal_column, select

from ledger.revision import Revision
from okr.v1 import events_pb2 as facts
from projections.check_ins import RECORDED, CheckInRow, Kind, check_ins
from projections.store.tables import pages, wanted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from google.protobuf.message import Message
    from sqlalchemy import Connection

FACTS: Final[dict[int, type[Message]]] = {
    Kind.RECORDED: facts.CheckInRecorded,
    Kind.CORRECTED: facts.CheckInCorrected,
    Kind.RETRACTED: facts.CheckInRetracted,
}
"""The event of each kind of row."""

_later = check_ins.alias("later")
_known = check_ins.alias("known")


def recorded(
    connection: Connection, key_results: Sequence[str], after: int, known: int
) -> dict[str, list[Revision]]:
    """The check-ins recorded after a position and known at another, by key result in order.

    Key results without any are left out. Costs by the number recorded since.
    """
    return _events(connection, _recorded, key_results, after, known)


def changed(
    connection: Connection, key_results: Sequence[str], after: int, known: int
) -> dict[str, list[Revision]]:
    """The corrections and retractions in between; else as `recorded`.

    Costs by the number of check-ins that were ever changed.
    """
    return _events(connection, _changed, key_results, after, known)


def _events(
    connection: Connection,
    statement: Callable[[int], Select[*tuple[Any, ...]]],
    key_results: Sequence[str],
    after: int,
    known: int,
) -> dict[str, list[Revision]]:
    found: dict[str, list[Revision]] = {}
    for width, names in pages(key_results):
        parameters = {**names, "after": after, "known": known}
        for row in connection.execute(statement(width), parameters):
            made = CheckInRow._make(row)
            event = Revision(
                made.effective, made.position, FACTS[made.kind].FromString(made.payload)
            )
            found.setdefault(made.key_result, []).append(event)
    return found


@cache
def _recorded(width: int) -> Select[*tuple[Any, ...]]:
    """Numbers grow with positions: the last one known is found by walking back from the latest."""
    names = wanted(width)
    last = (
        select(_known.c.number)
        .where(
            _known.c.key_result == names.c.name,
            _known.c.kind == RECORDED,
            _known.c.position <= bindparam("after"),
        )
        .order_by(_known.c.number.desc())
        .limit(literal_column("1"))
        .scalar_subquery()
    )
    return (
        select(_later)
        .join(names, _later.c.key_result == names.c.name)
        .where(
            _later.c.kind == RECORDED,
            _later.c.number > func.coalesce(last, literal_column("0", Integer)),
            _later.c.position <= bindparam("known"),
        )
        .order_by(_later.c.key_result, _later.c.number)
    )


@cache
def _changed(width: int) -> Select[*tuple[Any, ...]]:
    names = wanted(width)
    return (
        select(_later)
        .join(names, _later.c.key_result == names.c.name)
        .where(
            _later.c.kind != RECORDED,
            _later.c.position > bindparam("after"),
            _later.c.position <= bindparam("known"),
        )
        .order_by(_later.c.position)
    )
