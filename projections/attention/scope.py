"""Whose attention is asked for: a cycle's, a team's with its sub-teams, an owner's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from sqlalchemy import Connection

from ledger.cycles import Cycle, cycle_of
from ledger.dues import owner_of
from ledger.key_results import KeyResult
from ledger.objectives import Objective, stream_of
from ledger.texts.opening import AT_HAND
from okr.v1.values_pb2 import CycleState
from projections import plan, revisions
from projections.as_of import Known
from projections.board import Board, board
from projections.catalogue import cycle_at, team_at
from projections.people import Successors
from projections.scorecard import below, candidates, teams_on


class Asked(Protocol):
    """What a request names; each may be empty."""

    cycle: str
    team: str
    owner: str


@dataclass(frozen=True, slots=True)
class Part:
    """What is asked about in one cycle, on a day of it.

    `board` may hold more than what is asked for: what contributes to it.
    """

    cycle: Cycle
    day: date
    asked: Asked
    board: Board
    teams: frozenset[str]
    successors: Successors

    def objectives(self) -> Iterator[Objective]:
        """The cycle's open objectives of the teams asked for, whoever owns them."""
        for objective in self.board.facts.objectives.values():
            inside = objective.cycle == self.cycle.name and objective.definition.team in self.teams
            if inside and not objective.closed:
                yield objective

    def key_results(self) -> Iterator[tuple[Objective, KeyResult]]:
        """Those of the objectives that count, of the owner asked for."""
        for objective in self.objectives():
            for key_result in objective.key_results.values():
                if not key_result.dropped and self.is_owned(objective, key_result):
                    yield objective, key_result

    def is_owned(self, objective: Objective, key_result: KeyResult | None = None) -> bool:
        """Whether the owner asked for, if one is, answers for it."""
        return self.asked.owner in ("", self.owner_of(objective, key_result))

    def owner_of(self, objective: Objective, key_result: KeyResult | None = None) -> str:
        """Who answers for a key result, or for an objective: of an erased owner the successor."""
        return self.successors.answering(owner_of(objective, key_result))


def parts(connection: Connection, asked: Asked, known: Known) -> list[Part]:
    """What is asked about, by cycle, of cycles whose plan is committed.

    Costs by the number of key results asked about, and for an owner by that of the objectives of
    the cycles too, whose names alone are read.

    Raises:
        NotFound: the cycle or the team is not known.
        DayOutsideCycle, DayInFuture: the day asked for is not one of the cycle's.
    """
    if asked.team:
        team_at(connection, asked.team, known)
    if asked.cycle:
        cycles = [cycle_at(connection, asked.cycle, known)]
    else:
        cycles = _running(connection, known)
    return [
        _part(connection, asked, known.position, cycle, day)
        for cycle, day in cycles
        if cycle.committed
    ]


def _part(connection: Connection, asked: Asked, position: int, cycle: Cycle, day: date) -> Part:
    teams = teams_on(connection, position, day)
    inside = below(teams, asked.team) if asked.team in ("", *teams) else []
    wanted = candidates(connection, cycle, asked.team, inside, position)
    successors = Successors(connection, position)
    if asked.owner:
        names = [asked.owner, *AT_HAND.keys_of(asked.owner), *successors.predecessors(asked.owner)]
        owned = plan.members_of_many(connection, [*map(plan.owned_by, names)], position)
        answered_for = {stream_of(member) for members in owned.values() for member in members}
        wanted = [name for name in wanted if name in answered_for]
    facts = board(connection, wanted, position, day)
    return Part(cycle, day, asked, facts, frozenset(inside), successors)


def _running(connection: Connection, known: Known) -> list[tuple[Cycle, date]]:
    """The active cycles in which the day lies."""
    names = [entry.member for entry in plan.members_of(connection, plan.CYCLES, known.position)]
    rows = revisions.of_many(connection, names, known.position)
    found = []
    for name in names:
        latest = cycle_of(name, [row.revision for row in rows[name]])
        if latest is None or latest.state != CycleState.CYCLE_STATE_ACTIVE:
            continue
        day = known.day or known.today(latest)
        if latest.first_day <= day <= latest.last_check_in_day:
            found.append(cycle_at(connection, name, known))
    return found
