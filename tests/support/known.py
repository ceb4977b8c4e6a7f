"""What a ledger in memory knew at a position of a day: slow, plain, to hold others against."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from decimal import Decimal

from ledger.alignment import Edge, edges_on
from ledger.check_ins import in_force
from ledger.cycles import cycle_of
from ledger.event import fact_of
from ledger.fold import applied, initial
from ledger.key_results import KeyResult, key_result_of
from ledger.objectives import objective_of, stream_of
from ledger.recorded_check_ins import check_ins_of
from ledger.span import is_key_result
from ledger.standing import Contribution, Facts, KeyResultFacts, Standings
from ledger.teams import Team, team_of
from okr.v1.event_record_pb2 import EventMetadata
from okr.v1.values_pb2 import KeyResultDefinition, ObjectiveState
from tests.support.scenario import Scenario


def as_known(scenario: Scenario, position: int) -> Scenario:
    """The ledger as it was when it had reached a position."""
    known = Scenario(scenario.today, records=scenario.records[:position])
    for record in known.records:
        known.states[record.stream] = applied(
            known.states.get(record.stream) or initial(record.stream),
            record.stream,
            fact_of(record),
            EventMetadata.FromString(record.metadata),
            record.position,
        )
    return known


def facts_on(scenario: Scenario, iso: str) -> Facts:
    """What is known now and in force on a day, as a read model would gather it.

    The original plan is what stood when its cycle's plan was committed.
    """
    on = date.fromisoformat(iso)
    view = scenario.view()
    names = [s for s in scenario.states if s.startswith("objectives/")]
    objectives = {name: view.objective(name) for name in names}
    cycles = {o.cycle: view.cycle(o.cycle) for o in objectives.values()}
    plans = {name: cycle.plan_position for name, cycle in cycles.items()}
    key_results = {}
    present = {}
    for name, objective in objectives.items():
        there = objective_of(name, objective.revisions, on)
        if there is None:
            continue
        own = {}
        for k, key_result in objective.key_results.items():
            current = key_result_of(k, key_result.revisions, on)
            if current is not None:
                own[k] = key_result
                holding = in_force(check_ins_of(scenario.records, k).values(), on)
                judged = holding and key_result_of(k, key_result.revisions, holding[-1].effective)
                key_results[k] = KeyResultFacts(
                    current,
                    _planned_definition(key_result, plans[objective.cycle]),
                    judged.definition if judged else None,
                    holding,
                )
        present[name] = replace(there, key_results=own)
    graph = view.alignments().revisions
    known = {name: plan for name, plan in plans.items() if plan}
    original = [r for r in graph if r.position < max(known.values(), default=0)]
    return Facts(
        day=on,
        cycles={n: cycle_of(n, c.revisions, max(on, c.first_day)) or c for n, c in cycles.items()},
        objectives=present,
        key_results=key_results,
        contributors=_by_parent(edges_on(graph, on)),
        planned_contributors=_by_parent(edges_on(original, date.max)),
        planned=frozenset(
            n for n, o in objectives.items() if 0 < o.revisions[0].position < plans[o.cycle]
        ),
    )


def score_of(scenario: Scenario, iso: str, cycle: str, subject: str) -> Decimal | None:
    """The score that counts of a key result, objective, team in a cycle, or the cycle."""
    if cycle not in scenario.states or subject not in {*scenario.states, *_key_results(scenario)}:
        return None
    facts = facts_on(scenario, iso)
    standings = Standings(facts)
    objective = facts.objectives.get(stream_of(subject))
    if objective is not None:
        key_result = facts.key_results.get(subject)
        if objective.closed == ObjectiveState.OBJECTIVE_STATE_ABANDONED:
            return None
        if not is_key_result(subject):
            return standings.objective(subject).score
        if key_result is None or key_result.current.dropped:
            return None
        return standings.key_result(subject).scores.current
    if subject.startswith("objectives/"):
        return None
    members = [
        name
        for name, found in facts.objectives.items()
        if found.cycle == cycle
        and (subject == cycle or subject in _line(scenario, found.definition.team, iso))
    ]
    own = scenario.cycle(cycle)
    there = cycle_of(cycle, own.revisions, max(date.fromisoformat(iso), own.first_day))
    assert there is not None
    return standings.group(members, there, whole_cycle=subject == cycle).scores.current


def _key_results(scenario: Scenario) -> list[str]:
    names = [s for s in scenario.states if s.startswith("objectives/")]
    return [k for name in names for k in scenario.objective(name).key_results]


def _line(scenario: Scenario, team: str, iso: str) -> list[str]:
    """A team and those above it on a day."""
    found: list[str] = []
    while team and team not in found:
        found.append(team)
        state = scenario.states[team]
        assert isinstance(state, Team)
        there = team_of(team, state.revisions, date.fromisoformat(iso))
        team = there.definition.parent if there else ""
    return found


def _planned_definition(key_result: KeyResult, plan: int) -> KeyResultDefinition | None:
    known = [r for r in key_result.revisions if r.position < plan]
    found = key_result_of(key_result.name, known)
    return found.definition if found and not found.dropped else None


def _by_parent(edges: Iterable[Edge]) -> dict[str, list[Contribution]]:
    found: dict[str, list[Contribution]] = {}
    for edge in edges:
        if edge.contributes:
            contribution = Contribution(edge.child, Decimal(edge.weight))
            found.setdefault(edge.parent, []).append(contribution)
    return found
