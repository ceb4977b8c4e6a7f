"""What reads of plans and scores have to answer."""

from __future__ import annotations

from typing import Any

from google.protobuf.message import Message

from okr.v1 import policy_simulation_pb2 as simulation
from okr.v1 import resources_pb2 as resources
from okr.v1 import score_service_pb2 as scores
from okr.v1 import values_pb2 as values
from tests.model import measure
from tests.model.known import Absent, Cycle, Known, given
from tests.model.numbers import number, rounded, text
from tests.model.shapes import (
    KEY_RESULTS,
    Instants,
    amendment,
    check_in,
    cycle,
    date_message,
    key_result_score,
    objective_score,
    seal,
    team,
    team_score,
    three,
)
from tests.model.standing import Standing


def get_cycle(request: scores.GetCycleRequest, at: Instants) -> Message:
    day = at.day_in(request.name)
    return scores.GetCycleResponse(cycle=cycle(at.known.cycle(request.name, day)))


def list_cycles(_: scores.ListCyclesRequest, at: Instants) -> Message:
    found = []
    for name in at.known.named("CycleDrafted", "cycle"):
        last = at.known.cycle(name).last_check_in_day
        found.append(at.known.cycle(name, min(at.day_in(name), last)))
    ordered = sorted(found, key=lambda each: (-each.first.toordinal(), each.name))
    return scores.ListCyclesResponse(cycles=[cycle(each) for each in ordered])


def get_team(request: scores.GetTeamRequest, at: Instants) -> Message:
    found = at.known.team(request.name, at.latest)
    if found is None:
        raise Absent(request.name)
    return scores.GetTeamResponse(team=team(found))


def list_teams(_: scores.ListTeamsRequest, at: Instants) -> Message:
    return scores.ListTeamsResponse(teams=map(team, at.known.teams(at.latest).values()))


def _standing_of(name: str, at: Instants) -> Standing:
    return Standing(at.known, at.day_in(at.known.cycle_of(name)))


def get_objective(request: scores.GetObjectiveRequest, at: Instants) -> Message:
    standing = _standing_of(request.name, at)
    found = standing.objective(request.name)
    if found is None:
        raise Absent(request.name)
    return scores.GetObjectiveResponse(objective=objective_score(found, standing).objective)


def list_objectives(request: scores.ListObjectivesRequest, at: Instants) -> Message:
    standing = Standing(at.known, at.day_in(request.cycle))
    found = [standing.objective(name) for name in at.known.objectives(request.cycle)]
    return scores.ListObjectivesResponse(
        objectives=[
            objective_score(line, standing).objective
            for line in found
            if line and request.team in ("", line.objective.definition.team)
        ]
    )


def get_key_result(request: scores.GetKeyResultRequest, at: Instants) -> Message:
    standing = _standing_of(request.name, at)
    of = standing.objective(request.name.partition(KEY_RESULTS)[0])
    line = standing.key_result(request.name)
    if of is None or line is None:
        raise Absent(request.name)
    answer = key_result_score(line, of.shares[request.name], standing)
    answer.key_result.continued_by.extend(
        fact.payload.key_result
        for fact in at.known.events
        if fact.kind == "KeyResultCarriedOver" and fact.payload.continued_from == request.name
    )
    return scores.GetKeyResultResponse(key_result=answer)


def list_key_results(request: scores.ListKeyResultsRequest, at: Instants) -> Message:
    standing = _standing_of(request.parent, at)
    of = standing.objective(request.parent)
    if of is None:
        raise Absent(request.parent)
    return scores.ListKeyResultsResponse(key_results=objective_score(of, standing).key_results)


def get_check_in(request: scores.GetCheckInRequest, at: Instants) -> Message:
    parent = request.name.partition("/checkIns/")[0]
    for each in at.known.check_ins(parent):
        if each.name == request.name and each.day <= at.latest:
            return scores.GetCheckInResponse(check_in=check_in(each))
    raise Absent(request.name)


def list_check_ins(request: scores.ListCheckInsRequest, at: Instants) -> Message:
    if not at.known.of(request.parent):
        raise Absent(request.parent)
    found = at.known.check_ins(request.parent)
    return scores.ListCheckInsResponse(
        check_ins=[check_in(each) for each in found if each.day <= at.latest]
    )


def _alignments(at: Instants, cycle_name: str) -> list[resources.Alignment]:
    edges = at.known.edges(at.day_in(cycle_name))
    return [
        resources.Alignment(child=e.child, parent=e.parent, kind=e.kind, weight=e.weight)
        for e in sorted(edges, key=lambda e: (e.child, e.parent, e.kind))
        if at.known.cycle_of(e.child) == cycle_name
    ]


def list_alignments(request: scores.ListAlignmentsRequest, at: Instants) -> Message:
    return scores.ListAlignmentsResponse(alignments=_alignments(at, request.cycle))


def get_alignment(request: scores.GetAlignmentRequest, at: Instants) -> Message:
    for each in _alignments(at, at.known.cycle_of(request.child)):
        if (each.child, each.parent, each.kind) == (request.child, request.parent, request.kind):
            return scores.GetAlignmentResponse(alignment=each)
    raise Absent(request.child)


def get_scorecard(request: scores.GetScorecardRequest, at: Instants) -> Message:
    standing = Standing(at.known, at.day_in(request.cycle))
    card = scorecard(standing, request.cycle, request.team)
    of = standing.cycle(request.cycle)
    if of.state == values.CycleState.CYCLE_STATE_SEALED:
        _add_seal(card, of, at.known)
    return scores.GetScorecardResponse(scorecard=card)


def _add_seal(card: resources.Scorecard, of: Cycle, known: Known) -> None:
    """The seal in force and what was amended beside it; of a team what its lines are about."""
    sealed = next(f for f in known.of(of.name, "CycleSealed") if f.payload.number == of.seal)
    card.seal.CopyFrom(seal(sealed, None))
    shown_names = {"", *(line.team.name for line in card.teams)}
    for block in card.objectives:
        shown_names |= {block.objective.name, *(k.key_result.name for k in block.key_results)}
    if card.team:
        for listed in (card.seal.team_scores, card.seal.objective_scores):
            kept = [each for each in listed if each.name in shown_names]
            del listed[:]
            listed.extend(kept)
    card.amendments.extend(
        amendment(fact)
        for fact in known.of(of.name, "AmendmentRecorded")
        if fact.payload.seal == of.seal and (not card.team or fact.payload.subject in shown_names)
    )


def scorecard(standing: Standing, cycle_name: str, root: str) -> resources.Scorecard:
    """Without a seal."""
    known, day = standing.known, standing.day
    of = standing.cycle(cycle_name)
    policy = of.definition.policy
    teams = known.teams(day)
    if root and root not in teams:
        raise Absent(root)
    tree = known.tree(teams, root)
    group = standing.team(root, cycle_name) if root else standing.whole_cycle(cycle_name)
    groups = {
        name: standing.team(name, cycle_name)
        for name in tree
        if name == root or standing.members(cycle_name, known.tree(teams, name))
    }
    blocks = [standing.objective(name) for name in standing.members(cycle_name, tree)]
    return resources.Scorecard(
        cycle=cycle(of),
        team=root,
        effective_at=date_message(day),
        status=group.status,
        band=measure.band(group.scores.current, policy),
        teams=[team_score(teams[name], found, policy) for name, found in groups.items()],
        objectives=[objective_score(block, standing) for block in blocks if block],
        elapsed_share=text(rounded(measure.elapsed(of.definition, day))),
        **three(group.scores),
    )


def simulate_policy(request: scores.SimulatePolicyRequest, at: Instants) -> Message:
    """Both cards line by line; `request.policy` has every knob filled."""
    day = at.day_in(request.cycle)
    policy = request.policy
    cards = [
        scorecard(Standing(at.known, day, simulated), request.cycle, request.team)
        for simulated in (None, (request.cycle, policy))
    ]
    lines = [list(_figures(card)) for card in cards]
    return scores.SimulatePolicyResponse(
        simulation=simulation.PolicySimulation(
            cycle=request.cycle,
            team=request.team,
            effective_at=date_message(day),
            policy=cards[0].cycle.definition.policy,
            simulated=policy,
            scores=[
                simulation.SimulatedScore(
                    name=name,
                    actual=actual,
                    simulated=simulated,
                    difference=_difference(actual, simulated, "score"),
                    original_difference=_difference(actual, simulated, "original_score"),
                    as_judged_difference=_difference(actual, simulated, "as_judged_score"),
                )
                for (name, actual), (_, simulated) in zip(*lines, strict=True)
            ],
        )
    )


def _figures(card: resources.Scorecard) -> Any:
    """Each line's figures by name: the root, teams, each objective and its key results."""
    yield card.team or card.cycle.name, _figure(card)
    for line in card.teams:
        if line.team.name != card.team:
            yield line.team.name, _figure(line)
    for block in card.objectives:
        yield block.objective.name, _figure(block)
        for part in block.key_results:
            yield part.key_result.name, _figure(part)


def _figure(line: Any) -> simulation.ScoreFigures:
    return simulation.ScoreFigures(
        score=given(line, "score"),
        original_score=given(line, "original_score"),
        as_judged_score=given(line, "as_judged_score"),
        status=line.status,
        band=line.band,
    )


def _difference(before: Any, after: Any, name: str) -> str:
    return text(number(getattr(after, name) or "0") - number(getattr(before, name) or "0"))
