"""The span between two pairs of instants of a ledger in memory."""

from __future__ import annotations

from datetime import date
from typing import Any

from ledger.check_ins import CheckIn
from ledger.event import fact_of
from ledger.recorded_check_ins import CHECK_IN_FACTS, check_ins_of
from ledger.revision import Revision
from ledger.span import Instants, Span
from ledger.values import recorded_day
from okr.v1.event_record_pb2 import EventMetadata
from tests.support.scenario import Scenario

_SUBJECTS = ("key_result", "objective", "team", "cycle")
_OF_ADJUSTMENTS = ("adjustments", "reviews", "people")


def span_of(scenario: Scenario, start: tuple[int, str], end: tuple[int, str]) -> Span:
    """Everything that the ledger knew at the end, from one (position, day) to another."""
    revisions: dict[str, list[Revision]] = {}
    alignments: dict[str, list[Revision]] = {}
    measured: dict[str, list[Revision]] = {}
    for record in scenario.records[: end[0]]:
        if record.stream.partition("/")[0] in _OF_ADJUSTMENTS:
            continue
        fact: Any = fact_of(record)
        metadata = EventMetadata.FromString(record.metadata)
        effective = recorded_day(metadata.effective_date)
        revision = Revision(effective, record.position, fact)
        if record.event_type in CHECK_IN_FACTS:
            if record.position > start[0]:
                measured.setdefault(fact.key_result, []).append(revision)
        elif record.stream == "alignment":
            alignments.setdefault(fact.parent, []).append(revision)
        else:
            subject = next(getattr(fact, name) for name in _SUBJECTS if hasattr(fact, name))
            revisions.setdefault(subject, []).append(revision)
    known = scenario.records[: start[0]]
    check_ins: dict[str, list[CheckIn]] = {}
    for record in known:
        if record.event_type in CHECK_IN_FACTS:
            name = CHECK_IN_FACTS[record.event_type].FromString(record.payload).key_result
            if name not in check_ins:
                check_ins[name] = list(check_ins_of(known, name).values())
    return Span(
        Instants(start[0], date.fromisoformat(start[1])),
        Instants(end[0], date.fromisoformat(end[1])),
        revisions,
        alignments,
        check_ins,
        measured,
    )
