"""What ListDueCheckIns and ListDeviations have to answer, from the comments of their messages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final, NamedTuple

from google.protobuf.message import Message

from okr.v1 import resources_pb2 as resources
from okr.v1 import score_service_pb2 as scores
from okr.v1.resources_pb2 import DeviationKind, DueState
from okr.v1.values_pb2 import CycleState
from tests.model.known import Absent, Cycle, Fact, Objective, in_order
from tests.model.measure import next_check_in, periods
from tests.model.momentum import Momentum, momentum
from tests.model.numbers import ZERO, Score, rounded, shown, text
from tests.model.shapes import KEY_RESULTS, Instants, check_in, date_message, key_result
from tests.model.standing import KeyResultLine, Standing

OF_STATUS: Final = {
    resources.STATUS_AT_RISK: DeviationKind.DEVIATION_KIND_AT_RISK,
    resources.STATUS_STALE: DeviationKind.DEVIATION_KIND_STALE,
    resources.STATUS_BEHIND: DeviationKind.DEVIATION_KIND_BEHIND,
}
UNIMPORTANT: Final = {"title", "description", "owner", "visibility", "measure_kind"}
"""Fields whose change is no dependant's concern."""


class Due(NamedTuple):
    """A check-in that is owed: by which day, in which period."""

    day: date
    number: int
    period: tuple[date, date]


@dataclass(frozen=True)
class Subject:
    """A key result that counts, or an objective where there is no line."""

    standing: Standing
    cycle: Cycle
    objective: Objective
    line: KeyResultLine | None = None

    @property
    def name(self) -> str:
        return self.line.key_result.name if self.line else self.objective.name

    @property
    def definition(self) -> Any:
        return self.line.key_result.definition if self.line else self.objective.definition

    @property
    def owner(self) -> str:
        own = self.line.key_result.definition.owner.plain if self.line else ""
        return own or self.objective.definition.owner.plain

    @property
    def due(self) -> Due | None:
        """The next check-in that a key result owes."""
        known, day = self.standing.known, self.standing.day
        assert self.line is not None
        beats = periods(self.cycle.definition)
        first, last = beats[0][0], beats[-1][1]
        if self.line.check_ins:
            done = self.line.check_ins[-1].day
            on = max(next_check_in(done, self.cycle.definition.cadence), first)
            if on > last and done >= beats[-1][0]:
                return None
            on = min(on, last)
        else:
            starts = ("KeyResultAdded", "KeyResultCarriedOver", "KeyResultRestored")
            added = [f.day for f in known.of(self.name, *starts) if f.day <= day]
            since = max([self.cycle.plan_date or first, *added])
            on = next((end for start, end in beats if start >= since), last)
        number = sum(start <= on for start, _ in beats)
        return Due(on, number, beats[number - 1])


def subjects(request: Any, at: Instants) -> Iterator[Subject]:
    """What is asked about: key results that count, then objectives, of committed cycles."""
    known = at.known
    if request.team and known.team(request.team, at.latest) is None:
        raise Absent(request.team)
    for name in [request.cycle] if request.cycle else _running(at):
        day = at.day_in(name)
        cycle = known.cycle(name, day)
        if cycle.state == CycleState.CYCLE_STATE_DRAFT:
            continue
        standing = Standing(known, day)
        teams = known.teams(day)
        tree = known.tree(teams, request.team) if request.team in ("", *teams) else []
        blocks = [standing.objective(each) for each in standing.members(name, tree)]
        opened = [block for block in blocks if block and not block.objective.closed]
        found = [Subject(standing, cycle, b.objective, line) for b in opened for line in b.counting]
        found += [Subject(standing, cycle, block.objective) for block in opened]
        yield from (each for each in found if request.owner in ("", each.owner))


def _running(at: Instants) -> Iterator[str]:
    """The cycles that run, in which the day lies."""
    for name in at.known.named("CycleDrafted", "cycle"):
        cycle = at.known.cycle(name)
        day = at.asked or at.known.today_in(name, at.us)
        active = cycle.state == CycleState.CYCLE_STATE_ACTIVE
        if active and cycle.first <= day <= cycle.last_check_in_day:
            yield name


def list_due_check_ins(request: scores.ListDueCheckInsRequest, at: Instants) -> Message:
    ahead = request.within_days if request.HasField("within_days") else 2
    owed = [
        (due, each)
        for each in subjects(request, at)
        if each.line and each.cycle.state == CycleState.CYCLE_STATE_ACTIVE
        if (due := each.due) and due.day <= each.standing.day + timedelta(ahead)
    ]
    owed.sort(key=lambda pair: (pair[0].day, pair[1].name))
    return scores.ListDueCheckInsResponse(due_check_ins=[_owed(*pair) for pair in owed])


def _owed(due: Due, of: Subject) -> resources.DueCheckIn:
    day = of.standing.day
    state = DueState.DUE_STATE_SOON
    if due.day <= day:
        state = DueState.DUE_STATE_TODAY if due.day == day else DueState.DUE_STATE_OVERDUE
    assert of.line is not None
    return resources.DueCheckIn(
        key_result=of.name,
        title=of.definition.title,
        cycle=of.cycle.name,
        team=of.objective.definition.team,
        owner=of.owner,
        period=resources.CadencePeriod(
            number=due.number,
            first_day=date_message(due.period[0]),
            last_day=date_message(due.period[1]),
        ),
        due_day=date_message(due.day),
        state=state,
        overdue_days=max((day - due.day).days, 0),
        check_in=check_in(of.line.check_ins[-1]) if of.line.check_ins else None,
        effective_at=date_message(day),
    )


# --- what deviates ---


def list_deviations(request: scores.ListDeviationsRequest, at: Instants) -> Message:
    kinds = set(request.kinds)
    found = [(_findings(each), each) for each in subjects(request, at)]
    lines = [
        (_place(findings[0].kind, each), _deviation(findings, each))
        for findings, each in found
        if findings and (not kinds or kinds & {finding.kind for finding in findings})
    ]
    lines.sort(key=lambda line: line[0])
    return scores.ListDeviationsResponse(deviations=[line for _, line in lines])


def _place(worst: int, of: Subject) -> Any:
    """By the worst finding, the larger gap, the larger shortfall, the name."""
    if of.line is None:
        return worst, ZERO, ZERO, of.name
    gap = _gap(of.line)
    lag = (of.line.expected_progress or ZERO) if gap is None else gap
    return worst, -lag, -(_moves(of).shortfall or ZERO), of.name


def _moves(of: Subject) -> Momentum:
    assert of.line is not None
    day = of.standing.day
    return momentum(of.definition, of.line.check_ins, of.cycle, day)


def _gap(line: KeyResultLine) -> Score:
    if line.expected_progress is None or line.attainment is None:
        return None
    return rounded(line.expected_progress - line.attainment)


def _findings(of: Subject) -> list[resources.DeviationFinding]:
    """Worst first, those of one kind by position."""
    found = [*_own_findings(of, of.line)] if of.line else []
    found += [
        _concern(change)
        for change in _changes(of)
        if not (_has_looked(of, change) or _was_reviewed(of, change))
    ]
    return sorted(found, key=lambda each: (each.kind, list(each.positions)))


def _own_findings(of: Subject, line: KeyResultLine) -> Iterator[resources.DeviationFinding]:
    known, day = of.standing.known, of.standing.day
    steps = known.revisions(of.name)
    defined = in_order(steps, day)[-1].position
    told = line.check_ins[-1].content.position if line.check_ins else 0
    if line.status == resources.STATUS_STALE:
        yield _finding(DeviationKind.DEVIATION_KIND_STALE, told)
    elif line.status in OF_STATUS:
        yield _finding(OF_STATUS[line.status], told, defined)
    elif line.status == resources.STATUS_PENDING and of.due and of.due.day < day:
        yield _finding(DeviationKind.DEVIATION_KIND_NOT_STARTED, told or steps[0].position)
    moves = _moves(of)
    if moves.falls_behind and moves.since and moves.until:
        between = (moves.since.content.position, moves.until.content.position)
        yield _finding(DeviationKind.DEVIATION_KIND_FALLING_BEHIND, *between)
    if not of.owner:
        yield _finding(DeviationKind.DEVIATION_KIND_NO_OWNER, defined)


def _finding(kind: DeviationKind.ValueType, *positions: int) -> resources.DeviationFinding:
    return resources.DeviationFinding(kind=kind, positions=sorted(positions))


# --- what depends on what ---


def above(standing: Standing, name: str) -> set[str]:
    """What depends on a name through alignment, directly or further up."""
    found, left = {name}, [name]
    while left:
        node = left.pop()
        parents = [edge.parent for edge in standing.edges if edge.child == node]
        parents.append(node.partition(KEY_RESULTS)[0])
        left += {*parents} - found
        found |= {*parents}
    return found - {name, name.partition(KEY_RESULTS)[0]}


def _changes(of: Subject) -> list[Fact]:
    """The changes of committed plans that concern it and on which it still depends."""
    known, day = of.standing.known, of.standing.day
    kinds = ("KeyResultRevised", "KeyResultDropped", "KeyResultRestored", "ObjectiveRevised")
    found = []
    for fact in known.events:
        if fact.day > day or fact.kind not in (*kinds, "ObjectiveAbandoned"):
            continue
        if not 0 < known.cycle(known.cycle_of(fact.subject)).plan_position < fact.position:
            continue
        changed = getattr(fact.payload, "changed", None)
        if fact.kind == "ObjectiveAbandoned":
            own = [fact.subject, *known.key_results(fact.subject)]
            concerned = set().union(*(above(of.standing, each) for each in own))
        elif changed is not None and UNIMPORTANT.issuperset(changed.paths):
            continue
        elif of.name in fact.payload.dependants:
            concerned = above(of.standing, fact.subject)
        else:
            continue
        if of.name in concerned:
            found.append(fact)
    return found


def _has_looked(of: Subject, change: Fact) -> bool:
    """Whether it was revised since, or by the same adjustment, or checked in."""
    known, day = of.standing.known, of.standing.day
    block = of.standing.objective(of.objective.name)
    assert block is not None
    parts = [of.line] if of.line else block.counting
    names = [of.name] if of.line else [of.name, *(line.key_result.name for line in block.lines)]
    adjustment = change.metadata.adjustment
    for fact in (fact for name in names for fact in known.revisions(name) if fact.day <= day):
        if fact.position > change.position or fact.metadata.adjustment == adjustment > "":
            return True
    latest = [line.check_ins[-1].content.position if line.check_ins else 0 for line in parts]
    return bool(latest) and min(latest) > change.position


def _was_reviewed(of: Subject, change: Fact) -> bool:
    """Whether a later review saw it that was its team's, or in which its owner took part."""
    for fact in of.standing.known.events:
        if fact.kind != "ReviewHeld" or fact.payload.cycle != of.cycle.name:
            continue
        saw = fact.position > change.position and fact.payload.seen_position >= change.position
        there = [each.plain for each in fact.payload.participants]
        its_own = fact.payload.team == of.objective.definition.team or of.owner in there
        if saw and its_own and fact.day <= of.standing.day:
            return True
    return False


def _concern(fact: Fact) -> resources.DeviationFinding:
    said = fact.metadata
    return resources.DeviationFinding(
        kind=DeviationKind.DEVIATION_KIND_DEPENDENCY_CHANGED,
        positions=[fact.position],
        subject=fact.subject,
        event_type=fact.event.header.event_type,
        adjustment=said.adjustment,
        actor=said.actor.plain,
        reason=said.reason.plain,
        category=said.category,
        recorded_time=fact.event.header.recorded_time,
    )


def _dependants(of: Subject) -> Iterator[resources.Dependant]:
    for name in sorted(above(of.standing, of.name)):
        objective = of.standing.known.objective(name.partition(KEY_RESULTS)[0], of.standing.day)
        line = of.standing.key_result(name) if KEY_RESULTS in name else None
        if objective is not None and (line or KEY_RESULTS not in name):
            there = Subject(of.standing, of.cycle, objective, line)
            yield resources.Dependant(
                name=name,
                title=there.definition.title,
                team=objective.definition.team,
                owner=there.owner,
            )


def _deviation(findings: Sequence[resources.DeviationFinding], of: Subject) -> resources.Deviation:
    shown_ = resources.Deviation(
        name=of.name,
        title=of.definition.title,
        cycle=of.cycle.name,
        team=of.objective.definition.team,
        owner=of.owner,
        findings=findings,
        dependants=_dependants(of),
        effective_at=date_message(of.standing.day),
    )
    line = of.line
    if line is None:
        block = of.standing.objective(of.name)
        assert block is not None
        shown_.status = block.status
        return shown_
    moves, due = _moves(of), of.due
    shown_.MergeFrom(
        resources.Deviation(
            status=line.status,
            key_result=key_result(line.key_result, of.standing.known),
            value=shown(moves.value),
            expected_value=shown(line.expected_value),
            attainment=shown(line.attainment),
            expected_progress=shown(line.expected_progress),
            gap=shown(_gap(line)),
            recent_pace=shown(moves.recent),
            required_pace=shown(moves.required),
            pace_shortfall=shown(moves.shortfall),
            check_in=check_in(line.check_ins[-1]) if line.check_ins else None,
            due_day=date_message(due.day) if due else None,
        )
    )
    if moves.forecast:
        value, low, high = map(text, moves.forecast)
        shown_.forecast.CopyFrom(resources.Forecast(value=value, low=low, high=high))
    return shown_
