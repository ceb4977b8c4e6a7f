"""The facts of a span: what was known at its end of subjects and all that may contribute to them.

Costs by the number of key results of the subjects and of what ever contributed to them, of their
revisions, and of what was measured in the span.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date

from sqlalchemy import Connection

from ledger.check_ins import CheckIn
from ledger.key_results import definition_in
from ledger.objectives import stream_of
from ledger.revision import Revision
from ledger.span import CYCLES, TEAMS, Instants, Span, is_key_result
from okr.v1 import events_pb2 as facts
from okr.v1.values_pb2 import AlignmentKind, CycleDefinition
from projections import alignments, plan, revisions
from projections.audit import measured
from projections.board import LAST_DAY, needs_all
from projections.known_check_ins import all_in_force, in_force

Known = dict[str, list[Revision]]


def span_of(
    connection: Connection, subject: str, cycle: str, start: Instants, end: Instants
) -> Span:
    """The span of a key result, an objective, a team in a cycle, or a whole cycle.

    That of a cycle holds every objective, key result and team of it: any of them may be asked for.
    """
    known = end.position
    in_groups = subject.startswith((TEAMS, CYCLES))
    teams = _teams(connection, known) if in_groups else {}
    aligned: Known = {}
    if is_key_result(subject):
        objectives, key_results = [stream_of(subject)], [subject]
    else:
        roots = _roots(connection, subject, cycle, teams, known) if in_groups else [subject]
        objectives, aligned = _contributing(connection, roots, known)
        collections = [plan.key_results_of(name) for name in objectives]
        members = plan.members_of_many(connection, collections, known)
        key_results = [name for collection in members.values() for name in collection]
    of_objectives = _known(connection, objectives, known)
    of_cycles = _known(connection, {cycle, *_cycles(of_objectives)}, known)
    of_key_results = _known(connection, key_results, known)
    recorded = measured.recorded(connection, key_results, start.position, known)
    changed = measured.changed(connection, key_results, start.position, known)
    in_full = {*changed, *_needing_all(of_key_results, of_cycles)}
    return Span(
        start,
        end,
        {**of_cycles, **teams, **of_objectives, **of_key_results},
        aligned,
        _check_ins(connection, key_results, in_full, start, end.day),
        {n: [*recorded.get(n, ()), *changed.get(n, ())] for n in {**recorded, **changed}},
    )


def _known(connection: Connection, names: Iterable[str], known: int) -> Known:
    found = revisions.of_many(connection, sorted(names), known)
    return {name: [row.revision for row in rows] for name, rows in found.items()}


def _teams(connection: Connection, known: int) -> Known:
    names = [entry.member for entry in plan.members_of(connection, plan.TEAMS, known)]
    return _known(connection, names, known)


def _cycles(objectives: Known) -> Iterator[str]:
    for events in objectives.values():
        for event in events[:1]:
            assert isinstance(event.fact, facts.ObjectiveCreated)
            yield event.fact.cycle


def _roots(connection: Connection, subject: str, cycle: str, teams: Known, known: int) -> list[str]:
    """The cycle's objectives; for a team those that were ever of its tree."""
    of_cycle = plan.members_of(connection, plan.objectives_of(cycle), known)
    if subject == cycle:
        return [entry.member for entry in of_cycle]
    below = [plan.objectives_of(name) for name in _ever_below(subject, teams)]
    members = plan.members_of_many(connection, below, known)
    of_tree = {name for collection in members.values() for name in collection}
    return [entry.member for entry in of_cycle if entry.member in of_tree]


def _ever_below(root: str, teams: Mapping[str, Sequence[Revision]]) -> list[str]:
    """A team and all that were ever below it."""
    children: dict[str, set[str]] = {}
    for name, events in teams.items():
        for event in events:
            match event.fact:
                case facts.TeamRegistered() as fact:
                    children.setdefault(fact.definition.parent, set()).add(name)
                case facts.TeamRevised() as fact:
                    children.setdefault(fact.after.parent, set()).add(name)
    found: dict[str, None] = {}
    left = [root]
    while left:
        name = left.pop()
        if name not in found:
            found[name] = None
            left += children.get(name, ())
    return list(found)


def _contributing(
    connection: Connection, roots: Sequence[str], known: int
) -> tuple[list[str], Known]:
    """The objectives and all that ever contributed to them, and these alignments by parent."""
    aligned: Known = {}
    found = dict.fromkeys(roots)
    frontier = list(found)
    while frontier:
        made = alignments.ever_of_parents(connection, frontier, known)
        aligned.update(made)
        children = dict.fromkeys(
            stream_of(event.fact.child)  # type: ignore[attr-defined]  # an alignment's fact
            for events in made.values()
            for event in events
            if event.fact.kind == AlignmentKind.ALIGNMENT_KIND_CONTRIBUTES  # type: ignore[attr-defined]  # as above
        )
        frontier = [name for name in children if name not in found]
        found.update(dict.fromkeys(frontier))
    return list(found), aligned


def _needing_all(key_results: Known, cycles: Known) -> Iterator[str]:
    """The key results whose score may stand on all check-ins under some definition and policy."""
    policies = [
        definition.policy
        for events in cycles.values()
        for event in events
        if (definition := _definition_of_cycle(event)) is not None
    ]
    for name, events in key_results.items():
        definitions = [definition_in(event) for event in events]
        if any(needs_all(definitions, policy) for policy in policies):
            yield name


def _definition_of_cycle(event: Revision) -> CycleDefinition | None:
    match event.fact:
        case facts.CycleDrafted() as fact:
            return fact.definition
        case facts.CycleRevised() as fact:
            return fact.after
    return None


def _check_ins(
    connection: Connection,
    key_results: Sequence[str],
    in_full: set[str],
    start: Instants,
    last: date,
) -> dict[str, list[CheckIn]]:
    """Those known at the start: all of some key results, of others what may come to be in force."""
    few = [name for name in key_results if name not in in_full]
    many = [name for name in key_results if name in in_full]
    first = in_force(connection, few, start.position, start.day)
    found = all_in_force(connection, few, start.position, last, after=start.day)
    found |= all_in_force(connection, many, start.position, LAST_DAY)
    return {
        name: [each.check_in for each in (*([first[name]] if name in first else []), *held)]
        for name, held in found.items()
        if held or name in first
    }
