"""The facts behind scores: what was known and in force, of objectives and all that contributes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Final

from sqlalchemy import Connection

from ledger.alignment import Edge
from ledger.check_ins import CheckIn, Circumstances
from ledger.check_ins import resource as check_in_resource
from ledger.cycles import Cycle, cycle_of
from ledger.definitions import MAINTAIN
from ledger.key_results import KeyResult, key_result_of
from ledger.objectives import KEY_RESULTS, objective_of, stream_of
from ledger.revision import Revision
from ledger.standing import Contribution, Facts, KeyResultFacts, Standings
from okr.v1.resources_pb2 import CheckIn as CheckInResource
from okr.v1.values_pb2 import Aggregation, KeyResultDefinition, ScoringPolicy
from projections import alignments, plan, revisions
from projections.known_check_ins import KnownCheckIn, all_in_force, counts, in_force

LAST_DAY: Final = date.max
"""A day on which everything known holds."""


@dataclass(frozen=True, slots=True)
class Board:
    """Facts and the standings that they make, with the circumstances of each check-in."""

    facts: Facts
    standings: Standings
    known_check_ins: Mapping[tuple[str, int], KnownCheckIn]

    def describe(self, check_in: CheckIn) -> CheckInResource:
        """A check-in with who recorded it and when."""
        return described(self.known_check_ins[check_in.key_result, check_in.number])


def described(known: KnownCheckIn) -> CheckInResource:
    """A check-in with who recorded it and when, and who corrected it."""
    correction = known.correction
    return check_in_resource(
        known.check_in,
        Circumstances(known.recorded_us, known.recording),
        Circumstances(known.recorded_us, correction) if correction else None,
    )


def board(connection: Connection, objectives: Iterable[str], position: int, day: date) -> Board:
    """Everything known at a position and in force on a day, of the objectives and their children.

    Names that are not known or do not hold yet are left out. Costs by the number of key results
    of the objectives and of all that contribute to them.
    """
    wanted = list(dict.fromkeys(objectives))
    edges = _contributions(connection, wanted, position, day)
    names = list(dict.fromkeys([*wanted, *(stream_of(edge.child) for edge in edges)]))
    collections = [plan.key_results_of(name) for name in names]
    members = plan.members_of_many(connection, collections, position)
    key_results = [name for collection in members.values() for name in collection]
    made = _facts(connection, names, key_results, position, day)
    planned = {
        name: made.facts.cycles[made.facts.objectives[name].cycle].plan_position
        for name in made.facts.planned
    }
    return _board(
        replace(
            made.facts,
            contributors=_by_parent(edges),
            planned_contributors=_by_parent(_planned_edges(connection, planned)),
        ),
        made.known_check_ins,
    )


def key_result_board(connection: Connection, key_result: str, position: int, day: date) -> Board:
    """The same of a single key result: nothing else of its objective is in it."""
    return _facts(connection, [stream_of(key_result)], [key_result], position, day)


def _facts(
    connection: Connection,
    objectives: Sequence[str],
    key_results: Sequence[str],
    position: int,
    day: date,
) -> Board:
    own = _revisions(connection, objectives, position)
    found = {n: o for n, known in own.items() if (o := objective_of(n, known, day)) is not None}
    cycles = _cycles(connection, {o.cycle for o in found.values()}, position, day)
    present = [name for name in key_results if stream_of(name) in found]
    cycle_of_each = {name: cycles[found[stream_of(name)].cycle] for name in present}
    definitions, check_ins = _key_results(connection, cycle_of_each, position, day)
    parts: dict[str, dict[str, KeyResult]] = {name: {} for name in found}
    for name, facts in definitions.items():
        parts[stream_of(name)][name] = facts.current
    return _board(
        Facts(
            day=day,
            cycles=cycles,
            objectives={n: replace(o, key_results=parts[n]) for n, o in found.items()},
            key_results=definitions,
            planned=frozenset(
                name
                for name, objective in found.items()
                if _is_planned(name, own[name], cycles[objective.cycle].plan_position)
            ),
        ),
        check_ins,
    )


def _board(facts: Facts, known_check_ins: Mapping[tuple[str, int], KnownCheckIn]) -> Board:
    return Board(facts, Standings(facts), known_check_ins)


def _contributions(
    connection: Connection, objectives: Sequence[str], position: int, day: date
) -> list[Edge]:
    """The contributions to the objectives, and to what contributes to them."""
    found: list[Edge] = []
    seen = set(objectives)
    frontier = list(objectives)
    while frontier:
        edges = alignments.of_parents(connection, frontier, position, day)
        found += [edge for edge in edges if edge.contributes]
        children = [
            edge.child for edge in edges if edge.contributes and KEY_RESULTS not in edge.child
        ]
        frontier = [child for child in dict.fromkeys(children) if child not in seen]
        seen.update(frontier)
    return found


def _planned_edges(connection: Connection, planned: Mapping[str, int]) -> list[Edge]:
    """The contributions to the objectives as the plans of the positions given had them."""
    by_position: dict[int, list[str]] = {}
    for name, position in planned.items():
        by_position.setdefault(position, []).append(name)
    return [
        edge
        for position, names in by_position.items()
        for edge in alignments.of_parents(connection, names, position, LAST_DAY)
        if edge.contributes
    ]


def _by_parent(edges: Iterable[Edge]) -> dict[str, list[Contribution]]:
    found: dict[str, list[Contribution]] = {}
    for edge in edges:
        found.setdefault(edge.parent, []).append(Contribution(edge.child, Decimal(edge.weight)))
    return found


def _revisions(
    connection: Connection, subjects: Sequence[str], position: int
) -> dict[str, list[Revision]]:
    rows = revisions.of_many(connection, subjects, position)
    return {subject: [row.revision for row in known] for subject, known in rows.items()}


def _cycles(
    connection: Connection, names: Iterable[str], position: int, day: date
) -> dict[str, Cycle]:
    """The cycles with the definition of the day, and their states as known, whatever the day."""
    found = {}
    for name, known in _revisions(connection, sorted(names), position).items():
        cycle = cycle_of(name, known, max(day, _first_day(name, known)))
        if cycle is not None:
            found[name] = cycle
    return found


def _first_day(name: str, known: Sequence[Revision]) -> date:
    latest = cycle_of(name, known)
    return latest.first_day if latest else LAST_DAY


def _is_planned(name: str, known: Sequence[Revision], plan_position: int) -> bool:
    at_plan = [revision for revision in known if revision.position <= plan_position]
    objective = objective_of(name, at_plan)
    return objective is not None and not objective.closed


def _key_results(
    connection: Connection, cycle_of_each: Mapping[str, Cycle], position: int, day: date
) -> tuple[dict[str, KeyResultFacts], dict[tuple[str, int], KnownCheckIn]]:
    """The key results in the order given, and the check-ins in force."""
    known = _revisions(connection, list(cycle_of_each), position)
    current = {n: k for n in cycle_of_each if (k := key_result_of(n, known[n], day)) is not None}
    original = {n: _planned_definition(n, known[n], cycle_of_each[n]) for n in current}
    in_full = [
        name
        for name, key_result in current.items()
        if _needs_all(
            (key_result.definition, original[name]), cycle_of_each[name].definition.policy
        )
    ]
    last = in_force(connection, [n for n in current if n not in set(in_full)], position, day)
    held: dict[str, list[KnownCheckIn]] = {name: [found] for name, found in last.items()}
    held.update(all_in_force(connection, in_full, position, day))
    recorded = counts(connection, list(current), position)
    found: dict[str, KeyResultFacts] = {}
    for name, key_result in current.items():
        check_ins = [each.check_in for each in held.get(name, ())]
        found[name] = KeyResultFacts(
            current=replace(key_result, check_in_count=recorded[name]),
            original=original[name],
            judged=_judged(name, known[name], check_ins),
            check_ins=check_ins,
        )
    by_number = {
        (each.key_result, each.number): each for group in held.values() for each in group[-1:]
    }
    return found, by_number


def _planned_definition(
    name: str, known: Sequence[Revision], cycle: Cycle
) -> KeyResultDefinition | None:
    at_plan = [revision for revision in known if revision.position <= cycle.plan_position]
    planned: KeyResult | None = key_result_of(name, at_plan)
    return planned.definition if planned and not planned.dropped else None


def _judged(
    name: str, known: Sequence[Revision], check_ins: Sequence[CheckIn]
) -> KeyResultDefinition | None:
    """The definition in force on the day of the check-in in force."""
    if not check_ins:
        return None
    on_its_day = key_result_of(name, known, check_ins[-1].effective)
    return on_its_day.definition if on_its_day else None


def _needs_all(definitions: Iterable[KeyResultDefinition | None], policy: ScoringPolicy) -> bool:
    """Whether a score stands on all check-ins and not just the last."""
    by_periods = policy.maintain == ScoringPolicy.MAINTAIN_SHARE_OF_PERIODS
    return any(
        definition is not None
        and (
            definition.aggregation == Aggregation.AGGREGATION_SUM
            or (by_periods and definition.direction in MAINTAIN)
        )
        for definition in definitions
    )
