"""ListDeviations: what needs attention, worst first, and from which events that comes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date

from sqlalchemy import Connection

from ledger.values import date_message
from okr.v1 import resources_pb2 as resources
from okr.v1.score_service_pb2 import ListDeviationsRequest
from projections import answers
from projections.as_of import Known
from projections.attention.dependencies import Instants, dependants
from projections.attention.lines import Line, Measured, lines
from projections.attention.scope import Part, parts
from projections.paging import Listed, Slice, cut


def list_deviations(
    connection: Connection, request: ListDeviationsRequest, known: Known, part: Slice
) -> Listed[resources.Deviation]:
    """What deviates from the plan, in the order that `Deviation` states.

    Costs by the number of key results and check-ins asked about, whatever the page.

    Raises:
        NotFound: the cycle or the team is not known.
        DayOutsideCycle, DayInFuture: the day asked for is not one of the cycle's.
    """
    kinds = set(request.kinds)
    found = sorted(
        (
            (line.key, line)
            for each in parts(connection, request, known)
            for line in lines(connection, each, known.position)
            if not kinds or kinds.intersection(finding.kind for finding in line.findings)
        ),
        key=lambda keyed: keyed[0],
    )
    wanted = cut(((line, key) for key, line in found if key > part.after), part.limit)
    return Listed(list(_all_shown(connection, wanted.items, known.position)), wanted.next)


def _all_shown(
    connection: Connection, found: Sequence[Line], position: int
) -> Iterator[resources.Deviation]:
    names: dict[tuple[str, date], list[str]] = {}
    for line in found:
        part = line.subject.part
        names.setdefault((part.cycle.name, part.day), []).append(line.subject.of.name)
    above = {
        cycle: dependants(Instants(connection, position, day), of_cycle)
        for (cycle, day), of_cycle in names.items()
    }
    for line in found:
        subject = line.subject
        yield _shown(line, above[subject.part.cycle.name][subject.of.name])


def _shown(line: Line, above: Sequence[resources.Dependant]) -> resources.Deviation:
    subject = line.subject
    part, objective, measured = subject.part, subject.objective, subject.measured
    shown = resources.Deviation(
        name=subject.of.name,
        title=subject.of.definition.title,
        cycle=part.cycle.name,
        team=objective.definition.team,
        owner=part.owner_of(objective, measured.key_result if measured else None),
        findings=line.findings,
        dependants=above,
        effective_at=date_message(part.day),
    )
    if measured is None:
        shown.status = answers.status(part.board.standings.objective(objective.name).status)
    else:
        shown.MergeFrom(_figures(part, measured))
    return shown


def _figures(part: Part, measured: Measured) -> resources.Deviation:
    """What only a key result has."""
    standing, moves, owed = measured.standing, measured.moves, measured.owed
    check_ins = standing.facts.check_ins
    return resources.Deviation(
        status=answers.status(standing.status),
        key_result=measured.key_result.resource(),
        value=answers.number(moves.value),
        expected_value=answers.number(standing.expected_value),
        attainment=answers.number(standing.attainment),
        expected_progress=answers.number(standing.expected_progress),
        gap=answers.number(measured.behind),
        recent_pace=answers.number(moves.recent),
        required_pace=answers.number(moves.required),
        pace_shortfall=answers.number(moves.shortfall),
        forecast=answers.forecast(moves.forecast),
        check_in=part.board.describe(check_ins[-1]) if check_ins else None,
        due_day=date_message(owed.day) if owed else None,
    )
