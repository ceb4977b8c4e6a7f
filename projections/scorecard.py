"""Scorecards: a cycle's scores, of the whole tree or of a team with its sub-teams."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import Connection

from ledger.cycles import Cycle
from ledger.policies import policy_of
from ledger.refusals import NotFound
from ledger.scoring.exact import text
from ledger.scoring.pace import elapsed_share
from ledger.standing import GroupStanding
from ledger.teams import Team, team_of
from ledger.values import date_message
from okr.v1 import resources_pb2 as resources
from projections import answers, plan, revisions
from projections.board import Board, board


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


MakeBoard = Callable[[Connection, Sequence[str], int, date], Board]
"""Gathers what is known of objectives at a position and in force on a day."""


def tree(
    connection: Connection,
    cycle: Cycle,
    team: str,
    position: int,
    day: date,
    *,
    make: MakeBoard = board,
) -> Tree:
    """The standings known at a position; of the whole cycle where no team is given.

    Costs by the number of key results asked for.

    Raises:
        NotFound: the team is not known or does not hold on the day.
    """
    teams = teams_on(connection, position, day)
    if team and team not in teams:
        raise NotFound(team)
    names = below(teams, team)
    made = make(connection, candidates(connection, cycle, team, names, position), position, day)
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
    names = [entry.member for entry in plan.members_of(connection, plan.TEAMS, position)]
    known = revisions.of_many(connection, names, position)
    found = {name: team_of(name, [row.revision for row in known[name]], day) for name in names}
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
    objectives = plan.members_of(connection, plan.objectives_of(cycle.name), position)
    all_of_them = [entry.member for entry in objectives]
    if not team:
        return all_of_them
    collections = [plan.objectives_of(name) for name in names]
    members = plan.members_of_many(connection, collections, position)
    of_tree = {name for collection in members.values() for name in collection}
    return [name for name in all_of_them if name in of_tree]
