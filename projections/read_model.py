"""What a read model is: tables, and for each event type the rows that it adds to them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ledger.event import EVENT_TYPES
from projections.errors import FailingEvent
from projections.event import Event, digest_of, parsed

if TYPE_CHECKING:
    from google.protobuf.message import Message
    from sqlalchemy import Table

    from ledger.event import Record

Row = tuple[Any, ...]
"""A row's values in the order of its table's columns."""

Fold = Callable[[Event], Iterable[Row]]
"""The rows that an event adds. Pure: it sees the event alone and never reads a table, so that rows
depend neither on batches nor on when they were made.
"""


@dataclass(frozen=True, slots=True)
class ReadModel:
    """One table and its folds by event class.

    `version` grows whenever a fold gives other rows for the same events: the tables are then built
    anew.
    """

    table: Table
    folds: Mapping[type[Message], Fold]
    version: int = 1


@dataclass(slots=True)
class Batch:
    """The rows of consecutive events by table, and the event that ended the batch early.

    `digest` tells the last event from any other at its position; empty where there is none.
    """

    last_position: int
    rows: dict[Table, list[Row]]
    failure: FailingEvent | None = None
    digest: bytes = b""


class Folding:
    """All read models at once: each event is parsed once and folded by every model that knows it.

    An event type that no model knows is a failing event. A model that has no use for a type says so
    with a fold that gives no rows.
    """

    def __init__(self, models: Iterable[ReadModel]) -> None:
        self.models = tuple(models)
        self._folds: dict[str, list[tuple[Table, Fold]]] = {}
        for model in self.models:
            for event_class, fold in model.folds.items():
                name = event_class.DESCRIPTOR.full_name
                self._folds.setdefault(name, []).append((model.table, fold))

    @property
    def unknown(self) -> set[str]:
        """The event types of `okr.v1` that would stop the projection."""
        return set(EVENT_TYPES) - set(self._folds)

    def batch(self, after_position: int, records: Iterable[Record]) -> Batch:
        """The rows of the records that follow a position, up to the first failing one."""
        rows: dict[Table, list[Row]] = {model.table: [] for model in self.models}
        result = Batch(after_position, rows)
        last: Record | None = None
        for record in records:
            try:
                self._add(rows, result.last_position + 1, record)
            except FailingEvent as failure:
                result.failure = failure
                break
            result.last_position = record.position
            last = record
        if last is not None:
            result.digest = digest_of(last)
        return result

    def _add(self, rows: dict[Table, list[Row]], expected: int, record: Record) -> None:
        if record.position != expected:
            raise FailingEvent(
                record.position, record.event_type, f"the log has no position {expected}"
            )
        folds = self._folds.get(record.event_type)
        if folds is None:
            raise FailingEvent(record.position, record.event_type, "no read model knows its type")
        try:
            event = parsed(record)
            made = [(table, list(fold(event))) for table, fold in folds]
        except Exception as error:
            # A fold may fail in any way; whatever it is, it must stop here and say where.
            raise FailingEvent(record.position, record.event_type, repr(error)) from error
        for table, added in made:
            rows[table] += added
