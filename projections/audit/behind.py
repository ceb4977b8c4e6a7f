"""The events behind positions: who, when, why, and what it is about."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any, NamedTuple

from google.protobuf.message import Message
from sqlalchemy import BindParameter, Column, Connection, Table, bindparam, select

from ledger.check_ins import CHECK_INS
from ledger.event import fact_of, metadata_of
from okr.v1.event_record_pb2 import EventMetadata
from projections.alignments import alignments
from projections.audit.measured import FACTS
from projections.check_ins import check_ins
from projections.revisions import revisions


class Behind(NamedTuple):
    """An event as it was recorded; `effective_day` is an ordinal."""

    position: int
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


_TYPES = {kind: fact.DESCRIPTOR.full_name for kind, fact in FACTS.items()}
_REST = ("effective_day", "recorded_us", "metadata", "payload")


def behind(connection: Connection, positions: Iterable[int]) -> dict[int, Behind]:
    """The events of plans, alignments and check-ins at positions, by position."""
    wanted = {"positions": sorted(set(positions))}
    found: dict[int, Behind] = {}
    for table in (revisions, alignments):
        for row in connection.execute(_at(table, table.c.event_type), wanted):
            found[row[0]] = Behind._make(row)
    for position, kind, *rest in connection.execute(_at(check_ins, check_ins.c.kind), wanted):
        found[position] = Behind(position, _TYPES[kind], *rest)
    return found


def about(fact: Any) -> str:
    """What an event is about: a check-in, a key result, an objective, a child, a team, a cycle."""
    fields = fact.DESCRIPTOR.fields_by_name
    name: str = next(
        getattr(fact, field)
        for field in ("key_result", "objective", "child", "team", "cycle")
        if field in fields
    )
    return f"{name}{CHECK_INS}{fact.number}" if "number" in fields else name


def _at(table: Table, kind: Column[Any]) -> Any:
    columns = [table.c.position, kind, *(table.c[name] for name in _REST)]
    positions: BindParameter[int] = bindparam("positions", expanding=True)
    return select(*columns).where(table.c.position.in_(positions))
