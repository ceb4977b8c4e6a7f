"""GetRetrospective: a cycle from its plan to its outcome, and what can be learnt from it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Final

from sqlalchemy import Connection

from ledger.cycles import Cycle
from ledger.dues import Tally
from ledger.momentum import momentum
from ledger.objectives import stream_of
from ledger.scoring.calibration import calibrated, made_share
from ledger.scoring.exact import mean, multiply, ratio
from ledger.scoring.key_result import Aggregation, Metric
from ledger.scoring.pace import Commitment, way
from ledger.standing import ObjectiveStanding, commitment_of
from ledger.values import date_message
from okr.v1 import events_pb2 as facts
from okr.v1 import retrospective_pb2 as looked_back
from okr.v1.audit_service_pb2 import (
    AttributeScoreRequest,
    ListAdjustmentsRequest,
    ListKeyResultRevisionsRequest,
    ListObjectiveRevisionsRequest,
)
from okr.v1.resources_pb2 import Lesson, ScorePart
from okr.v1.retrospective_pb2 import CarryOverReason, ConfidenceRole
from projections import alignments, answers
from projections.as_of import Known
from projections.audit.attribution import attributed, parts_of_each
from projections.audit.decisions import list_adjustments
from projections.audit.revisions import (
    Asked,
    Resource,
    Show,
    list_revisions,
    show_key_result,
    show_objective,
)
from projections.catalogue import cycle_at
from projections.cycle_end import list_lessons, review
from projections.paging import whole
from projections.replay.outcomes import Outcome, mid_day, outcomes
from projections.scorecard import Tree, lines, tree

_GRADES: Final = frozenset(
    kind.DESCRIPTOR.full_name for kind in (facts.ObjectiveGraded, facts.ObjectiveRegraded)
)


def retrospective(
    connection: Connection, cycle_name: str, team: str, known: Known
) -> looked_back.Retrospective:
    """The cycle, or a team with its sub-teams in it, looked back upon.

    Costs by the number of key results and check-ins, and by that of adjustments times key results.

    Raises:
        NotFound: the cycle or the team is not known.
        DayOutsideCycle, DayInFuture: the day asked for is not one of the cycle's.
    """
    cycle, day = cycle_at(connection, cycle_name, known)
    of = tree(connection, cycle, team, known.position, day)
    found = outcomes(connection, of, known.position)
    everything = [each for group in found.values() for each in group]
    counting = [each for each in everything if each.counts]
    sure = [each for each in counting if each.confidence is not None]
    standings = [of.board.standings.objective(name) for name in of.order]
    root = of.root
    subject = AttributeScoreRequest(subject=team or cycle.name, cycle=cycle.name)
    moved = parts_of_each(connection, subject, of.order, known) if cycle.committed else {}
    return looked_back.Retrospective(
        cycle=cycle.resource(),
        team=team,
        effective_at=date_message(day),
        running=day < cycle.last_day,
        mid_day=date_message(mid_day(cycle)),
        score=answers.number(root.scores.current),
        original_score=answers.number(root.scores.original),
        as_judged_score=answers.number(root.scores.as_judged),
        band=answers.band(root.band),
        objective_count=root.objective_count,
        met_count=sum(1 for each in standings if each.counts and each.met),
        objectives=[
            _objective(each, found[name], moved.get(name, ()), cycle)
            for name, each in zip(of.order, standings, strict=True)
        ],
        adjustments=_adjustments(connection, of, known),
        revisions=_alone(
            connection,
            ListKeyResultRevisionsRequest(
                parent="objectives/-/keyResults/-",
                after_plan_commitment=True,
                cycle=cycle.name,
                team=team,
            ),
            known,
            show_key_result,
        ),
        objective_revisions=_alone(
            connection,
            ListObjectiveRevisionsRequest(
                parent="objectives/-", after_plan_commitment=True, cycle=cycle.name, team=team
            ),
            known,
            show_objective,
        ),
        discipline=_discipline("", everything),
        discipline_by_owner=[_discipline(*each) for each in _by(everything, lambda o: o.owner)],
        discipline_by_team=[_discipline(*each) for each in _by(everything, lambda o: o.team)],
        calibration=_calibration("", counting),
        calibration_by_team=[_calibration(*each) for each in _by(sure, lambda o: o.team)],
        calibration_by_role=[_calibration(*each) for each in _by(sure, _role)],
        forecasts=_forecasts(counting),
        carry_overs=_carry_overs(connection, of, counting, known),
        lessons=_lessons(connection, of, known),
        attribution=attributed(connection, subject, known, None) if cycle.committed else None,
    )


def _objective(
    standing: ObjectiveStanding,
    key_results: Sequence[Outcome],
    parts: Iterable[ScorePart],
    cycle: Cycle,
) -> looked_back.ObjectiveOutcome:
    return looked_back.ObjectiveOutcome(
        objective=standing.objective.resource(cycle),
        score=answers.number(standing.score),
        original_score=answers.number(standing.original),
        as_judged_score=answers.number(standing.as_judged),
        met=standing.met,
        key_results=[_key_result(each) for each in key_results],
        parts=parts,
    )


def _key_result(of: Outcome) -> looked_back.KeyResultOutcome:
    scores, confidence = of.standing.scores, of.confidence
    key_result = of.standing.facts.current.resource()
    key_result.continued_by.extend(of.continued_by)
    return looked_back.KeyResultOutcome(
        key_result=key_result,
        owner=of.owner,
        planned=of.standing.facts.original,
        value=answers.number(of.value),
        score=answers.number(scores.current),
        original_score=answers.number(scores.original),
        as_judged_score=answers.number(scores.as_judged),
        met=of.met,
        mid_confidence=confidence.value if confidence else None,
        mid_confidence_role=_role_of(of),
        brier=answers.number(of.brier),
        mid_forecast=answers.forecast(of.forecast),
        forecast_error=answers.number(of.forecast_error),
        discipline=_discipline(of.name, [of]),
    )


def _adjustments(
    connection: Connection, of: Tree, known: Known
) -> Iterator[looked_back.AdjustmentOutcome]:
    """The adjustments that changed something of the tree, with where the scores of it ended."""
    ends = {line.name: line.score for line in lines(of)}
    inside = {*_inside(of), *ends}
    asked = ListAdjustmentsRequest(cycle=of.cycle.name, filter="state = APPLIED")
    for made in whole(lambda part: list_adjustments(connection, asked, known, part)):
        if of.team and not any(stream_of(change.subject) in inside for change in made.changes):
            continue
        yield looked_back.AdjustmentOutcome(
            adjustment=made,
            courses=[
                looked_back.ScoreCourse(
                    name=effect.name,
                    score_before=effect.score_before if effect.HasField("score_before") else None,
                    score_after=effect.score_after if effect.HasField("score_after") else None,
                    score_at_end=answers.number(ends.get(effect.name)),
                )
                for effect in made.effects
                if effect.name in inside
            ],
        )


def _inside(of: Tree) -> set[str]:
    """The objectives of the tree and their key results."""
    objectives = of.board.facts.objectives
    return {*of.order, *(part for name in of.order for part in objectives[name].key_results)}


def _alone(
    connection: Connection, asked: Asked, known: Known, show: Show[Resource]
) -> list[Resource]:
    """The changes of the committed plan that were no part of an adjustment, in order."""
    listed = whole(lambda part: list_revisions(connection, asked, known, part, show))
    found = [made for made in listed if not made.adjustment and made.event_type not in _GRADES]
    return found[::-1]


def _by(
    given: Iterable[Outcome], name: Callable[[Outcome], str]
) -> list[tuple[str, list[Outcome]]]:
    """The outcomes by a name, in its order."""
    groups: dict[str, list[Outcome]] = {}
    for each in given:
        groups.setdefault(name(each), []).append(each)
    return sorted(groups.items())


def _discipline(name: str, given: Iterable[Outcome]) -> looked_back.Discipline:
    total = Tally()
    for each in given:
        total += each.tally
    return looked_back.Discipline(
        name=name,
        due=total.due,
        made=total.made,
        late=total.late,
        made_share=answers.number(made_share(total.made, total.due)),
    )


def _role_of(of: Outcome) -> ConfidenceRole.ValueType:
    """In which role its confidence at mid-cycle was given, if there was one."""
    given = of.confidence
    return given.role if given else ConfidenceRole.CONFIDENCE_ROLE_UNSPECIFIED


def _role(of: Outcome) -> str:
    return ConfidenceRole.Name(_role_of(of)).removeprefix("CONFIDENCE_ROLE_")


def _calibration(name: str, given: Iterable[Outcome]) -> looked_back.Calibration:
    found = calibrated([each.belief for each in given if each.belief is not None])
    return looked_back.Calibration(
        name=name,
        count=found.count,
        brier=answers.number(found.brier),
        mean_confidence=answers.number(found.mean_confidence),
        met_share=answers.number(found.met_share),
    )


def _forecasts(given: Iterable[Outcome]) -> looked_back.ForecastAccuracy:
    count, within, errors = 0, 0, []
    for each in given:
        error = each.forecast_error
        if error is None or each.forecast is None or each.value is None:
            continue
        count += 1
        within += each.forecast.low <= each.value <= each.forecast.high
        span = way(each.definition)
        if span:
            errors.append(abs(ratio(error, span)))
    return looked_back.ForecastAccuracy(
        count=count,
        within_range=within,
        mean_error=answers.number(mean(errors)) if errors else None,
    )


def _lessons(connection: Connection, of: Tree, known: Known) -> Iterator[Lesson]:
    """The lessons about the tree, of a team also those of its own reviews."""
    inside = _inside(of)
    for each in whole(lambda part: list_lessons(connection, of.cycle.name, "", known, part)):
        if not of.team or each.subject in inside or _team_of(connection, each, known) in of.groups:
            yield each


def _team_of(connection: Connection, lesson: Lesson, known: Known) -> str:
    """The team that held the review in which a lesson was learnt, if any did."""
    return review(connection, lesson.review, known).team if lesson.review else ""


def _carry_overs(
    connection: Connection, of: Tree, counting: Sequence[Outcome], known: Known
) -> Iterator[looked_back.CarryOverSuggestion]:
    open_ends = [each for each in counting if not each.met and not each.continued_by]
    edges = alignments.of_children(
        connection, [each.name for each in open_ends], known.position, of.day
    )
    aligned = {edge.child for edge in edges}
    for each in open_ends:
        reasons = list(_reasons(each, of, is_aligned=each.name in aligned))
        if reasons:
            yield looked_back.CarryOverSuggestion(
                key_result=each.name, reasons=reasons, baseline=answers.number(_baseline(each))
            )


def _reasons(of: Outcome, within: Tree, *, is_aligned: bool) -> Iterator[CarryOverReason.ValueType]:
    if commitment_of(of.objective) is Commitment.COMMITTED:
        yield CarryOverReason.CARRY_OVER_REASON_PROMISED
    if is_aligned:
        yield CarryOverReason.CARRY_OVER_REASON_DEPENDED_ON
    check_ins = [each.check_in for each in of.check_ins]
    recent = momentum(of.standing, check_ins, within.cycle, within.day).recent
    span = way(of.definition)
    if recent is not None and span is not None and multiply(recent, span) > 0:
        yield CarryOverReason.CARRY_OVER_REASON_MOVING


def _baseline(of: Outcome) -> Decimal | None:
    """A value to begin the next cycle with, where one carries on."""
    numbers = (Metric.NUMBER, Metric.ZONES)
    summed = of.definition.aggregation is Aggregation.SUM
    if of.definition.metric not in numbers or summed or way(of.definition) is None:
        return None
    return of.value
