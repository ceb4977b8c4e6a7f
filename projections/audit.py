"""What changed and what it did to the scores: revisions, adjustments, and the events themselves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal

from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.field_mask_pb2 import FieldMask
from sqlalchemy import Connection

from ledger.adjustment_resources import Step, change_resource
from ledger.adjustment_resources import resource as adjustment_resource
from ledger.cycles import Cycle
from ledger.event import Record
from ledger.key_results import key_result_of
from ledger.objectives import KEY_RESULTS
from ledger.refusals import NotFound
from ledger.scoring.exact import ZERO, subtract, text
from ledger.values import date_message, timestamp
from okr.v1 import event_record_pb2 as event_record
from okr.v1 import events_pb2 as facts
from okr.v1 import resources_pb2 as resources
from okr.v1.event_record_pb2 import EventMetadata
from okr.v1.values_pb2 import KeyResultDefinition
from projections import adjustments, alignments, answers, revisions
from projections.adjustments import AdjustmentRow
from projections.as_of import Known
from projections.board import key_result_board
from projections.catalogue import cycle_at, cycle_of_objective
from projections.known_check_ins import counts
from projections.paging import Cursor, Listed, Slice, cut
from projections.revisions import RevisionRow
from projections.scorecard import Tree, tree

REVISIONS = "/revisions/"
TYPE_URL = "type.googleapis.com/"
ADJUSTMENTS_AT_A_TIME = 32
"""Adjustments read at a time: a proposal may come to a MiB."""


def key_result_revision(
    connection: Connection, name: str, known: Known
) -> resources.KeyResultRevision:
    """One revision of a key result.

    Raises:
        NotFound: there is none of that number, or it is not known.
    """
    key_result, _, number = name.partition(REVISIONS)
    rows = revisions.of(connection, key_result, known.position)
    if not 0 < int(number) <= len(rows):
        raise NotFound(name)
    return _Revisions(connection, key_result, rows, known).shown(int(number))


def list_key_result_revisions(
    connection: Connection,
    key_result: str,
    known: Known,
    part: Slice,
    *,
    after_plan_commitment: bool,
) -> Listed[resources.KeyResultRevision]:
    """The revisions of a key result that hold by the day asked for, the latest first.

    Costs by the number of revisions shown: each is scored just before and just after.

    Raises:
        NotFound: the key result is not known.
    """
    rows = revisions.of(connection, key_result, known.position)
    if not rows:
        raise NotFound(key_result)
    of = _Revisions(connection, key_result, rows, known)
    first = int(part.after[0]) - 1 if part.after else len(rows)
    wanted = cut(
        (
            (number, (number,))
            for number in range(first, 0, -1)
            if (known.day is None or rows[number - 1].effective <= known.day)
            and (not after_plan_commitment or of.is_after_plan(number))
        ),
        part.limit,
    )
    return Listed([of.shown(number) for number in wanted.items], wanted.next)


class _Revisions:
    """The revisions of one key result, numbered from 1."""

    def __init__(
        self, connection: Connection, key_result: str, rows: Sequence[RevisionRow], known: Known
    ) -> None:
        self._connection = connection
        self._name = key_result
        self._rows = rows
        # Its days are those of the cycle, whatever day the caller asks about.
        anywhen = replace(known, day=None)
        self._cycle, _ = cycle_of_objective(connection, key_result, anywhen)

    def is_after_plan(self, number: int) -> bool:
        """Whether the revision came after plan commitment."""
        plan_position = self._cycle.plan_position
        return 0 < plan_position < self._rows[number - 1].position

    def shown(self, number: int) -> resources.KeyResultRevision:
        """A revision with the scores around it, on the day on which it was recorded."""
        row = self._rows[number - 1]
        known = [each.revision for each in self._rows[:number]]
        snapshot = key_result_of(self._name, known)
        if snapshot is None:
            raise NotFound(f"{self._name}{REVISIONS}{number}")
        count = counts(self._connection, [self._name], row.position)[self._name]
        changed, before, after = _changes(known[-1].fact)
        day = _recorded_day(self._cycle, row)
        metadata = row.circumstances
        return resources.KeyResultRevision(
            name=f"{self._name}{REVISIONS}{number}",
            number=number,
            snapshot=replace(snapshot, check_in_count=count).resource(),
            position=row.position,
            event_type=row.event_type,
            recorded_time=timestamp(row.recorded_us),
            effective_date=date_message(max(row.effective, self._cycle.first_day)),
            actor=metadata.actor.plain,
            on_behalf_of=metadata.on_behalf_of.plain,
            reason=metadata.reason.plain,
            category=metadata.category,
            adjustment=metadata.adjustment,
            changed=changed,
            before=before,
            after=after,
            score_before=self._score(row.position - 1, day),
            score_after=self._score(row.position, day),
            after_plan_commitment=self.is_after_plan(number),
            source_time=metadata.source_time if metadata.HasField("source_time") else None,
        )

    def _score(self, position: int, day: date) -> str | None:
        made = key_result_board(self._connection, self._name, position, day)
        found = made.facts.key_results.get(self._name)
        if found is None or found.current.dropped:
            return None
        return answers.number(made.standings.key_result(self._name).scores.current)


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
    before, after = (dict(_scores(each)) for each in standings)
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


def _scores(of: Tree) -> Iterator[tuple[str, Decimal | None]]:
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


def _recorded_day(cycle: Cycle, row: RevisionRow) -> date:
    return Known(row.position, row.recorded_us, None).day_of(cycle)


def _changes(
    fact: object,
) -> tuple[FieldMask | None, KeyResultDefinition | None, KeyResultDefinition | None]:
    """The changed fields, before and after; of an addition its whole definition."""
    match fact:
        case facts.KeyResultRevised():
            return fact.changed, fact.before, fact.after
        case facts.KeyResultAdded() | facts.KeyResultCarriedOver():
            return None, None, fact.definition
        case _:
            return None, None, None


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
