"""Resources as the API shows them, made from what the model knows.

Left out, because they follow from no event: the etags of cycles, teams and objectives.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from google.type.date_pb2 import Date

from okr.v1 import resources_pb2 as resources
from okr.v1 import values_pb2 as values
from okr.v1.values_pb2 import KeyResultState, ObjectiveState
from tests.model import measure
from tests.model.filters import EVERYTHING, Passes
from tests.model.known import Absent, CheckIn, Cycle, Fact, Known, Objective, Team, given
from tests.model.numbers import rounded, shown, text
from tests.model.standing import Group, KeyResultLine, ObjectiveLine, Standing, Three

KEY_RESULTS: Final = "/keyResults/"


@dataclass(frozen=True)
class Instants:
    """What a read knows, the time that it knows it at, the day asked for, if any, and a filter."""

    known: Known
    us: int
    asked: date | None
    passes: Passes = EVERYTHING.passes

    def day_in(self, cycle: str) -> date:
        """The day that an answer about a cycle is about."""
        return self.asked or self.known.day_in(cycle, self.us)

    @property
    def latest(self) -> date:
        """The last day that a list of what is dated holds."""
        return self.asked or date.max

    def holds(self, fact: Fact) -> bool:
        """Whether a fact holds by the day asked for."""
        return fact.day <= self.latest


def date_message(day: date) -> Date:
    return Date(year=day.year, month=day.month, day=day.day)


def who_and_when(fact: Fact) -> dict[str, Any]:
    """What every record of the API tells."""
    metadata = fact.metadata
    return {
        "actor": metadata.actor.plain,
        "on_behalf_of": metadata.on_behalf_of.plain,
        "recorded_time": fact.event.header.recorded_time,
        "position": fact.position,
        "source_time": metadata.source_time if metadata.HasField("source_time") else None,
    }


def why(fact: Fact) -> dict[str, Any]:
    """The reason, the category and the adjustment."""
    metadata = fact.metadata
    return {
        "reason": metadata.reason.plain,
        "category": metadata.category,
        "adjustment": metadata.adjustment,
    }


def cycle(found: Cycle) -> resources.Cycle:
    return resources.Cycle(
        name=found.name,
        definition=found.definition,
        state=found.state,
        plan_position=found.plan_position,
        plan_date=date_message(found.plan_date) if found.plan_date else None,
    )


def team(found: Team) -> resources.Team:
    return resources.Team(name=found.name, definition=found.definition, retired=found.retired)


def objective(found: Objective, of: Cycle, key_results: Sequence[str]) -> resources.Objective:
    state = found.closed or (
        ObjectiveState.OBJECTIVE_STATE_ACTIVE
        if of.plan_position
        else ObjectiveState.OBJECTIVE_STATE_DRAFT
    )
    return resources.Objective(
        name=found.name,
        cycle=found.cycle,
        definition=found.definition,
        state=state,
        final_score=found.final,
        computed_score=found.computed,
        key_results=key_results,
    )


def key_result(found: Any, known: Known) -> resources.KeyResult:
    """As it is on a day; its number of revisions and check-ins are those known."""
    dropped = KeyResultState.KEY_RESULT_STATE_DROPPED
    revision = len(known.revisions(found.name))
    return resources.KeyResult(
        name=found.name,
        definition=found.definition,
        state=dropped if found.dropped else KeyResultState.KEY_RESULT_STATE_ACTIVE,
        etag=f'"{revision}"',
        revision=revision,
        check_in_count=len(known.of(found.name, "CheckInRecorded")),
        continued_from=found.continued_from,
    )


def check_in(found: CheckIn) -> resources.CheckIn:
    """Its content as last corrected, its author and time the first."""
    content, corrected = found.content.payload, found.content is not found.recorded
    told = who_and_when(found.recorded)
    del told["on_behalf_of"]
    return resources.CheckIn(
        name=found.name,
        measurement=content.measurement,
        effective_date=date_message(found.day),
        instant=content.instant if content.HasField("instant") else None,
        confidence=content.confidence if content.HasField("confidence") else None,
        note=content.note.plain,
        corrected_position=found.content.position if corrected else 0,
        corrected_by=found.content.metadata.actor.plain if corrected else "",
        retracted=found.retracted,
        **told,
    )


def three(found: Three) -> dict[str, Any]:
    return {
        "score": shown(found.current),
        "original_score": shown(found.original),
        "as_judged_score": shown(found.as_judged),
    }


def key_result_score(
    line: KeyResultLine, share: Any, standing: Standing
) -> resources.KeyResultScore:
    there = line.key_result
    policy = standing.cycle(standing.known.cycle_of(there.name)).definition.policy
    return resources.KeyResultScore(
        key_result=key_result(there, standing.known),
        check_in=check_in(line.check_ins[-1]) if line.check_ins else None,
        value=shown(line.value),
        attainment=shown(line.attainment),
        expected_progress=shown(line.expected_progress),
        expected_value=shown(line.expected_value),
        status=resources.STATUS_UNSPECIFIED if there.dropped else line.status,
        band=measure.band(line.scores.current, policy),
        weight_share=text(rounded(share)),
        **three(line.scores),
    )


def objective_score(line: ObjectiveLine, standing: Standing) -> resources.ObjectiveScore:
    of = standing.cycle(line.objective.cycle)
    names = [part.key_result.name for part in line.lines]
    return resources.ObjectiveScore(
        objective=objective(line.objective, of, names),
        computed_score=shown(line.computed),
        status=line.status,
        band=measure.band(line.scores.current, of.definition.policy),
        met=line.met,
        key_results=[
            key_result_score(part, line.shares[part.key_result.name], standing)
            for part in line.lines
        ],
        children=[
            resources.ChildScore(name=name, score=shown(score), weight_share=text(rounded(share)))
            for name, score, share in sorted(line.children)
        ],
        **three(line.scores),
    )


def team_score(of: Team, group: Group, policy: values.ScoringPolicy) -> resources.TeamScore:
    return resources.TeamScore(
        team=team(of),
        status=group.status,
        band=measure.band(group.scores.current, policy),
        objective_count=group.count,
        **three(group.scores),
    )


def seal(fact: Fact, reopened: Fact | None) -> resources.Seal:
    sealed = fact.payload
    reopening = None
    if reopened is not None:
        reason = reopened.metadata.reason.plain
        reopening = resources.Reopening(reason=reason, **who_and_when(reopened))
    return resources.Seal(
        name=f"{sealed.cycle}/seals/{sealed.number}",
        cycle=sealed.cycle,
        number=sealed.number,
        closing_position=sealed.closing_position,
        effective_date=fact.metadata.effective_date,
        reason=fact.metadata.reason.plain,
        score=given(sealed, "score"),
        original_score=given(sealed, "original_score"),
        as_judged_score=given(sealed, "as_judged_score"),
        team_scores=sealed.team_scores,
        objective_scores=sealed.objective_scores,
        key_result_count=sealed.key_result_count,
        key_result_digest=sealed.key_result_digest,
        reopening=reopening,
        **who_and_when(fact),
    )


def named(found: Sequence[Any], name: str) -> Any:
    """The resource of a name."""
    for each in found:
        if each.name == name:
            return each
    raise Absent(name)


def amendment(fact: Fact) -> resources.Amendment:
    told = fact.payload
    return resources.Amendment(
        name=f"{told.cycle}/amendments/{told.number}",
        cycle=told.cycle,
        number=told.number,
        seal=f"{told.cycle}/seals/{told.seal}",
        subject=told.subject,
        statement=told.statement.plain,
        amended_value=given(told, "amended_value"),
        amended_score=given(told, "amended_score"),
        **who_and_when(fact),
    )


def review(fact: Fact) -> resources.Review:
    held = fact.payload
    return resources.Review(
        name=held.review,
        cycle=held.cycle,
        kind=held.kind,
        team=held.team,
        effective_date=fact.metadata.effective_date,
        seen_position=held.seen_position,
        participants=[each.plain for each in held.participants],
        notes=held.notes.plain,
        adjustments=held.adjustments,
        **who_and_when(fact),
    )


def lesson(fact: Fact) -> resources.Lesson:
    learnt = fact.payload
    return resources.Lesson(
        name=f"{learnt.cycle}/lessons/{learnt.number}",
        cycle=learnt.cycle,
        number=learnt.number,
        subject=learnt.subject,
        category=fact.metadata.category,
        lesson=learnt.lesson.plain,
        review=fact.metadata.review,
        **who_and_when(fact),
    )


def by_level(name: str) -> tuple[int, str]:
    """Key results first, then objectives, teams and the cycle."""
    if KEY_RESULTS in name:
        return 0, name
    return 1 + ("objectives", "teams", "cycles").index(name.partition("/")[0]), name


def differing(before: Any, after: Any) -> list[str]:
    """The fields in which two definitions differ, by their numbers."""
    names = [field.name for field in before.DESCRIPTOR.fields]
    return [name for name in names if only(before, [name]) != only(after, [name])]


def only(definition: Any, fields: Sequence[str]) -> Any:
    """A definition reduced to some of its fields."""
    found = type(definition)()
    found.CopyFrom(definition)
    for field, _ in definition.ListFields():
        if field.name not in fields:
            found.ClearField(field.name)
    return found
