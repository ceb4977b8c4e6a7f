"""The facts behind scores: what was known and in force, of objectives and all that contributes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from types import MappingProxyType
from typing import Final

from sqlalchemy import Connection

from ledger.alignment import edges_on
from ledger.check_ins import CheckIn, Circumstances
from ledger.check_ins import resource as check_in_resource
from ledger.cycles import Cycle, cycle_of, under
from ledger.definitions import MAINTAIN
from ledger.key_results import KeyResult, definition_in, key_result_of
from ledger.objectives import KEY_RESULTS, objective_of, stream_of
from ledger.revision import Revision
from ledger.standing import Contribution, Facts, KeyResultFacts, Standings
from okr.v1.events_pb2 import Aligned
from okr.v1.resources_pb2 import CheckIn as CheckInResource
from okr.v1.values_pb2 import Aggregation, AlignmentKind, KeyResultDefinition, ScoringPolicy
from projections import plan
from projections.known_check_ins import KnownCheckIn
from projections.source import Source, Tables

Policies = Mapping[str, ScoringPolicy]
"""Scoring policies by cycle."""

_NONE: Final[Policies] = MappingProxyType({})

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
        known.check_in._replace(content=known.content),
        Circumstances(known.recorded_us, known.recording),
        Circumstances(known.recorded_us, correction) if correction else None,
    )


def board(connection: Connection, objectives: Iterable[str], position: int, day: date) -> Board:
    """Everything known at a position and in force on a day, of the objectives and their children.

    Names that are not known or do not hold yet are left out. Costs by the number of key results
    of the objectives and of all that contribute to them.
    """
    return board_of(Tables(connection), objectives, position, day)


def board_of(
    source: Source,
    objectives: Iterable[str],
    position: int,
    day: date,
    *,
    simulated: Policies = _NONE,
) -> Board:
    """The same from any source.

    `simulated` has, by cycle, the policy to score it under in place of its own.
    """
    alignment = alignment_of(source, list(dict.fromkeys(objectives)), position)
    names = with_children(alignment)
    collections = [plan.key_results_of(name) for name in names]
    members = source.members(collections, position)
    key_results = [name for collection in members.values() for name in collection]
    made = _facts(source, names, key_results, position, day, simulated=simulated)
    planned = {
        name: made.facts.cycles[made.facts.objectives[name].cycle].plan_position
        for name in made.facts.planned
    }
    return _board(
        replace(
            made.facts,
            contributors={
                parent: _contributions(known, day) for parent, known in alignment.items()
            },
            planned_contributors={
                parent: _contributions(
                    (r for r in alignment[parent] if r.position <= plan_position), LAST_DAY
                )
                for parent, plan_position in planned.items()
                if parent in alignment
            },
        ),
        made.known_check_ins,
    )


def key_result_board(connection: Connection, key_result: str, position: int, day: date) -> Board:
    """The same of a single key result: nothing else of its objective is in it."""
    return _facts(Tables(connection), [stream_of(key_result)], [key_result], position, day)


def _facts(
    source: Source,
    objectives: Sequence[str],
    key_results: Sequence[str],
    position: int,
    day: date,
    *,
    simulated: Policies = _NONE,
) -> Board:
    own = source.revisions(objectives, position)
    found = {n: o for n, known in own.items() if (o := objective_of(n, known, day)) is not None}
    cycles = _cycles(source, {o.cycle for o in found.values()}, position, day)
    cycles.update((n, under(cycles[n], p)) for n, p in simulated.items() if n in cycles)
    present = [name for name in key_results if stream_of(name) in found]
    cycle_of_each = {name: cycles[found[stream_of(name)].cycle] for name in present}
    definitions, check_ins = _key_results(source, cycle_of_each, position, day)
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


def alignment_of(
    source: Source, objectives: Sequence[str], position: int
) -> dict[str, Sequence[Revision]]:
    """What is known of the edges to the objectives, and to all that ever contributed to them.

    By parent. A child whose contribution ended may still count in the original plan.
    """
    found: dict[str, Sequence[Revision]] = {}
    frontier = list(objectives)
    while frontier:
        known = source.edges(frontier, position)
        found.update(known)
        children = [name for name in _children(known) if KEY_RESULTS not in name]
        frontier = [name for name in dict.fromkeys(children) if name not in found]
    return found


def with_children(alignment: Mapping[str, Sequence[Revision]]) -> list[str]:
    """The objectives of an alignment and those of all that ever contributed, each once."""
    return list(dict.fromkeys([*alignment, *(stream_of(name) for name in _children(alignment))]))


def _children(alignment: Mapping[str, Sequence[Revision]]) -> Iterator[str]:
    """All that ever contributed."""
    for known in alignment.values():
        for revision in known:
            fact = revision.fact
            if isinstance(fact, Aligned) and fact.kind == AlignmentKind.ALIGNMENT_KIND_CONTRIBUTES:
                yield fact.child


def _contributions(known: Iterable[Revision], day: date) -> list[Contribution]:
    return [
        Contribution(edge.child, Decimal(edge.weight), edge.position)
        for edge in edges_on(known, day)
        if edge.contributes
    ]


def _cycles(source: Source, names: Iterable[str], position: int, day: date) -> dict[str, Cycle]:
    """The cycles with the definition of the day, and their states as known, whatever the day."""
    found = {}
    for name, known in source.revisions(sorted(names), position).items():
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
    source: Source, cycle_of_each: Mapping[str, Cycle], position: int, day: date
) -> tuple[dict[str, KeyResultFacts], dict[tuple[str, int], KnownCheckIn]]:
    """The key results in the order given, and the check-ins in force."""
    known = source.revisions(list(cycle_of_each), position)
    current = {n: k for n in cycle_of_each if (k := key_result_of(n, known[n], day)) is not None}
    original = {n: _planned_definition(n, known[n], cycle_of_each[n]) for n in current}
    in_full = [
        name
        for name in current
        if needs_all(map(definition_in, known[name]), cycle_of_each[name].definition.policy)
    ]
    in_part = [n for n in current if n not in set(in_full)]
    last = source.last_check_ins(in_part, position, day)
    held: dict[str, Sequence[KnownCheckIn]] = {name: [found] for name, found in last.items()}
    held.update(source.all_check_ins(in_full, position, day))
    recorded = source.check_in_counts(list(current), position)
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


def needs_all(definitions: Iterable[KeyResultDefinition | None], policy: ScoringPolicy) -> bool:
    """Whether a score stands on all check-ins and not just the last, under any of them."""
    by_periods = policy.maintain == ScoringPolicy.MAINTAIN_SHARE_OF_PERIODS
    return any(
        definition is not None
        and (
            definition.aggregation == Aggregation.AGGREGATION_SUM
            or (by_periods and definition.direction in MAINTAIN)
        )
        for definition in definitions
    )
