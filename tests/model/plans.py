"""Two plans side by side, as ComparePlans has to answer them; see `PlanComparison`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from google.protobuf.message import Message

from okr.v1 import audit_service_pb2 as audit
from okr.v1 import plan_comparison_pb2 as api
from okr.v1 import resources_pb2 as resources
from tests.model.asking import Asking, Question
from tests.model.known import Fact, Known, in_order
from tests.model.shapes import KEY_RESULTS, date_message, differing, only, three
from tests.model.standing import Standing

KINDS: Final[dict[str, int]] = {
    **dict.fromkeys(
        (
            *("direction", "baseline", "target", "target_change_percent", "commit", "stretch"),
            *("lower_bound", "upper_bound", "milestones"),
        ),
        api.PLAN_CHANGE_KIND_RETARGETED,
    ),
    "weight": api.PLAN_CHANGE_KIND_REWEIGHTED,
    "team": api.PLAN_CHANGE_KIND_MOVED,
    "owner": api.PLAN_CHANGE_KIND_REASSIGNED,
}
"""The kind of a difference by its field; of any other it is REDEFINED."""


@dataclass(frozen=True)
class Plan:
    """A plan: what is known at an instant, on a day, of a team's tree or of all teams."""

    known: Known
    day: date
    cycle: str
    team: str

    @property
    def standing(self) -> Standing:
        return Standing(self.known, self.day)

    def own(self) -> list[str]:
        """Its objectives, whether they count or not."""
        teams = self.known.teams(self.day)
        tree = self.known.tree(teams, self.team) if self.team in ("", *teams) else []
        return self.standing.members(self.cycle, tree)

    def there(self, name: str) -> Any:
        """The objective or key result on the day, None where it is not there."""
        if KEY_RESULTS not in name:
            return self.known.objective(name, self.day)
        return self.known.key_result(name, self.day)

    def counts(self, name: str) -> bool:
        """Whether it is part of the plan."""
        objective = self.known.objective(name.partition(KEY_RESULTS)[0], self.day)
        there = self.there(name)
        if objective is None or objective.abandoned or there is None:
            return False
        return KEY_RESULTS not in name or not there.dropped

    def edges(self, child: str) -> list[resources.Alignment]:
        """What it is aligned to."""
        found = [
            resources.Alignment(child=e.child, parent=e.parent, kind=e.kind, weight=e.weight)
            for e in self.known.edges(self.day)
            if e.child == child
        ]
        return sorted(found, key=lambda edge: (edge.parent, edge.kind))

    def events(self, name: str) -> list[Fact]:
        """The events in force about it, or about what it is aligned to."""
        return in_order(self.known.revisions(name), self.day)

    def aligning(self, child: str) -> list[Fact]:
        """The events in force that aligned it."""
        found = in_order(self.known.of("alignment"), self.day)
        return [fact for fact in found if fact.payload.child == child]

    def side(self) -> api.PlanSide:
        """The plan with its scores."""
        own = self.own()
        counting = [name for name in own if self.counts(name)]
        parts = [k for name in counting for k in self.known.key_results(name) if self.counts(k)]
        group = self.standing.group(own, self.cycle, whole=not self.team)
        return api.PlanSide(
            position=self.known.position,
            effective_at=date_message(self.day),
            objective_count=len(counting),
            key_result_count=len(parts),
            **three(group.scores),
        )


def compared(before: Plan, after: Plan) -> api.PlanComparison:
    """The whole comparison."""
    later = max(before, after, key=lambda plan: plan.known.position)
    own = {*before.own(), *after.own()}
    changes = [
        change
        for objective in later.known.objectives(before.cycle)
        if objective in own
        for name in (objective, *later.known.key_results(objective))
        for change in sorted(differences(name, before, after), key=lambda each: each.kind)
    ]
    kinds = sorted({change.kind for change in changes})
    return api.PlanComparison(
        cycle=before.cycle,
        team=before.team,
        before=before.side(),
        after=after.side(),
        changes=changes,
        totals=[
            api.PlanChangeTotal(
                kind=kind,
                objectives=sum(c.kind == kind and KEY_RESULTS not in c.subject for c in changes),
                key_results=sum(c.kind == kind and KEY_RESULTS in c.subject for c in changes),
            )
            for kind in kinds
        ],
    )


def differences(name: str, before: Plan, after: Plan) -> Iterator[api.PlanChange]:
    """What differs in one objective or key result."""
    counted, counts = before.counts(name), after.counts(name)
    prefix = "key_result" if KEY_RESULTS in name else "objective"
    if counts and not counted:
        known = before.there(name) is not None
        kind = api.PLAN_CHANGE_KIND_RESTORED if known else api.PLAN_CHANGE_KIND_ADDED
        whole: dict[str, Any] = {f"{prefix}_after": after.there(name).definition}
        whole |= {"alignments_after": after.edges(name)}
    elif counted and not counts:
        kind = api.PLAN_CHANGE_KIND_DROPPED
        whole = {f"{prefix}_before": before.there(name).definition}
        whole |= {"alignments_before": before.edges(name)}
    elif counts:
        yield from redefined(name, prefix, before, after)
        yield from realigned(name, before, after)
        return
    else:
        return
    turns = came_or_went(name, before, after)
    yield api.PlanChange(subject=name, kind=kind, event_positions=turns, **whole)


def redefined(name: str, prefix: str, before: Plan, after: Plan) -> Iterator[api.PlanChange]:
    """The fields that differ, by kind."""
    was, is_now = before.there(name).definition, after.there(name).definition
    fields: dict[int, list[str]] = {}
    for path in differing(was, is_now):
        fields.setdefault(KINDS.get(path, api.PLAN_CHANGE_KIND_REDEFINED), []).append(path)
    made = [
        f for f in apart(before.events(name), after.events(name)) if hasattr(f.payload, "changed")
    ]
    for kind, paths in fields.items():
        sides = {f"{prefix}_before": only(was, paths), f"{prefix}_after": only(is_now, paths)}
        positions = [f.position for f in made if {*paths} & {*f.payload.changed.paths}]
        change = api.PlanChange(subject=name, kind=kind, event_positions=positions, **sides)  # type: ignore[arg-type]  # a kind's number
        change.changed.paths.extend(paths)
        yield change


def realigned(name: str, before: Plan, after: Plan) -> Iterator[api.PlanChange]:
    """The alignments that are no longer so, and those that were not so."""
    was, is_now = before.edges(name), after.edges(name)
    gone = [edge for edge in was if edge not in is_now]
    new = [edge for edge in is_now if edge not in was]
    if not gone and not new:
        return
    ends = {(edge.parent, edge.kind) for edge in (*gone, *new)}
    made = apart(before.aligning(name), after.aligning(name))
    yield api.PlanChange(
        subject=name,
        kind=api.PLAN_CHANGE_KIND_REALIGNED,
        alignments_before=gone,
        alignments_after=new,
        event_positions=[f.position for f in made if (f.payload.parent, f.payload.kind) in ends],
    )


def came_or_went(name: str, before: Plan, after: Plan) -> list[int]:
    """The events by which it did, or by which its objective did where it went with that."""
    for subject in (name, name.partition(KEY_RESULTS)[0]):
        made = apart(before.events(subject), after.events(subject))
        turns = [fact.position for fact in made if not hasattr(fact.payload, "changed")]
        if turns:
            return turns
    return []


def apart(one: Sequence[Fact], other: Sequence[Fact]) -> list[Fact]:
    """The events in force in one of the plans only, in order."""
    sides = [{fact.position: fact for fact in each} for each in (one, other)]
    return [
        (sides[0] | sides[1])[position] for position in sorted(sides[0].keys() ^ sides[1].keys())
    ]


def random_comparison(asking: Asking) -> tuple[Message, Message]:
    """A request, and what it has to answer."""
    drafted = asking.fact("CycleDrafted")
    cycle = drafted.subject
    team = asking.fact("TeamRegistered").subject if asking.maybe(0.5) else ""
    request = audit.ComparePlansRequest(cycle=cycle, team=team)
    plans = []
    for side in (request.before, request.after):
        asked = asking.instants(Question(None, cycle, drafted.position))
        if asking.maybe(0.3):
            side.original.SetInParent()
            plans.append(original(asking, cycle, team))
        else:
            side.as_of.CopyFrom(asked.as_of)
            plans.append(Plan(asked.at.known, asked.at.day_in(cycle), cycle, team))
    return request, audit.ComparePlansResponse(comparison=compared(*plans))


def original(asking: Asking, cycle: str, team: str) -> Plan:
    """The plan as it stood when it was committed."""
    committed = asking.everything.of(cycle, "PlanCommitted")[0]
    then = asking.everything.upto(committed.position)
    return Plan(then, then.day_in(cycle, committed.recorded_us), cycle, team)
