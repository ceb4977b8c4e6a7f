"""What policies may know of the ledger: the teams' tree, and what belongs to whom."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from okr.v1 import events_pb2 as facts
from okr.v1.values_pb2 import ObjectiveDefinition, Visibility
from projections.filtering.events import subjects_of
from projections.touched import foreseen as foreseen_by
from service.access.resources import (
    ADJUSTMENT,
    CYCLE,
    KEY_RESULT,
    OBJECTIVE,
    REVIEW,
    TEAM,
    Resource,
    Subject,
    objective_of,
)
from service.access.rules import Need, changed_by

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from projections.event import Event

PEOPLE: Final = "people/"

FIELDS: Final = frozenset({"owner", "parent", "team", "visibility"})
"""The fields of definitions that decisions depend on."""


@dataclass(slots=True)
class Objective:
    """An objective: whose it is, and the owners of its key results by their ids ("" for none).

    `owners` are all of them.
    """

    team: str
    cycle: str
    owner: str
    private: bool
    key_results: dict[str, str] = field(default_factory=dict)
    owners: frozenset[str] = frozenset()

    def owned(self) -> None:
        """An owner has changed."""
        self.owners = frozenset(filter(None, (self.owner, *self.key_results.values())))


@dataclass(frozen=True, slots=True)
class Adjustment:
    """An adjustment: who proposed or made it, what it is about, and what approving it takes.

    `about` names the cycle, objectives and key results that it changes or would change.
    """

    cycle: str
    proposer: str
    subjects: tuple[str | Resource, ...]
    about: tuple[str, ...]
    needs: tuple[Need, ...] = ()


class Directory:
    """The present teams, objectives, key results, adjustments and reviews, in memory.

    Folded from the events of `TYPES` in order of position, in one thread at a time. A key result
    takes some 280 bytes, an objective some 630; nothing is forgotten. `changed` is the position
    of the last event that was folded in, `tree` that of the last one that changed the teams' tree.
    """

    def __init__(self) -> None:
        self.has_private = False
        """Whether an objective has ever been private."""
        self.clear()

    def clear(self) -> None:
        """Knows nothing any more, as in the beginning."""
        self.position = 0
        self.tree = 0
        self.changed = 0
        self._parents: dict[str, str] = {}
        self._chains: dict[str, tuple[str, ...]] = {}
        self._objectives: dict[str, Objective] = {}
        self._foreseen: dict[str, Resource] = {}
        self._adjustments: dict[str, Adjustment] = {}
        self._reviews: dict[str, str] = {}
        # From which day on a field holds that was revised after plan commitment: a backdated
        # revision changes nothing where a later one has changed the same field.
        self._since: dict[tuple[str, str], int] = {}

    def chain(self, team: str) -> tuple[str, ...]:
        """A team and those above it, from the bottom up; empty for one that there is not."""
        known = self._chains.get(team)
        if known is None:
            above = []
            while team in self._parents and team not in above:
                above.append(team)
                team = self._parents[team]
            known = tuple(above)
            if known:
                self._chains[known[0]] = known
        return known

    def find(self, subject: Subject) -> Resource | None:
        """What is known of a thing; None if nothing is."""
        kind, name = subject
        if kind in (OBJECTIVE, KEY_RESULT):
            return self._of_objective(kind, name)
        if kind == TEAM:
            return Resource(TEAM, name, name) if name in self._parents else None
        if kind == ADJUSTMENT:
            made = self._adjustments.get(name)
            if made is None:
                return None
            return Resource(kind, name, cycle=made.cycle, proposer=made.proposer)
        if kind == REVIEW:
            team = self._reviews.get(name)
            return None if team is None else Resource(kind, name, team)
        return Resource(kind, name, cycle=name if kind == CYCLE else "")

    def adjustment(self, name: str) -> Adjustment | None:
        """An adjustment, None if there is none of this name."""
        return self._adjustments.get(name)

    def about(self, adjustment: str) -> tuple[str, ...]:
        """What an adjustment changes or would change, () for one that there is not."""
        made = self._adjustments.get(adjustment)
        return () if made is None else made.about

    def foreseen(self, objective: str) -> Resource | None:
        """A private objective that a proposal would create, None for any other."""
        return self._foreseen.get(objective)

    def parent(self, team: str) -> str:
        """The team above a team, "" if there is none."""
        return self._parents.get(team, "")

    def _of_objective(self, kind: str, name: str) -> Resource | None:
        objective = self._objectives.get(objective_of(name))
        if objective is None:
            return None
        owner = objective.owner
        if kind == KEY_RESULT:
            own = objective.key_results.get(name.rpartition("/")[2])
            if own is None:
                return None
            owner = own
        return Resource(
            kind, name, objective.team, objective.cycle, owner, objective.owners, objective.private
        )

    def take_in(self, events: Iterable[Event], position: int) -> None:
        """Folds in all events up to a position that matter."""
        for event in events:
            FOLDS[type(event.fact)](self, event.fact, event)
            self.changed = event.record.position
            if isinstance(event.fact, TREE):
                self.tree = event.record.position
                self._chains.clear()
        self.position = position

    def _holds(self, subject: str, path: str, event: Event) -> bool:
        """Whether a revised field is in force, now that it is revised."""
        key = (subject, path)
        if event.effective_day < self._since.get(key, 1):
            return False
        if event.effective_day > 1:
            self._since[key] = event.effective_day
        return True

    def _revised(self, subject: str, fact: Any, event: Event) -> Iterator[str]:
        """The fields that matter and that a revision has set, of those that it names."""
        named = (path for path in fact.changed.paths if path in FIELDS)
        return (path for path in named if self._holds(subject, path, event))

    def team_registered(self, fact: facts.TeamRegistered, _event: Event) -> None:
        self._parents[fact.team] = fact.definition.parent

    def team_revised(self, fact: facts.TeamRevised, event: Event) -> None:
        if "parent" in self._revised(fact.team, fact, event):
            self._parents[fact.team] = fact.after.parent

    def objective_created(self, fact: facts.ObjectiveCreated, _event: Event) -> None:
        given = fact.definition
        objective = Objective(given.team, fact.cycle, _owner(given), _is_private(given))
        objective.owned()
        self._objectives[fact.objective] = objective
        self.has_private = self.has_private or _is_private(given)

    def objective_revised(self, fact: facts.ObjectiveRevised, event: Event) -> None:
        objective = self._objectives[fact.objective]
        for path in self._revised(fact.objective, fact, event):
            if path == "team":
                objective.team = fact.after.team
            elif path == "owner":
                objective.owner = _owner(fact.after)
                objective.owned()
            elif path == "visibility":
                objective.private = _is_private(fact.after)
                self.has_private = self.has_private or objective.private

    def key_result_added(
        self, fact: facts.KeyResultAdded | facts.KeyResultCarriedOver, _event: Event
    ) -> None:
        self._own(fact.key_result, _owner(fact.definition))

    def key_result_revised(self, fact: facts.KeyResultRevised, event: Event) -> None:
        if "owner" in self._revised(fact.key_result, fact, event):
            self._own(fact.key_result, _owner(fact.after))

    def _own(self, key_result: str, owner: str) -> None:
        objective, _, own = key_result.partition("/keyResults/")
        self._objectives[objective].key_results[own] = owner
        self._objectives[objective].owned()

    def adjustment_proposed(self, fact: facts.AdjustmentProposed, event: Event) -> None:
        metadata = event.metadata
        needs = tuple(need for change in fact.changes for need in changed_by(change, self))
        self._adjustments[fact.adjustment] = Adjustment(
            fact.cycle,
            metadata.on_behalf_of.plain or metadata.actor.plain,
            tuple(dict.fromkeys(need.of for need in needs)),
            tuple(name for made in foreseen_by(fact) for name in subjects_of(made)),
            needs,
        )
        for each in foreseen_by(fact):
            if isinstance(each, facts.ObjectiveCreated) and _is_private(each.definition):
                self.has_private = True
                self._foreseen[each.objective] = Resource(
                    OBJECTIVE,
                    each.objective,
                    each.definition.team,
                    each.cycle,
                    owner=_owner(each.definition),
                    owners=frozenset(filter(None, (_owner(each.definition),))),
                    private=True,
                )

    def strategy_adjusted(self, fact: facts.StrategyAdjusted, event: Event) -> None:
        proposed = self._adjustments.get(fact.adjustment)
        subjects = tuple(fact.subjects)
        metadata = event.metadata
        proposer = metadata.on_behalf_of.plain or metadata.actor.plain
        self._adjustments[fact.adjustment] = Adjustment(
            fact.cycle, proposed.proposer if proposed else proposer, subjects, subjects
        )

    def review_held(self, fact: facts.ReviewHeld, _event: Event) -> None:
        self._reviews[fact.review] = fact.team


def _owner(definition: Any) -> str:
    """The owner, where it is a person's name and no other text."""
    owner: str = definition.owner.plain
    return owner if owner.startswith(PEOPLE) else ""


def _is_private(definition: ObjectiveDefinition) -> bool:
    return definition.visibility == Visibility.VISIBILITY_TEAM


Fold = Callable[[Directory, Any, "Event"], None]

FOLDS: Final[Mapping[type[Message], Fold]] = {
    facts.TeamRegistered: Directory.team_registered,
    facts.TeamRevised: Directory.team_revised,
    facts.ObjectiveCreated: Directory.objective_created,
    facts.ObjectiveRevised: Directory.objective_revised,
    facts.KeyResultAdded: Directory.key_result_added,
    facts.KeyResultCarriedOver: Directory.key_result_added,
    facts.KeyResultRevised: Directory.key_result_revised,
    facts.AdjustmentProposed: Directory.adjustment_proposed,
    facts.StrategyAdjusted: Directory.strategy_adjusted,
    facts.ReviewHeld: Directory.review_held,
}
"""The events that matter, and what they change."""

TYPES: Final = tuple(kind.DESCRIPTOR.full_name for kind in FOLDS)

TREE: Final = (facts.TeamRegistered, facts.TeamRevised)
