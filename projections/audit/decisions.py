"""What was decided and what it did to the scores: adjustments, and the events themselves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from google.protobuf.any_pb2 import Any as AnyMessage
from sqlalchemy import Connection

from ledger.adjustment_resources import Step, change_resource
from ledger.adjustment_resources import resource as adjustment_resource
from ledger.call import shows
from ledger.event import Record, metadata_of, payload_of
from ledger.refusals import NotFound
from ledger.scoring.attribution import difference
from ledger.scoring.exact import text
from ledger.standing import NO_SCORES
from ledger.values import timestamp
from okr.v1 import event_record_pb2 as event_record
from okr.v1 import events_pb2 as facts
from okr.v1 import resources_pb2 as resources
from okr.v1.audit_service_pb2 import ListAdjustmentsRequest
from okr.v1.resources_pb2 import AdjustmentState
from projections import adjustments, alignments, answers, plan, revisions
from projections.adjustments import AdjustmentRow
from projections.as_of import Known
from projections.catalogue import cycle_at
from projections.filtering.adjustments import ADJUSTMENT_FIELDS, AdjustmentFacets
from projections.filtering.fields import predicate
from projections.filtering.order import Order, ordered
from projections.owners import Owners
from projections.paging import Cursor, Listed, Slice, sifted
from projections.scorecard import Tree, by_level, lines, tree

TYPE_URL = "type.googleapis.com/"
ADJUSTMENTS_AT_A_TIME = 32
"""Adjustments read at a time: a proposal may come to a MiB."""


def adjustment(connection: Connection, name: str, known: Known) -> resources.Adjustment:
    """An adjustment, or the proposal of one, with what it changed and did to the scores.

    Raises:
        NotFound: it is not known, or does not hold by the day asked for.
    """
    steps = _holding(adjustments.of(connection, name, known.position), known)
    if not steps:
        raise NotFound(name)
    shown = _shown(connection, steps)
    _add_effects(connection, shown)
    return shown


def list_adjustments(
    connection: Connection, asked: ListAdjustmentsRequest, known: Known, part: Slice
) -> Listed[resources.Adjustment]:
    """The adjustments and proposals of a cycle, those that hold by the day asked for.

    Costs by the number shown times that of the cycle's key results, for each of which the cycle is
    scored just before and just after, and by the number of the cycle's adjustments.

    Raises:
        NotFound: the cycle is not known.
        FieldInvalid: the filter or order is none.
    """
    _, passes = predicate(asked.filter, ADJUSTMENT_FIELDS)
    order = ordered(asked.order_by, ("position",), Order("position"))
    cycle_at(connection, asked.cycle, known)
    owners = Owners(connection, known.position)
    entries = plan.members_of(connection, plan.adjustments_of(asked.cycle), known.position)
    first = {entry.member: entry.position for entry in reversed(entries)}
    names = sorted(first, key=lambda name: first[name], reverse=order.descending)
    if part.after:
        last = int(part.after[0])
        names = [n for n in names if (first[n] < last if order.descending else first[n] > last)]

    def candidates() -> Iterator[tuple[resources.Adjustment | None, Cursor]]:
        for start in range(0, len(names), ADJUSTMENTS_AT_A_TIME):
            page = names[start : start + ADJUSTMENTS_AT_A_TIME]
            found = adjustments.of_many(connection, page, known.position)
            for name in page:
                steps = _holding(found[name], known)
                shown = _shown(connection, steps) if steps else None
                # Filters see what is shown, and nothing else.
                if shown is not None and not shows(shown):
                    shown = None
                wanted = shown is not None and passes(AdjustmentFacets(shown, first[name], owners))
                yield shown if wanted else None, (first[name],)

    listed = sifted(candidates(), part.limit)
    for shown in listed.items:
        _add_effects(connection, shown)
    return listed


def _holding(rows: Sequence[AdjustmentRow], known: Known) -> Sequence[AdjustmentRow]:
    """The events of an adjustment that hold by the day asked for."""
    return [row for row in rows if known.day is None or row.effective <= known.day]


def _shown(connection: Connection, rows: Sequence[AdjustmentRow]) -> resources.Adjustment:
    """The adjustment without its effects."""
    steps = [Step(row.position, row.recorded_us, row.circumstances, row.fact) for row in rows]
    made = any(isinstance(step.fact, facts.StrategyAdjusted) for step in steps)
    return adjustment_resource(steps, _made(connection, rows[0].adjustment) if made else [])


def _add_effects(connection: Connection, shown: resources.Adjustment) -> None:
    if shown.state == AdjustmentState.ADJUSTMENT_STATE_APPLIED:
        recorded_us = shown.recorded_time.ToMicroseconds()
        shown.effects.extend(_effects(connection, shown, recorded_us))


def _made(connection: Connection, name: str) -> list[resources.AdjustmentChange]:
    """What an adjustment changed, in order."""
    # All events of an adjustment are recorded together, so what was made was changed.
    everything = 1 << 62
    revised = revisions.of_adjustments(connection, [name], everything)
    aligned = alignments.of_adjustments(connection, [name], everything)
    changes = {
        row.position: change_resource(row.revision.fact, row.position)
        for rows in (revised[name], aligned[name])
        for row in rows
    }
    return [changes[position] for position in sorted(changes)]


def _effects(
    connection: Connection, made: resources.Adjustment, recorded_us: int
) -> Iterator[resources.ScoreEffect]:
    """The scores that moved between just before and just after, on the day of recording."""
    standings: list[Tree] = []
    for position in (made.first_position - 1, made.last_position):
        cycle, day = cycle_at(connection, made.cycle, Known(position, recorded_us, None))
        standings.append(tree(connection, cycle, "", position, day))
    before, after = ({line.name: line.scores for line in lines(each)} for each in standings)
    for name in by_level([*after, *before]):
        was, is_now = before.get(name), after.get(name)
        if (was or NO_SCORES) != (is_now or NO_SCORES):
            earlier, later = (each.current if each else None for each in (was, is_now))
            yield resources.ScoreEffect(
                name=name,
                score_before=answers.number(earlier),
                score_after=answers.number(later),
                difference=text(difference(earlier, later)),
                scores_before=answers.three(was),
                scores_after=answers.three(is_now),
            )


def event(record: Record, log_id: str, epoch: int) -> event_record.Event:
    """A record as the API shows it, its bytes as they are stored."""
    return event_record.Event(
        name=f"events/{record.position}",
        header=event_record.EventHeader(
            log_id=log_id,
            epoch=epoch,
            position=record.position,
            stream=record.stream,
            stream_version=record.stream_version,
            event_type=record.event_type,
            recorded_time=timestamp(record.recorded_us),
        ),
        metadata=record.metadata,
        payload=record.payload,
        decoded_metadata=metadata_of(record),
        decoded_payload=AnyMessage(type_url=TYPE_URL + record.event_type, value=payload_of(record)),
    )
