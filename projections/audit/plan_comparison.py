"""Plans side by side: the original one, now, or at any two instants."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from google.protobuf.message import Message
from sqlalchemy import Connection

from ledger.alignment import Edge
from ledger.cycles import Cycle, state_name
from ledger.objectives import KEY_RESULTS
from ledger.plan_diff import Difference, Plan, differences, totals
from ledger.refusals import CycleState, NotFound
from ledger.standing import GroupStanding
from ledger.values import date_message
from okr.v1 import plan_comparison_pb2 as api
from okr.v1 import resources_pb2 as resources
from okr.v1.audit_service_pb2 import ComparePlansRequest
from okr.v1.values_pb2 import AsOf
from projections import alignments, answers, revisions
from projections.as_of import Known
from projections.board import board
from projections.catalogue import cycle_at
from projections.scorecard import below, candidates, teams_on


def instants(request: ComparePlansRequest) -> dict[str, AsOf]:
    """The instants to know things at, by their paths in the request.

    Which position the original plan has is known now.
    """
    return {f"{side}.as_of": getattr(request, side).as_of for side in ("before", "after")}


def compare_plans(
    connection: Connection, request: ComparePlansRequest, known: Sequence[Known]
) -> api.PlanComparison:
    """The two plans that are asked for and all that differs between them.

    Raises:
        NotFound: the cycle is not known on one side, or the team on neither.
        CycleState: the original plan is asked for and the plan is not committed.
    """
    sides = [
        _original(connection, request.cycle, at)
        if (getattr(request, side).WhichOneof("plan") or default) == "original"
        else at
        for side, default, at in zip(("before", "after"), ("original", "as_of"), known, strict=True)
    ]
    trees = [_tree(connection, request.cycle, request.team, at) for at in sides]
    if not any(tree.found for tree in trees):
        raise NotFound(request.team)
    names = list(dict.fromkeys(name for tree in trees for name in tree.objectives))
    (before, shown_before), (after, shown_after) = (
        _side(connection, tree, names, request.team) for tree in trees
    )
    found = list(differences(before, after))
    return api.PlanComparison(
        cycle=request.cycle,
        team=request.team,
        before=shown_before,
        after=shown_after,
        changes=[_shown(each) for each in found],
        totals=[
            api.PlanChangeTotal(kind=int(kind), objectives=objectives, key_results=key_results)  # type: ignore[arg-type]  # the API's own number
            for kind, (objectives, key_results) in totals(found).items()
        ],
    )


@dataclass(frozen=True, slots=True)
class _Tree:
    """The objectives that were ever of a team's tree, and the teams of the tree on the day."""

    cycle: Cycle
    at: Known
    day: date
    found: bool
    teams: frozenset[str]
    objectives: Sequence[str]


def _original(connection: Connection, cycle_name: str, now: Known) -> Known:
    """What was known at plan commitment."""
    cycle, _ = cycle_at(connection, cycle_name, now)
    if not cycle.plan_position:
        raise CycleState(cycle.name, state_name(cycle.state), "a committed plan")
    rows = revisions.of(connection, cycle.name, cycle.plan_position)
    return Known(cycle.plan_position, rows[-1].recorded_us, None)


def _tree(connection: Connection, cycle_name: str, team: str, at: Known) -> _Tree:
    cycle, day = cycle_at(connection, cycle_name, at)
    teams = teams_on(connection, at.position, day)
    names = below(teams, team) if not team or team in teams else []
    objectives = candidates(connection, cycle, team, names, at.position)
    return _Tree(cycle, at, day, not team or team in teams, frozenset(names), objectives)


def _side(
    connection: Connection, tree: _Tree, names: Sequence[str], team: str
) -> tuple[Plan, api.PlanSide]:
    """One of the plans, of the objectives of both trees."""
    made = board(connection, names, tree.at.position, tree.day)
    known = made.facts.objectives
    objectives = {name: known[name] for name in names if name in known}
    key_results = {
        name: made.facts.key_results[name].current
        for objective in objectives.values()
        for name in objective.key_results
    }
    own = [name for name, each in objectives.items() if each.definition.team in tree.teams]
    standing = made.standings.group(own, tree.cycle, whole_cycle=not team)
    nodes = [*objectives, *key_results]
    alignment = alignments.ever_of_children(connection, nodes, tree.at.position)
    found = Plan(tree.day, objectives, key_results, alignment, frozenset(own))
    return found, _shown_side(tree, found, standing)


def _shown_side(tree: _Tree, found: Plan, standing: GroupStanding) -> api.PlanSide:
    scores = standing.scores
    return api.PlanSide(
        position=tree.at.position,
        effective_at=date_message(tree.day),
        objective_count=sum(found.counts(name) for name in found.own),
        key_result_count=sum(
            found.counts(name) and name.partition(KEY_RESULTS)[0] in found.own
            for name in found.key_results
        ),
        score=answers.number(scores.current),
        original_score=answers.number(scores.original),
        as_judged_score=answers.number(scores.as_judged),
    )


def _shown(found: Difference) -> api.PlanChange:
    shown = api.PlanChange(
        subject=found.subject,
        kind=int(found.kind),  # type: ignore[arg-type]  # the API's own number
        changed=found.changed,
        alignments_before=_edges(found.edges_before),
        alignments_after=_edges(found.edges_after),
        event_positions=found.positions,
    )
    _fill(shown, "before", found.before)
    _fill(shown, "after", found.after)
    return shown


def _fill(shown: api.PlanChange, side: str, definition: Message | None) -> None:
    if definition is not None:
        of = "key_result" if KEY_RESULTS in shown.subject else "objective"
        getattr(shown, f"{of}_{side}").CopyFrom(definition)


def _edges(edges: Sequence[Edge]) -> list[resources.Alignment]:
    return [edge.resource() for edge in edges]
