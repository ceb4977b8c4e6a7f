"""ListEvents: the ledger itself, in pages, of a stream, of some types, or through a filter."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Protocol

from ledger.call import shows
from projections.filtering.events import REVISION_FIELDS, Facets
from projections.filtering.fields import (
    DAY,
    NAME,
    NAMES,
    Field,
    has_wildcard,
    instant_us,
    predicate,
    required,
)
from projections.filtering.order import Order, ordered
from projections.owners import Owners
from projections.paging import Listed, Slice, sifted

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from ledger.event import Record
    from okr.v1.audit_service_pb2 import ListEventsRequest
    from projections.filtering.text import Comparison
    from projections.paging import Cursor

PAGE_BYTES: Final = 3 * 1024 * 1024
"""Stored bytes after which a page of events ends, to stay below the 4 MiB of a message."""

LOOKED_THROUGH_AT_A_TIME: Final = 256
"""Events that a filter is read."""

FIELDS: Final[Mapping[str, Field[Facets]]] = {
    **REVISION_FIELDS,
    "cycle": Field(NAMES, lambda event: event.cycles_touched),
    "effective_date": Field(DAY, lambda event: event.effective),
    "stream": Field(NAME, lambda event: event.stream),
    "team": Field(NAMES, lambda event: event.teams_touched),
}
"""What events may be filtered by."""


class Log(Protocol):
    """What a list of events asks of the log."""

    def list_events(
        self,
        *,
        stream: str | None = None,
        event_types: Sequence[str] = (),
        after: int = 0,
        limit: int,
        newest_first: bool = False,
        up_to_position: int | None = None,
    ) -> list[Record]: ...

    def position_at(self, recorded_us: int) -> int: ...


@dataclass(frozen=True, slots=True)
class Bounds:
    """What the log itself can leave out: other streams and types, and other positions.

    Positions after `after` up to `up_to`, which is inclusive.
    """

    stream: str | None
    event_types: Sequence[str]
    after: int
    up_to: int


def list_events(
    log: Log, connection: Connection, asked: ListEventsRequest, known: int, part: Slice
) -> Listed[Record]:
    """A page of the records that a request asks for, known at a position.

    It ends early rather than be too large for a message.

    Raises:
        FieldInvalid: the filter or order is none.
    """
    expression, passes = predicate(asked.filter, FIELDS)
    newest_first = Order("position", descending=asked.newest_first)
    order = ordered(asked.order_by, ("position",), newest_first)
    bounds = Bounds(asked.stream or None, asked.event_types, asked.after_position, known)
    for comparison in required(expression):
        bounds = _narrowed(bounds, comparison, log)
    owners = Owners(connection, known)

    def candidates() -> Iterator[tuple[Record | None, Cursor]]:
        at_a_time = LOOKED_THROUGH_AT_A_TIME if expression else part.limit + 1
        for records in _pages(log, bounds, order, part.after, at_a_time):
            if expression:
                owners.load(r.stream for r in records if r.stream.startswith("objectives/"))
            for record in records:
                wanted = shows(record) and passes(Facets(record, owners, record.stream))
                yield record if wanted else None, (record.position,)

    listed = sifted(candidates(), part.limit)
    fitting = _fitting(listed.items)
    if len(fitting) < len(listed.items):
        return Listed(fitting, (fitting[-1].position,))
    return listed


def _pages(
    log: Log, bounds: Bounds, order: Order, cursor: Cursor, at_a_time: int
) -> Iterator[Sequence[Record]]:
    """The records within the bounds, some at a time."""
    after = int(cursor[0]) if cursor else 0 if order.descending else bounds.after
    while True:
        records = log.list_events(
            stream=bounds.stream,
            event_types=bounds.event_types,
            after=after,
            limit=at_a_time,
            newest_first=order.descending,
            up_to_position=bounds.up_to,
        )
        within = [record for record in records if record.position > bounds.after]
        if within:
            yield within
        if len(within) < at_a_time:
            return
        after = within[-1].position


def _narrowed(bounds: Bounds, asked: Comparison, log: Log) -> Bounds:
    """The bounds without what a comparison rules out, as far as the log can tell by index."""
    match asked.name:
        case "stream" if asked.operator == "=" and not has_wildcard(asked.value):
            return bounds if bounds.stream else replace(bounds, stream=asked.value)
        case "event_type" if asked.operator == "=" and not has_wildcard(asked.value):
            full = f"okr.v1.{asked.value.removeprefix('okr.v1.')}"
            return bounds if bounds.event_types else replace(bounds, event_types=(full,))
        case "position":
            return _between(bounds, asked.operator, int(asked.value) - 1, int(asked.value))
        case "recorded_time":
            us = instant_us(asked.value)
            return _between(bounds, asked.operator, log.position_at(us - 1), log.position_at(us))
    return bounds


def _between(bounds: Bounds, operator: str, before: int, last: int) -> Bounds:
    """The bounds that a comparison leaves with what lies after `before`, up to `last`."""
    after = {"=": before, ">=": before, ">": last}.get(operator, bounds.after)
    up_to = {"=": last, "<=": last, "<": before}.get(operator, bounds.up_to)
    return replace(bounds, after=max(bounds.after, after), up_to=min(bounds.up_to, up_to))


def _fitting(records: Sequence[Record]) -> Sequence[Record]:
    """As many as fit into a message, at least one; the bytes stand in it twice."""
    size = 0
    for i, record in enumerate(records):
        size += 2 * (len(record.metadata) + len(record.payload))
        if i and size > PAGE_BYTES:
            return records[:i]
    return records
