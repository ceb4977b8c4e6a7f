"""Get and List: cycles, teams, objectives, key results, check-ins, alignments as of an instant."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date

from sqlalchemy import Connection

from ledger.check_ins import CHECK_INS
from ledger.cycles import Cycle, cycle_of
from ledger.objectives import stream_of
from ledger.refusals import AlignmentMissing, NotFound
from ledger.revision import Revision
from ledger.teams import Team
from okr.v1 import resources_pb2 as resources
from projections import alignments, answers, plan, revisions
from projections.as_of import Known
from projections.board import LAST_DAY, board, described
from projections.known_check_ins import Place, numbered, page
from projections.paging import Cursor, Listed, Slice, cut
from projections.scorecard import teams_on


def cycle_at(connection: Connection, name: str, known: Known) -> tuple[Cycle, date]:
    """A cycle as it is on the day that the answer is about, and that day.

    Raises:
        NotFound: it is not known.
        DayOutsideCycle, DayInFuture: the day asked for is not one of the cycle's.
    """
    rows = [row.revision for row in revisions.of(connection, name, known.position)]
    latest = cycle_of(name, rows)
    if latest is None:
        raise NotFound(name)
    day = known.day_of(latest)
    return cycle_of(name, rows, day) or latest, day


def cycle_of_objective(connection: Connection, name: str, known: Known) -> tuple[Cycle, date]:
    """The cycle of an objective, or of a key result's; else as `cycle_at`.

    Raises:
        NotFound: the objective is not known.
    """
    objective = stream_of(name)
    rows = revisions.of(connection, objective, known.position)
    if not rows:
        raise NotFound(name)
    return cycle_at(connection, rows[0].revision.fact.cycle, known)  # type: ignore[attr-defined]  # the first is its creation


def list_cycles(connection: Connection, known: Known, part: Slice) -> Listed[resources.Cycle]:
    """The cycles, the latest first day first. Costs by the number of cycles."""
    names = [entry.member for entry in plan.members_of(connection, plan.CYCLES, known.position)]
    rows = revisions.of_many(connection, names, known.position)
    found = [_within_itself(name, [row.revision for row in rows[name]], known) for name in names]
    ordered = sorted(
        ((-cycle.first_day.toordinal(), cycle.name), cycle) for cycle in found if cycle is not None
    )
    return cut(((c.resource(), key) for key, c in ordered if key > part.after), part.limit)


def _within_itself(name: str, revisions: Sequence[Revision], known: Known) -> Cycle | None:
    """A cycle as it is on the day that is asked for, or on the nearest of its own days."""
    latest = cycle_of(name, revisions)
    if latest is None:
        return None
    day = known.day or known.today(latest)
    return cycle_of(name, revisions, min(max(day, latest.first_day), latest.last_check_in_day))


def team_at(connection: Connection, name: str, known: Known) -> Team:
    """A team as it is on the day.

    Raises:
        NotFound: it is not known, or not in force on the day.
    """
    found = teams_on(connection, known.position, known.day or LAST_DAY).get(name)
    if found is None:
        raise NotFound(name)
    return found


def list_teams(connection: Connection, known: Known, part: Slice) -> Listed[resources.Team]:
    """The teams by name. Costs by the number of teams."""
    teams = teams_on(connection, known.position, known.day or LAST_DAY)
    after = ((t.resource(), (name,)) for name, t in teams.items() if (name,) > part.after)
    return cut(after, part.limit)


def objective_at(connection: Connection, name: str, known: Known) -> resources.Objective:
    """An objective as known and in force.

    Raises:
        NotFound: it is not known, or not in force on the day.
    """
    cycle, day = cycle_of_objective(connection, name, known)
    found = board(connection, [name], known.position, day).facts.objectives.get(name)
    if found is None:
        raise NotFound(name)
    return found.resource(cycle)


def list_objectives(
    connection: Connection, cycle_name: str, team: str, known: Known, part: Slice
) -> Listed[resources.Objective]:
    """The objectives of a cycle by creation, those of one team where it is given.

    Raises:
        NotFound: the cycle is not known.
    """
    cycle, day = cycle_at(connection, cycle_name, known)

    def after(cursor: Cursor) -> Iterator[tuple[resources.Objective, Cursor]]:
        position = int(cursor[0]) if cursor else 0
        while entries := plan.members_of(
            connection,
            plan.objectives_of(cycle.name),
            known.position,
            after_position=position,
            limit=part.limit + 1,
        ):
            names = [entry.member for entry in entries]
            objectives = board(connection, names, known.position, day).facts.objectives
            for entry in entries:
                found = objectives.get(entry.member)
                if found is not None and team in ("", found.definition.team):
                    yield found.resource(cycle), (entry.position,)
            position = entries[-1].position

    return cut(after(part.after), part.limit)


def key_result_at(connection: Connection, name: str, known: Known) -> resources.KeyResultScore:
    """A key result with its scores.

    Raises:
        NotFound: it is not known, or not in force on the day.
    """
    _, day = cycle_of_objective(connection, name, known)
    made = board(connection, [stream_of(name)], known.position, day)
    if name not in made.facts.key_results:
        raise NotFound(name)
    share = made.standings.objective(stream_of(name)).shares[name]
    line = answers.key_result_score(made.standings.key_result(name), share, made.describe)
    later = plan.members_of(connection, plan.continuations_of(name), known.position)
    line.key_result.continued_by.extend(entry.member for entry in later)
    return line


def list_key_results(
    connection: Connection, objective: str, known: Known, part: Slice
) -> Listed[resources.KeyResultScore]:
    """The key results of an objective with their scores in order of addition, dropped ones too.

    Raises:
        NotFound: the objective is not known, or not in force on the day.
    """
    _, day = cycle_of_objective(connection, objective, known)
    made = board(connection, [objective], known.position, day)
    if objective not in made.facts.objectives:
        raise NotFound(objective)
    standing = made.standings.objective(objective)
    first = int(part.after[0]) if part.after else 0
    lines = [
        ((each, standing.shares[each.facts.current.name]), (number,))
        for number, each in enumerate(standing.key_results, start=1)
        if number > first
    ]
    wanted = cut(lines, part.limit)
    return Listed(
        [answers.key_result_score(each, share, made.describe) for each, share in wanted.items],
        wanted.next,
    )


def check_in_at(connection: Connection, name: str, known: Known) -> resources.CheckIn:
    """A check-in as last corrected, retracted or not.

    Raises:
        NotFound: it is not known, or holds from a later day.
    """
    key_result, _, number = name.partition(CHECK_INS)
    found = numbered(connection, key_result, int(number), known.position, known.day or LAST_DAY)
    if found is None:
        raise NotFound(name)
    return described(found)


def list_check_ins(
    connection: Connection, key_result: str, known: Known, part: Slice
) -> Listed[resources.CheckIn]:
    """The check-ins of a key result in order of their days, retracted ones included.

    Raises:
        NotFound: the key result is not known.
    """
    if not revisions.of(connection, key_result, known.position):
        raise NotFound(key_result)
    rows = page(
        connection,
        key_result,
        known.position,
        known.day or LAST_DAY,
        limit=part.limit + 1,
        after=Place(*(int(each) for each in part.after)) if part.after else None,
    )
    return cut(((described(row), tuple(row.place)) for row in rows), part.limit)


def alignment_at(
    connection: Connection, child: str, parent: str, kind: int, known: Known
) -> resources.Alignment:
    """An alignment in force.

    Raises:
        NotFound: the child is not known.
        AlignmentMissing: it is not aligned in this way on the day.
    """
    _, day = cycle_of_objective(connection, child, known)
    for edge in alignments.of_children(connection, [child], known.position, day):
        if (edge.parent, edge.kind) == (parent, kind):
            return edge.resource()
    raise AlignmentMissing(child, parent)


def list_alignments(
    connection: Connection, cycle_name: str, known: Known, part: Slice
) -> Listed[resources.Alignment]:
    """The alignments in force of a cycle's objectives and key results, by child, parent and kind.

    Raises:
        NotFound: the cycle is not known.
    """
    cycle, day = cycle_at(connection, cycle_name, known)
    children = _nodes(connection, cycle.name, known.position)
    edges = sorted(
        ((edge.child, edge.parent, int(edge.kind)), edge)
        for edge in alignments.of_children(connection, children, known.position, day)
    )
    after = ((edge.resource(), key) for key, edge in edges if key > part.after)
    return cut(after, part.limit)


def _nodes(connection: Connection, cycle: str, position: int) -> Sequence[str]:
    """Every objective of a cycle and every key result of these."""
    entries = plan.members_of(connection, plan.objectives_of(cycle), position)
    objectives = [entry.member for entry in entries]
    collections = [plan.key_results_of(name) for name in objectives]
    members = plan.members_of_many(connection, collections, position)
    return [*objectives, *(name for collection in members.values() for name in collection)]
