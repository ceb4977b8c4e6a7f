"""What was decided and what it did to the scores: adjustments, and the events themselves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal

from google.protobuf.any_pb2 import Any as AnyMessage
from sqlalchemy import Connection

from ledger.adjustment_resources import Step, change_resource
from ledger.adjustment_resources import resource as adjustment_resource
from ledger.event import Record
from ledger.objectives import KEY_RESULTS
from ledger.refusals import NotFound
from ledger.scoring.exact import ZERO, subtract, text
from ledger.values import timestamp
from okr.v1 import event_record_pb2 as event_record
from okr.v1 import events_pb2 as facts
from okr.v1 import resources_pb2 as resources
from okr.v1.event_record_pb2 import EventMetadata
from projections import adjustments, alignments, answers, revisions
from projections.adjustments import AdjustmentRow
from projections.as_of import Known
from projections.catalogue import cycle_at
from projections.paging import Cursor, Listed, Slice, cut
from projections.scorecard import Tree, tree

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
    return _shown(connection, steps)


def list_adjustments(
    connection: Connection, cycle_name: str, known: Known, part: Slice
) -> Listed[resources.Adjustment]:
    """The adjustments and proposals of a cycle in order, those that hold by the day asked for.

    Costs by the number shown times that of the cycle's key results: for each, the cycle is scored
    just before and just after.

    Raises:
        NotFound: the cycle is not known.
    """
    cycle_at(connection, cycle_name, known)

    def after(cursor: Cursor) -> Iterator[tuple[Sequence[AdjustmentRow], Cursor]]:
        position = int(cursor[0]) if cursor else 0
        while page := adjustments.of_cycle(
            connection,
            cycle_name,
            known.position,
            after_position=position,
            limit=ADJUSTMENTS_AT_A_TIME,
        ):
            for rows in page.values():
                position = rows[0].position
                if steps := _holding(rows, known):
                    yield steps, (position,)

    wanted = cut(after(part.after), part.limit)
    return Listed([_shown(connection, steps) for steps in wanted.items], wanted.next)


def _holding(rows: Sequence[AdjustmentRow], known: Known) -> Sequence[AdjustmentRow]:
    """The events of an adjustment that hold by the day asked for."""
    return [row for row in rows if known.day is None or row.effective <= known.day]


def _shown(connection: Connection, rows: Sequence[AdjustmentRow]) -> resources.Adjustment:
    steps = [Step(row.position, row.recorded_us, row.circumstances, row.fact) for row in rows]
    made = [step for step in steps if isinstance(step.fact, facts.StrategyAdjusted)]
    shown = adjustment_resource(steps, _made(connection, rows[0].adjustment) if made else [])
    for step in made:
        shown.effects.extend(_effects(connection, shown, step.recorded_us))
    return shown


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
    before, after = (dict(scores_of(each)) for each in standings)
    for name in sorted(dict.fromkeys([*after, *before]), key=_level):
        earlier, later = before.get(name), after.get(name)
        if earlier != later:
            yield resources.ScoreEffect(
                name=name,
                score_before=answers.number(earlier),
                score_after=answers.number(later),
                difference=text(subtract(later or ZERO, earlier or ZERO)),
            )


def _level(name: str) -> int:
    """The order of effects: key results, objectives, teams, the cycle."""
    if KEY_RESULTS in name:
        return 0
    return 1 + ("objectives", "teams", "cycles").index(name.partition("/")[0])


def scores_of(of: Tree) -> Iterator[tuple[str, Decimal | None]]:
    """Every score of a tree by name: key results, objectives, teams, the cycle."""
    standings = [of.board.standings.objective(name) for name in of.order]
    for objective in standings:
        for key_result in objective.key_results:
            current = key_result.facts.current
            if not current.dropped and objective.counts:
                yield current.name, key_result.scores.current
    for objective in standings:
        if objective.counts:
            yield objective.objective.name, objective.score
    for team, group in of.groups.items():
        yield team, group.scores.current
    yield of.cycle.name, of.root.scores.current


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
        decoded_metadata=EventMetadata.FromString(record.metadata),
        decoded_payload=AnyMessage(type_url=TYPE_URL + record.event_type, value=record.payload),
    )
