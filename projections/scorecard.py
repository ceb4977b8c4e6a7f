"""Scorecards: a cycle's scores, of the whole tree or of a team with its sub-teams."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from sqlalchemy import Connection

from ledger.cycles import Cycle
from ledger.objectives import KEY_RESULTS
from ledger.policies import policy_of
from ledger.refusals import NotFound
from ledger.scoring.exact import text
from ledger.scoring.pace import Status, elapsed_share
from ledger.standing import GroupStanding, Three
from ledger.teams import Team, team_of
from ledger.values import date_message
from okr.v1 import resources_pb2 as resources
from projections import answers, plan
from projections.board import Board, board_of
from projections.source import Source, Tables


@dataclass(frozen=True, slots=True)
class Tree:
    """A cycle's standings on a day, of a team with its sub-teams or of the whole cycle.

    `order` has the objectives by team, parents before children; `groups` the teams that have
    objectives, in the same order.
    """

    cycle: Cycle
    team: str
    day: date
    board: Board
    teams: Mapping[str, Team]
    order: Sequence[str]
    groups: Mapping[str, GroupStanding]
    root: GroupStanding


MakeBoard = Callable[[Source, Sequence[str], int, date], Board]
"""Gathers what is known of objectives at a position and in force on a day."""


def tree(
    connection: Connection,
    cycle: Cycle,
    team: str,
    position: int,
    day: date,
    *,
    make: MakeBoard = board_of,
) -> Tree:
    """The standings known at a position; of the whole cycle where no team is given.

    Costs by the number of key results asked for.

    Raises:
        NotFound: the team is not known or does not hold on the day.
    """
    return tree_of(Tables(connection), cycle, team, position, day, make=make)


def tree_of(
    source: Source,
    cycle: Cycle,
    team: str,
    position: int,
    day: date,
    *,
    make: MakeBoard = board_of,
) -> Tree:
    """The same from any source."""
    teams = _teams_on(source, position, day)
    if team and team not in teams:
        raise NotFound(team)
    names = below(teams, team)
    made = make(source, _candidates(source, cycle, team, names, position), position, day)
    own: dict[str, list[str]] = {name: [] for name in names}
    for name, objective in made.facts.objectives.items():
        if objective.cycle == cycle.name and objective.definition.team in own:
            own[objective.definition.team].append(name)
    groups = {
        name: made.standings.group(objectives, cycle, whole_cycle=False)
        for name, objectives in _with_sub_teams(own, teams).items()
        if objectives or name == team
    }
    order = [objective for name in names for objective in own[name]]
    root = groups[team] if team else made.standings.group(order, cycle, whole_cycle=True)
    return Tree(cycle, team, day, made, teams, order, groups, root)


class Line(NamedTuple):
    """A line of a scorecard: what it is of, its scores and its status."""

    name: str
    scores: Three
    status: Status

    @property
    def score(self) -> Decimal | None:
        """The current score."""
        return self.scores.current


def lines(of: Tree) -> Iterator[Line]:
    """What counts in a tree: key results, objectives, teams, the cycle."""
    standings = [of.board.standings.objective(name) for name in of.order]
    counting = [objective for objective in standings if objective.counts]
    for objective in counting:
        for key_result in objective.key_results:
            current = key_result.facts.current
            if not current.dropped:
                yield Line(current.name, key_result.scores, key_result.status)
    for objective in counting:
        yield Line(objective.objective.name, objective.scores, objective.status)
    for team, group in of.groups.items():
        yield Line(team, group.scores, group.status)
    yield Line(of.cycle.name, of.root.scores, of.root.status)


def by_level(names: Iterable[str]) -> list[str]:
    """Names in the order of a scorecard's lines, each once: those of one kind as they are given."""
    return sorted(dict.fromkeys(names), key=_level)


def _level(name: str) -> int:
    if KEY_RESULTS in name:
        return 0
    return 1 + ("objectives", "teams", "cycles").index(name.partition("/")[0])


def scorecard(of: Tree) -> resources.Scorecard:
    """The standings as the API shows them."""
    cycle, root = of.cycle, of.root
    day_count = policy_of(cycle.definition.policy).day_count
    return resources.Scorecard(
        cycle=cycle.resource(),
        team=of.team,
        effective_at=date_message(of.day),
        score=answers.number(root.scores.current),
        original_score=answers.number(root.scores.original),
        as_judged_score=answers.number(root.scores.as_judged),
        status=answers.status(root.status),
        band=answers.band(root.band),
        teams=[answers.team_score(of.teams[name], group) for name, group in of.groups.items()],
        objectives=[
            answers.objective_score(of.board.standings.objective(name), cycle, of.board.describe)
            for name in of.order
        ],
        elapsed_share=text(elapsed_share(cycle.first_day, cycle.last_day, of.day, day_count)),
    )


def teams_on(connection: Connection, position: int, day: date) -> dict[str, Team]:
    """The teams known at a position, as they are on a day, by name."""
    return _teams_on(Tables(connection), position, day)


def _teams_on(source: Source, position: int, day: date) -> dict[str, Team]:
    names = source.members([plan.TEAMS], position).get(plan.TEAMS, ())
    known = source.revisions(names, position)
    found = {name: team_of(name, known[name], day) for name in names}
    return {name: team for name, team in sorted(found.items()) if team is not None}


def below(teams: Mapping[str, Team], root: str) -> list[str]:
    """The teams below a root, itself first, parents before children; all of them below none."""
    found = [root] if root else []
    for name in _children(teams, root):
        found += below(teams, name)
    return found


def _children(teams: Mapping[str, Team], parent: str) -> list[str]:
    return [name for name, team in teams.items() if team.definition.parent == parent]


def _with_sub_teams(
    own: Mapping[str, list[str]], teams: Mapping[str, Team]
) -> dict[str, list[str]]:
    """Each team's objectives and those of its sub-teams; `own` has parents before children."""
    below = {name: list(objectives) for name, objectives in own.items()}
    for name in reversed(list(own)):
        parent = teams[name].definition.parent
        if parent in below:
            below[parent] += below[name]
    return below


def candidates(
    connection: Connection, cycle: Cycle, team: str, names: Sequence[str], position: int
) -> list[str]:
    """The cycle's objectives by creation; below a team those that were ever of its tree."""
    return _candidates(Tables(connection), cycle, team, names, position)


def _candidates(
    source: Source, cycle: Cycle, team: str, names: Sequence[str], position: int
) -> list[str]:
    own = plan.objectives_of(cycle.name)
    all_of_them = list(source.members([own], position).get(own, ()))
    if not team:
        return all_of_them
    members = source.members([plan.objectives_of(name) for name in names], position)
    of_tree = {name for collection in members.values() for name in collection}
    return [name for name in all_of_them if name in of_tree]
