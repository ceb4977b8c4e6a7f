"""The score that the policy gives an objective when it is graded, from the log's own events."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal

from ledger.alignment import edges_on
from ledger.check_ins import CheckIn, in_force
from ledger.cycles import Cycle, cycle_of
from ledger.key_results import key_result_of
from ledger.objectives import Objective, objective_of, stream_of
from ledger.recorded_check_ins import by_key_result
from ledger.standing import Contribution, Facts, KeyResultFacts, Standings
from ledger.view import View


def computed_score(view: View, objective: str, on: date) -> Decimal | None:
    """The objective's computed score on a day, contributing children included.

    Costs by the number of events of the objective and of all that contribute to it.
    """
    edges = [edge for edge in edges_on(view.alignments().revisions, on) if edge.contributes]
    involved: dict[str, Objective] = {}
    wanted = [objective]
    while wanted:
        name = wanted.pop()
        if name not in involved:
            involved[name] = view.objective(name)
            wanted += [stream_of(edge.child) for edge in edges if edge.parent == name]
    cycles = {o.cycle: _cycle_on_day(view.cycle(o.cycle), on) for o in involved.values()}
    contributors: dict[str, list[Contribution]] = {}
    for edge in edges:
        contribution = Contribution(edge.child, Decimal(edge.weight))
        contributors.setdefault(edge.parent, []).append(contribution)
    known = Facts(
        day=on,
        cycles=cycles,
        objectives={
            name: there
            for name, found in involved.items()
            if (there := _on_day(found, on)) is not None
        },
        key_results={
            key_result.current.name: key_result
            for name, found in involved.items()
            for key_result in _key_results(found, by_key_result(view.records(name)), on)
        },
        contributors=contributors,
    )
    return Standings(known).objective(objective).computed


def _cycle_on_day(cycle: Cycle, on: date) -> Cycle:
    """The cycle with the policy of the day."""
    return cycle_of(cycle.name, cycle.revisions, on) or cycle


def _on_day(objective: Objective, on: date) -> Objective | None:
    found = objective_of(objective.name, objective.revisions, on)
    if found is None:
        return None
    present = {
        name: key_result
        for name, key_result in objective.key_results.items()
        if key_result_of(name, key_result.revisions, on) is not None
    }
    return replace(found, key_results=present)


def _key_results(
    objective: Objective, recorded: Mapping[str, Mapping[int, CheckIn]], on: date
) -> Iterable[KeyResultFacts]:
    for name, key_result in objective.key_results.items():
        current = key_result_of(name, key_result.revisions, on)
        if current is not None:
            check_ins = in_force(recorded.get(name, {}).values(), on)
            yield KeyResultFacts(current, None, None, check_ins)
