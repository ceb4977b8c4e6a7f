"""What differs between two plans, subject by subject and kind by kind. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import IntEnum
from typing import Final

from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message

from ledger.alignment import Edge, edges_on
from ledger.key_results import KeyResult
from ledger.objectives import KEY_RESULTS, Objective
from ledger.revision import Revision, difference, in_order
from okr.v1 import plan_comparison_pb2 as api
from okr.v1.values_pb2 import ObjectiveState


class Kind(IntEnum):
    """What differs, numbered as in the API."""

    ADDED = api.PLAN_CHANGE_KIND_ADDED
    DROPPED = api.PLAN_CHANGE_KIND_DROPPED
    RESTORED = api.PLAN_CHANGE_KIND_RESTORED
    RETARGETED = api.PLAN_CHANGE_KIND_RETARGETED
    REWEIGHTED = api.PLAN_CHANGE_KIND_REWEIGHTED
    REALIGNED = api.PLAN_CHANGE_KIND_REALIGNED
    MOVED = api.PLAN_CHANGE_KIND_MOVED
    REASSIGNED = api.PLAN_CHANGE_KIND_REASSIGNED
    REDEFINED = api.PLAN_CHANGE_KIND_REDEFINED


_KINDS: Final = {
    **dict.fromkeys(
        (
            *("direction", "baseline", "target", "target_change_percent", "commit", "stretch"),
            *("lower_bound", "upper_bound", "milestones"),
        ),
        Kind.RETARGETED,
    ),
    "weight": Kind.REWEIGHTED,
    "team": Kind.MOVED,
    "owner": Kind.REASSIGNED,
}
"""The kind of a change by the field that changed; any other field is redefined."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan as known and in force on a day; `alignment` is by child, in order of position.

    Everything that the other plan names is in it too, as far as it was there, so that what left a
    team's tree is told from what ended. `own` names the objectives of the tree.
    """

    day: date
    objectives: Mapping[str, Objective]
    key_results: Mapping[str, KeyResult]
    alignment: Mapping[str, Sequence[Revision]]
    own: frozenset[str]

    def counts(self, name: str) -> bool:
        """Whether an objective or key result is part of the plan."""
        objective = self.objectives.get(name.partition(KEY_RESULTS)[0])
        if objective is None or objective.closed == ObjectiveState.OBJECTIVE_STATE_ABANDONED:
            return False
        if KEY_RESULTS not in name:
            return True
        key_result = self.key_results.get(name)
        return key_result is not None and not key_result.dropped

    def knows(self, name: str) -> bool:
        """Whether it is there at all."""
        return name in self.objectives or name in self.key_results

    def definition(self, name: str) -> Message:
        """Its definition in force."""
        return self._known(name).definition

    def edges(self, child: str) -> list[Edge]:
        """What it is aligned to."""
        return edges_on(self.alignment.get(child, ()), self.day)

    def revisions(self, name: str) -> list[Revision]:
        """The events that made it what it is."""
        return in_order(self._known(name).revisions, self.day) if self.knows(name) else []

    def aligned(self, child: str) -> list[Revision]:
        """The events that aligned it."""
        return in_order(self.alignment.get(child, ()), self.day)

    def _known(self, name: str) -> KeyResult | Objective:
        return self.key_results[name] if KEY_RESULTS in name else self.objectives[name]


@dataclass(frozen=True, slots=True)
class Difference:
    """One kind of difference in one objective or key result.

    `before` and `after` are definitions reduced to the fields that changed; of what came or went,
    one whole definition.
    """

    subject: str
    kind: Kind
    changed: FieldMask | None = None
    before: Message | None = None
    after: Message | None = None
    edges_before: Sequence[Edge] = ()
    edges_after: Sequence[Edge] = ()
    positions: Sequence[int] = ()


def differences(before: Plan, after: Plan) -> Iterator[Difference]:
    """Every difference: objectives by creation, each followed by its key results by addition."""
    for name in _as_made(before.objectives, after.objectives):
        if name not in before.own | after.own:
            continue
        yield from _of(name, before, after)
        there = [plan.objectives[name] for plan in (before, after) if name in plan.objectives]
        for key_result in _as_made(*(objective.key_results for objective in there)):
            yield from _of(key_result, before, after)


def totals(found: Iterable[Difference]) -> dict[Kind, tuple[int, int]]:
    """How many objectives and key results differ, by kind in order; absent kinds do not."""
    counted: dict[Kind, list[int]] = {}
    for each in found:
        counted.setdefault(each.kind, [0, 0])[KEY_RESULTS in each.subject] += 1
    return {kind: (counted[kind][0], counted[kind][1]) for kind in sorted(counted)}


def _as_made(*known: Mapping[str, KeyResult] | Mapping[str, Objective]) -> list[str]:
    """The names of all in the order in which they were made."""
    made = {name: each.revisions[0].position for of in known for name, each in of.items()}
    return sorted(made, key=lambda name: made[name])


def _of(name: str, before: Plan, after: Plan) -> Iterator[Difference]:
    counted, counts = before.counts(name), after.counts(name)
    if counts and not counted:
        kind = Kind.RESTORED if before.knows(name) else Kind.ADDED
        yield Difference(
            name,
            kind,
            after=after.definition(name),
            edges_after=after.edges(name),
            positions=_turns(name, before, after),
        )
    elif counted and not counts:
        yield Difference(
            name,
            Kind.DROPPED,
            before=before.definition(name),
            edges_before=before.edges(name),
            positions=_turns(name, before, after),
        )
    elif counts:
        yield from sorted(_changes(name, before, after), key=lambda each: each.kind)


def _changes(name: str, before: Plan, after: Plan) -> Iterator[Difference]:
    whole = difference(before.definition(name), after.definition(name))
    fields: dict[Kind, list[str]] = {}
    for path in whole.changed.paths if whole else ():
        fields.setdefault(_KINDS.get(path, Kind.REDEFINED), []).append(path)
    revisions = _apart(before.revisions(name), after.revisions(name))
    for kind, paths in fields.items():
        assert whole is not None
        own = whole.only(paths)
        yield Difference(
            name,
            kind,
            own.changed,
            own.before,
            own.after,
            positions=[r.position for r in revisions if _touches(r, paths)],
        )
    was, is_now = ({_key(edge): edge for edge in plan.edges(name)} for plan in (before, after))
    gone = [edge for key, edge in was.items() if key not in is_now]
    new = [edge for key, edge in is_now.items() if key not in was]
    if gone or new:
        ends = {(edge.parent, edge.kind) for edge in (*gone, *new)}
        aligned = _apart(before.aligned(name), after.aligned(name))
        positions = [r.position for r in aligned if (r.fact.parent, r.fact.kind) in ends]  # type: ignore[attr-defined]  # an alignment's
        yield Difference(
            name, Kind.REALIGNED, edges_before=gone, edges_after=new, positions=positions
        )


def _turns(name: str, before: Plan, after: Plan) -> list[int]:
    """The events by which it came or went, its objective's where it went with that."""
    for subject in (name, name.partition(KEY_RESULTS)[0]):
        made = _apart(before.revisions(subject), after.revisions(subject))
        turns = [r.position for r in made if "changed" not in r.fact.DESCRIPTOR.fields_by_name]
        if turns:
            return turns
    return []


def _apart(one: Iterable[Revision], other: Iterable[Revision]) -> list[Revision]:
    """The events that are in one plan only, in order of position."""
    ours, theirs = ({r.position: r for r in each} for each in (one, other))
    return [(ours | theirs)[at] for at in sorted(ours.keys() ^ theirs.keys())]


def _touches(revision: Revision, paths: Iterable[str]) -> bool:
    changed = getattr(revision.fact, "changed", None)
    return changed is not None and not set(changed.paths).isdisjoint(paths)


def _key(edge: Edge) -> tuple[str, int, str]:
    return edge.parent, edge.kind, edge.weight
