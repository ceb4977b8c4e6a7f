"""ListDeviations: what needs attention, worst first, and from which events that comes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Final

from sqlalchemy import Connection

from ledger.check_ins import CheckIn
from ledger.dues import due, owner_of
from ledger.key_results import KeyResult
from ledger.momentum import Momentum, momentum
from ledger.objectives import Objective
from ledger.revision import in_order
from ledger.scoring.cadence import Due
from ledger.scoring.exact import ZERO, text, units
from ledger.scoring.pace import Forecast, Status, gap
from ledger.standing import KeyResultStanding
from ledger.values import date_message, timestamp
from okr.v1 import resources_pb2 as resources
from okr.v1.resources_pb2 import DeviationFinding, DeviationKind
from okr.v1.score_service_pb2 import ListDeviationsRequest
from projections import answers
from projections.as_of import Known
from projections.dependencies import Instants, changes, dependants
from projections.dues import last_day
from projections.known_check_ins import all_in_force
from projections.paging import Cursor, Listed, Slice, cut
from projections.revisions import RevisionRow
from projections.scope import Part, parts

_OF_STATUS: Final = {
    Status.AT_RISK: DeviationKind.DEVIATION_KIND_AT_RISK,
    Status.STALE: DeviationKind.DEVIATION_KIND_STALE,
    Status.BEHIND: DeviationKind.DEVIATION_KIND_BEHIND,
}


@dataclass(slots=True)
class _Line:
    """What was found about a key result, or about an objective where `standing` is None."""

    part: Part
    objective: Objective
    standing: KeyResultStanding | None = None
    moves: Momentum | None = None
    owed: Due | None = None
    findings: list[DeviationFinding] = field(default_factory=list)

    @property
    def key_result(self) -> KeyResult | None:
        return self.standing.facts.current if self.standing else None

    @property
    def name(self) -> str:
        return (self.key_result or self.objective).name

    @property
    def behind(self) -> Decimal | None:
        """The gap between expected and actual progress, None if either is missing."""
        of = self.standing
        if of is None or of.expected_progress is None or of.attainment is None:
            return None
        return gap(of.expected_progress, of.attainment)

    @property
    def key(self) -> Cursor:
        """The place in the list: no two lines share one."""
        lag = self.behind
        if lag is None and self.standing is not None:
            lag = self.standing.expected_progress
        shortfall = self.moves.shortfall if self.moves else None
        worst = min(finding.kind for finding in self.findings)
        return (int(worst), -units(lag or ZERO), -units(shortfall or ZERO), self.name)


def list_deviations(
    connection: Connection, request: ListDeviationsRequest, known: Known, part: Slice
) -> Listed[resources.Deviation]:
    """What deviates from the plan, in the order that `Deviation` states.

    Raises:
        NotFound: the cycle or the team is not known.
        DayOutsideCycle, DayInFuture: the day asked for is not one of the cycle's.
    """
    kinds = set(request.kinds)
    lines = sorted(
        (
            (line.key, line)
            for each in parts(connection, request, known)
            for line in _found(connection, each, known.position)
            if not kinds or kinds.intersection(finding.kind for finding in line.findings)
        ),
        key=lambda keyed: keyed[0],
    )
    wanted = cut(((line, key) for key, line in lines if key > part.after), part.limit)
    return Listed(list(_all_shown(connection, wanted.items, known.position)), wanted.next)


def _found(connection: Connection, part: Part, position: int) -> Iterator[_Line]:
    """The lines of a cycle that have a finding."""
    at = Instants(connection, position, part.day)
    lines = [*_key_results(connection, part, position), *_objectives(part)]
    concerns = changes(at, [line.name for line in lines])
    concerned = [line for line in lines if line.name in concerns]
    own = at.revisions([name for line in concerned for name in _decided_together(line)])
    for line in concerned:
        history = [row for name in _decided_together(line) for row in own[name]]
        line.findings += [
            _changed(row) for row in concerns[line.name] if not _has_looked(line, history, row)
        ]
    for line in lines:
        if line.findings:
            line.findings.sort(key=lambda finding: (finding.kind, list(finding.positions)))
            yield line


def _key_results(connection: Connection, part: Part, position: int) -> Iterator[_Line]:
    counting = list(part.key_results())
    held = all_in_force(connection, [k.name for _, k in counting], position, part.day)
    for objective, key_result in counting:
        standing = part.board.standings.key_result(key_result.name)
        check_ins = [known.check_in for known in held[key_result.name]]
        yield _own(
            _Line(
                part,
                objective,
                standing,
                momentum(standing, check_ins, part.cycle, part.day),
                due(key_result, part.cycle, last_day(part, key_result), part.day),
            )
        )


def _objectives(part: Part) -> Iterator[_Line]:
    for objective in part.objectives():
        if part.is_owned(objective):
            yield _Line(part, objective)


def _own(line: _Line) -> _Line:
    """The line of a key result with what its own facts say."""
    standing, moves = line.standing, line.moves
    assert standing is not None
    assert moves is not None
    key_result = standing.facts.current
    defined = in_order(key_result.revisions, line.part.day)[-1].position
    last = standing.facts.check_ins[-1] if standing.facts.check_ins else None
    measured = last.content_position if last else 0
    if standing.status in _OF_STATUS:
        on = [measured] if standing.status is Status.STALE else [measured, defined]
        line.findings.append(_finding(_OF_STATUS[standing.status], *on))
    elif standing.status is Status.PENDING and line.owed and line.owed.day < line.part.day:
        added = key_result.revisions[0].position
        line.findings.append(_finding(DeviationKind.DEVIATION_KIND_NOT_STARTED, measured or added))
    if moves.falling_behind and moves.since and moves.until:
        between = moves.since.content_position, moves.until.content_position
        line.findings.append(_finding(DeviationKind.DEVIATION_KIND_FALLING_BEHIND, *between))
    if not owner_of(line.objective, key_result):
        line.findings.append(_finding(DeviationKind.DEVIATION_KIND_NO_OWNER, defined))
    return line


def _finding(kind: DeviationKind.ValueType, *positions: int) -> DeviationFinding:
    return DeviationFinding(kind=kind, positions=sorted(positions))


def _changed(row: RevisionRow) -> DeviationFinding:
    """The finding that something it depends on was changed."""
    said = row.circumstances
    return DeviationFinding(
        kind=DeviationKind.DEVIATION_KIND_DEPENDENCY_CHANGED,
        positions=[row.position],
        subject=row.subject,
        event_type=row.event_type,
        adjustment=row.adjustment,
        actor=said.actor.plain,
        reason=said.reason.plain,
        category=said.category,
        recorded_time=timestamp(row.recorded_us),
    )


def _decided_together(line: _Line) -> list[str]:
    """The names whose revision shows that somebody looked: an objective's key results too."""
    return [line.name] if line.standing else [line.name, *line.objective.key_results]


def _has_looked(line: _Line, history: Sequence[RevisionRow], change: RevisionRow) -> bool:
    """Whether it was checked in or revised since a change, or by the same adjustment."""
    if any(
        row.position > change.position or row.adjustment == change.adjustment > ""
        for row in history
    ):
        return True
    if line.standing:
        latest = [_latest(line.standing.facts.check_ins)]
    else:
        facts = line.part.board.facts.key_results
        counting = [k.name for k in line.objective.key_results.values() if not k.dropped]
        latest = [_latest(facts[name].check_ins) for name in counting]
    return bool(latest) and all(position > change.position for position in latest)


def _latest(check_ins: Sequence[CheckIn]) -> int:
    """The position that gave the check-in in force its content, 0 if there is none."""
    return check_ins[-1].content_position if check_ins else 0


def _all_shown(
    connection: Connection, lines: Sequence[_Line], position: int
) -> Iterator[resources.Deviation]:
    names: dict[tuple[str, date], list[str]] = {}
    for line in lines:
        names.setdefault((line.part.cycle.name, line.part.day), []).append(line.name)
    above = {
        cycle: dependants(Instants(connection, position, day), of_cycle)
        for (cycle, day), of_cycle in names.items()
    }
    for line in lines:
        yield _shown(line, above[line.part.cycle.name][line.name])


def _shown(line: _Line, above: Sequence[resources.Dependant]) -> resources.Deviation:
    part, objective, key_result = line.part, line.objective, line.key_result
    shown = resources.Deviation(
        name=line.name,
        title=(key_result or objective).definition.title,
        cycle=part.cycle.name,
        team=objective.definition.team,
        owner=owner_of(objective, key_result),
        findings=line.findings,
        dependants=above,
        effective_at=date_message(part.day),
    )
    if line.standing is None:
        shown.status = answers.status(part.board.standings.objective(objective.name).status)
    else:
        shown.MergeFrom(_figures(line, line.standing))
    return shown


def _figures(line: _Line, standing: KeyResultStanding) -> resources.Deviation:
    """What only a key result has."""
    moves, check_ins = line.moves, standing.facts.check_ins
    assert moves is not None
    return resources.Deviation(
        status=answers.status(standing.status),
        key_result=standing.facts.current.resource(),
        value=answers.number(moves.value),
        expected_value=answers.number(standing.expected_value),
        attainment=answers.number(standing.attainment),
        expected_progress=answers.number(standing.expected_progress),
        gap=answers.number(line.behind),
        recent_pace=answers.number(moves.recent),
        required_pace=answers.number(moves.required),
        pace_shortfall=answers.number(moves.shortfall),
        forecast=_forecast(moves.forecast),
        check_in=line.part.board.describe(check_ins[-1]) if check_ins else None,
        due_day=date_message(line.owed.day) if line.owed else None,
    )


def _forecast(made: Forecast | None) -> resources.Forecast | None:
    if made is None:
        return None
    return resources.Forecast(value=text(made.value), low=text(made.low), high=text(made.high))
