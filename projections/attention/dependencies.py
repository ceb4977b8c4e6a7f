"""Who depends on what through alignment, and which changes their owners have not looked at yet."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from google.protobuf.message import Message
from sqlalchemy import Connection

from ledger.alignment import MOST_DEPENDANTS, Edge, Graph
from ledger.cycles import cycle_of
from ledger.dues import owner_of
from ledger.key_results import key_result_of
from ledger.objectives import KEY_RESULTS, objective_of, stream_of
from okr.v1 import events_pb2 as facts
from okr.v1 import resources_pb2 as resources
from projections import alignments, plan, revisions
from projections.revisions import RevisionRow

Change = (
    facts.KeyResultRevised
    | facts.KeyResultDropped
    | facts.KeyResultRestored
    | facts.ObjectiveRevised
)

UNIMPORTANT = frozenset({"title", "description", "owner", "visibility", "measure_kind"})
"""Fields whose change is nothing that a dependant has to look at."""


@dataclass(frozen=True, slots=True)
class Instants:
    """What is asked of the tables: known at a position, in force on a day."""

    connection: Connection
    position: int
    day: date

    def revisions(self, subjects: Sequence[str]) -> dict[str, list[RevisionRow]]:
        """Those of each subject that hold on the day, in order of position."""
        found = revisions.of_many(self.connection, subjects, self.position)
        return {
            subject: [row for row in rows if row.effective <= self.day]
            for subject, rows in found.items()
        }


def changes(at: Instants, names: Iterable[str]) -> dict[str, list[RevisionRow]]:
    """The changes of the committed plan below each name that are named as its concern, in order.

    Names without any are left out. Costs by the number of revisions of what the names depend on.
    """
    wanted = dict.fromkeys(names)
    start = [*wanted, *_key_results(at, wanted)]
    edges = tuple(_walk(at, start, alignments.of_parents, _below(at)))
    if not edges:
        return {}
    graph = Graph(edges)
    children = list(dict.fromkeys(edge.child for edge in edges))
    subjects = [*children, *map(stream_of, children), *_key_results(at, children)]
    plans = _plan_positions(at, {stream_of(subject) for subject in subjects})
    found: dict[str, list[RevisionRow]] = {}
    for subject, rows in at.revisions(list(dict.fromkeys(subjects))).items():
        made = [row for row in rows if 0 < plans[stream_of(subject)] < row.position]
        for row in made:
            for dependant in _concerned(row.revision.fact, subject, graph):
                if dependant in wanted:
                    found.setdefault(dependant, []).append(row)
    return {name: sorted(rows) for name, rows in found.items()}


def dependants(at: Instants, names: Iterable[str]) -> dict[str, list[resources.Dependant]]:
    """What depends on each name and holds on the day, with who answers for it; by name.

    At most `MOST_DEPENDANTS` each. Costs by the number of alignments above the names.
    """
    asked = list(dict.fromkeys(names))
    # What depends on an objective depends on each of its key results.
    start = [*asked, *map(stream_of, asked)]
    graph = Graph(tuple(_walk(at, start, alignments.of_children, _above)))
    above = {name: graph.dependants(name) for name in asked}
    everyone = sorted({each for found in above.values() for each in found})
    known = at.revisions([*everyone, *map(stream_of, everyone)])
    shown = {
        name: made
        for name in everyone
        if (made := _dependant(name, known[name], known[stream_of(name)], at.day))
    }
    return {name: [shown[each] for each in found if each in shown] for name, found in above.items()}


def _dependant(
    name: str, own: Sequence[RevisionRow], of_stream: Sequence[RevisionRow], day: date
) -> resources.Dependant | None:
    objective = objective_of(stream_of(name), [row.revision for row in of_stream], day)
    if objective is None:
        return None
    key_result = None
    if KEY_RESULTS in name:
        key_result = key_result_of(name, [row.revision for row in own], day)
        if key_result is None:
            return None
    return resources.Dependant(
        name=name,
        title=(key_result or objective).definition.title,
        team=objective.definition.team,
        owner=owner_of(objective, key_result),
    )


Edges = Callable[[Connection, Sequence[str], int, date], list[Edge]]


def _walk(
    at: Instants,
    names: Iterable[str],
    edges_of: Edges,
    further: Callable[[Sequence[Edge]], Iterable[str]],
) -> Iterator[Edge]:
    """The edges that are reached from the names, each node asked once, level by level."""
    seen: set[str] = set()
    frontier = list(dict.fromkeys(names))
    while frontier:
        seen.update(frontier)
        edges = edges_of(at.connection, frontier, at.position, at.day)
        yield from edges
        frontier = [name for name in dict.fromkeys(further(edges)) if name not in seen]


def _above(edges: Sequence[Edge]) -> Iterator[str]:
    """The parents, and the objective of each that is a key result."""
    for edge in edges:
        yield edge.parent
        yield stream_of(edge.parent)


def _below(at: Instants) -> Callable[[Sequence[Edge]], Iterable[str]]:
    """The children, and the key results of each that is an objective."""

    def further(edges: Sequence[Edge]) -> list[str]:
        children = [edge.child for edge in edges]
        return [*children, *_key_results(at, children)]

    return further


def _key_results(at: Instants, names: Iterable[str]) -> list[str]:
    collections = [plan.key_results_of(name) for name in names if KEY_RESULTS not in name]
    members = plan.members_of_many(at.connection, collections, at.position)
    return [name for collection in members.values() for name in collection]


def _plan_positions(at: Instants, objectives: Iterable[str]) -> Mapping[str, int]:
    """The position at which the plan of each objective's cycle was committed, 0 before."""
    rows = revisions.of_many(at.connection, sorted(objectives), at.position)
    cycle_of_each = {
        name: fact.cycle
        for name, known in rows.items()
        if known and isinstance(fact := known[0].revision.fact, facts.ObjectiveCreated)
    }
    cycles = revisions.of_many(at.connection, sorted(set(cycle_of_each.values())), at.position)
    positions = {}
    for name, known in cycles.items():
        cycle = cycle_of(name, [row.revision for row in known])
        positions[name] = cycle.plan_position if cycle else 0
    return {name: positions[cycle] for name, cycle in cycle_of_each.items()}


def _concerned(fact: Message, subject: str, graph: Graph) -> Iterable[str]:
    """The dependants that a change names and that still depend on its subject.

    Who abandons an objective takes its key results from whatever depends on these.
    """
    if isinstance(fact, facts.ObjectiveAbandoned):
        own = {edge.child for edge in graph.edges if stream_of(edge.child) == subject}
        return {name for part in (subject, *own) for name in graph.all_dependants(part)}
    if not isinstance(fact, Change) or not fact.dependants:
        return ()
    if isinstance(fact, facts.KeyResultRevised | facts.ObjectiveRevised) and (
        UNIMPORTANT.issuperset(fact.changed.paths)
    ):
        return ()
    still = graph.all_dependants(subject)
    # An event names the first hundred only.
    return still if len(fact.dependants) == MOST_DEPENDANTS else still.intersection(fact.dependants)
