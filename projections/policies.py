"""Scoring policies: the presets by name, and a cycle's scores under another policy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from functools import partial

from sqlalchemy import Connection

from ledger.cycles import Cycle, under
from ledger.policies import differing, expanded, message
from ledger.provenance import grading_of
from ledger.refusals import NotFound
from ledger.scoring.attribution import difference
from ledger.scoring.exact import text
from ledger.scoring.policy import PRESETS
from ledger.scoring.status import Band, Status
from ledger.scoring.vendors import ABOUT
from ledger.standing import Standings, Three
from ledger.values import date_message
from okr.v1 import policy_simulation_pb2 as api
from okr.v1.resources_pb2 import STATUS_UNSPECIFIED
from okr.v1.score_service_pb2 import SimulatePolicyRequest
from okr.v1.values_pb2 import ObjectiveState, ScoringPolicy
from projections import answers
from projections.as_of import Known
from projections.board import Board, Policies, board_of
from projections.catalogue import cycle_at
from projections.paging import Listed, Slice, cut
from projections.scorecard import Tree, tree
from projections.source import Source

POLICIES = "policies/"
SIMULATED_NAME = "what-if"
"""What a policy is called that is the cycle's own with changes."""

Line = tuple[str, Three, Status | None, Band | None]
"""A line of a scorecard: what it is of, its scores, status (None for what was dropped), band."""


def policy(name: str) -> api.PolicyPreset:
    """A preset.

    Raises:
        NotFound: there is none of that name.
    """
    found = PRESETS.get(name.removeprefix(POLICIES))
    if found is None:
        raise NotFound(name)
    return api.PolicyPreset(
        name=f"{POLICIES}{found.name}",
        policy=message(found),
        differs=differing(found),
        about=ABOUT[found.name],
    )


def list_policies(part: Slice) -> Listed[api.PolicyPreset]:
    """The presets by name."""
    names = sorted(PRESETS)
    return cut(((policy(n), (n,)) for n in names if (n,) > part.after), part.limit)


def simulate(
    connection: Connection, request: SimulatePolicyRequest, known: Known
) -> api.PolicySimulation:
    """A cycle's or team's figures under its policy and under another, line by line.

    Costs as two scorecards.

    Raises:
        NotFound: the cycle or team is not known.
        FieldInvalid: the policy's knobs contradict each other or its name.
    """
    cycle, day = cycle_at(connection, request.cycle, known)
    simulated = _simulated(request, cycle)
    actual = tree(connection, cycle, request.team, known.position, day)
    other = tree(
        connection,
        under(cycle, simulated),
        request.team,
        known.position,
        day,
        make=partial(_board, simulated={cycle.name: simulated}),
    )
    return api.PolicySimulation(
        cycle=cycle.name,
        team=request.team,
        effective_at=date_message(day),
        policy=cycle.definition.policy,
        simulated=simulated,
        scores=[_score(*pair) for pair in zip(_lines(actual), _lines(other), strict=True)],
    )


def _simulated(request: SimulatePolicyRequest, cycle: Cycle) -> ScoringPolicy:
    if request.WhichOneof("simulated") == "policy":
        return expanded(request.policy, "policy")
    changed = ScoringPolicy()
    changed.CopyFrom(cycle.definition.policy)
    changed.name, changed.version = SIMULATED_NAME, 1
    changed.MergeFrom(request.changes)
    return expanded(changed, "changes")


def _board(
    source: Source,
    objectives: Sequence[str],
    position: int,
    day: date,
    *,
    simulated: Policies,
) -> Board:
    """A board under simulated policies, where what the old policies graded is open again."""
    made = board_of(source, objectives, position, day, simulated=simulated)
    opened = {
        name: replace(found, closed=ObjectiveState.OBJECTIVE_STATE_UNSPECIFIED)
        for name, found in made.facts.objectives.items()
        if found.cycle in simulated
        and found.closed == ObjectiveState.OBJECTIVE_STATE_GRADED
        and (grading := grading_of(found, day)) is not None
        and not grading[1].HasField("override_score")
    }
    facts = replace(made.facts, objectives={**made.facts.objectives, **opened})
    return Board(facts, Standings(facts), made.known_check_ins)


def _lines(of: Tree) -> Iterator[Line]:
    """Every line of a scorecard, in its order; the root first."""
    yield of.team or of.cycle.name, of.root.scores, of.root.status, of.root.band
    for name, group in of.groups.items():
        if name != of.team:
            yield name, group.scores, group.status, group.band
    for name in of.order:
        objective = of.board.standings.objective(name)
        yield name, objective.scores, objective.status, objective.band
        for part in objective.key_results:
            current = part.facts.current
            status = None if current.dropped else part.status
            yield current.name, part.scores, status, part.band


def _score(actual: Line, simulated: Line) -> api.SimulatedScore:
    was, is_now = actual[1], simulated[1]
    return api.SimulatedScore(
        name=actual[0],
        actual=_figures(*actual[1:]),
        simulated=_figures(*simulated[1:]),
        difference=_moved(was.current, is_now.current),
        original_difference=_moved(was.original, is_now.original),
        as_judged_difference=_moved(was.as_judged, is_now.as_judged),
    )


def _figures(scores: Three, status: Status | None, band: Band | None) -> api.ScoreFigures:
    return api.ScoreFigures(
        score=answers.number(scores.current),
        original_score=answers.number(scores.original),
        as_judged_score=answers.number(scores.as_judged),
        status=answers.status(status) if status else STATUS_UNSPECIFIED,
        band=answers.band(band),
    )


def _moved(before: Decimal | None, after: Decimal | None) -> str:
    return text(difference(before, after))
