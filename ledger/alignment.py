"""Alignment: which objectives and key results help which others; a graph without cycles."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property

from ledger import refusals
from ledger.cycles import Cycle
from ledger.objectives import stream_of
from ledger.refusals import invalid
from ledger.revision import Revision, in_order
from ledger.values import decimal_text
from okr.v1 import events_pb2 as facts
from okr.v1 import resources_pb2 as resources
from okr.v1.ledger_service_pb2 import AlignRequest, UnalignRequest
from okr.v1.values_pb2 import AlignmentKind

STREAM = "alignment"
MOST_DEPENDANTS = 100
"""How many dependants an event names at most."""


@dataclass(frozen=True, slots=True)
class Edge:
    """An alignment in force; a contribution moves the parent's score by its weight.

    `position` is that of the event that made it; edges that differ in nothing else are equal.
    """

    child: str
    parent: str
    kind: AlignmentKind.ValueType
    weight: str
    position: int = field(default=0, compare=False)

    @property
    def contributes(self) -> bool:
        """Whether the child's score counts in the parent's."""
        return self.kind == AlignmentKind.ALIGNMENT_KIND_CONTRIBUTES

    def resource(self) -> resources.Alignment:
        """The alignment as the API shows it."""
        return resources.Alignment(
            child=self.child, parent=self.parent, kind=self.kind, weight=self.weight
        )


@dataclass(frozen=True)
class Graph:
    """The alignments in force at one time."""

    edges: tuple[Edge, ...]

    def parents(self, name: str) -> list[str]:
        """What a node is aligned to, and a key result's own objective."""
        own = [stream_of(name)] if stream_of(name) != name else []
        return own + self._parents.get(name, [])

    def dependants(self, name: str) -> list[str]:
        """What an event names of them: the first `MOST_DEPENDANTS` by name."""
        return sorted(self.all_dependants(name))[:MOST_DEPENDANTS]

    def all_dependants(self, name: str) -> set[str]:
        """What depends on a node through alignment, directly or further up.

        A key result's own objective always depends on it and is not named.
        """
        return {*self._above(name)} - {name, stream_of(name)} if self.edges else set()

    def path(self, start: str, end: str) -> tuple[str, ...]:
        """The shortest way up from a node to another, both included; empty if there is none."""
        came_from = self._above(start)
        if end not in came_from:
            return ()
        way = [end]
        while way[-1] != start:
            way.append(came_from[way[-1]])
        return tuple(reversed(way))

    @cached_property
    def _parents(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for edge in self.edges:
            found.setdefault(edge.child, []).append(edge.parent)
        return found

    def _above(self, start: str) -> dict[str, str]:
        """Every node above a node, with the one it was first reached from."""
        came_from = {start: start}
        queue = deque([start])
        while queue:
            node = queue.popleft()
            for parent in self.parents(node):
                if parent not in came_from:
                    came_from[parent] = node
                    queue.append(parent)
        return came_from


@dataclass(frozen=True)
class Alignments:
    """All that the stream tells of alignment, in order of position."""

    revisions: tuple[Revision, ...] = ()

    @property
    def edges(self) -> tuple[Edge, ...]:
        """The alignments in force once all has come to hold."""
        return self._graph.edges

    def dependants(self, name: str) -> list[str]:
        """What an event names of what depends on a node; see `Graph`."""
        return self._graph.dependants(name)

    @cached_property
    def _graph(self) -> Graph:
        # Made when it is asked for: a stream is folded through states that nobody looks at.
        return Graph(tuple(edges_on(self.revisions, date.max)))


def applied(alignments: Alignments, revision: Revision) -> Alignments:
    """What is told after one more event.

    Raises:
        TypeError: a fact that is not about alignment.
    """
    if not isinstance(revision.fact, facts.Aligned | facts.Unaligned):
        raise TypeError(f"{revision.fact.DESCRIPTOR.full_name} is not about alignment")
    return Alignments((*alignments.revisions, revision))


def edges_on(revisions: Iterable[Revision], on: date) -> list[Edge]:
    """The alignments in force on a day, in the order in which they were made.

    Raises:
        TypeError: a fact that is not about alignment.
    """
    found: dict[tuple[str, str, AlignmentKind.ValueType], Edge] = {}
    for revision in in_order(revisions, on):
        match revision.fact:
            case facts.Aligned() as fact:
                edge = Edge(fact.child, fact.parent, fact.kind, fact.weight, revision.position)
                found[fact.child, fact.parent, fact.kind] = edge
            case facts.Unaligned() as fact:
                found.pop((fact.child, fact.parent, fact.kind), None)
            case other:
                raise TypeError(f"{other.DESCRIPTOR.full_name} is not about alignment")
    return list(found.values())


def align(
    alignments: Alignments,
    request: AlignRequest,
    effective: date,
    child_cycle: Cycle,
    parent_cycle: Cycle,
) -> facts.Aligned:
    """Aligns an objective or key result to another from a day on.

    Raises:
        FieldInvalid: a contribution to a key result.
        AlignmentExists, AlignmentSecondParent: the child is aligned so already, or contributes
            elsewhere, on some day from then on.
        AlignmentCyclesDisjoint: the parent's cycle does not contain the child's.
        AlignmentCycle: the parent already depends on the child on some day from then on.
    """
    child, parent = request.child, request.parent
    contributes = request.kind == AlignmentKind.ALIGNMENT_KIND_CONTRIBUTES
    if contributes and stream_of(parent) != parent:
        raise invalid("parent", "alignment.parent", "a contribution ends at an objective")
    from_then_on = _from(alignments.revisions, effective)
    own_part = child != parent and stream_of(child) == parent
    if own_part or any(
        (e.child, e.parent, e.kind) == (child, parent, request.kind)
        for e in (*alignments.edges, *edges_on(alignments.revisions, effective))
    ):
        raise refusals.AlignmentExists(child, parent)
    for edge in from_then_on:
        if contributes and edge.contributes and edge.child == child:
            raise refusals.AlignmentSecondParent(child, edge.parent)
    if not (
        parent_cycle.first_day <= child_cycle.first_day
        and child_cycle.last_day <= parent_cycle.last_day
    ):
        raise refusals.AlignmentCyclesDisjoint(child, parent)
    path = Graph(from_then_on).path(parent, child)
    if path:
        raise refusals.AlignmentCycle(child, parent, path)
    weight = decimal_text(request.weight or "1")
    return facts.Aligned(child=child, parent=parent, kind=request.kind, weight=weight)


def unalign(alignments: Alignments, request: UnalignRequest, effective: date) -> facts.Unaligned:
    """Takes an alignment back from a day on.

    Raises:
        AlignmentMissing: there is no such alignment, or not yet on that day.
    """
    wanted = (request.child, request.parent, request.kind)
    for edges in (alignments.edges, edges_on(alignments.revisions, effective)):
        if wanted not in [(e.child, e.parent, e.kind) for e in edges]:
            raise refusals.AlignmentMissing(request.child, request.parent)
    return facts.Unaligned(child=request.child, parent=request.parent, kind=request.kind)


def _from(revisions: Sequence[Revision], effective: date) -> tuple[Edge, ...]:
    """Every edge in force on the day or on any later one."""
    edges = edges_on(revisions, effective)
    edges += [
        Edge(r.fact.child, r.fact.parent, r.fact.kind, r.fact.weight)
        for r in revisions
        if isinstance(r.fact, facts.Aligned) and r.effective > effective
    ]
    return tuple(edges)
