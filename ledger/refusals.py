"""Why a decision is refused: typed errors that carry facts and know nothing of gRPC.

A refusal means that nothing was written. `service.errors` maps each type to a status code and an
`okr.v1.ErrorReason`.
"""

from __future__ import annotations

from dataclasses import dataclass


class Refusal(Exception):
    """A request that the rules of the domain refuse; `str()` is a sentence for people."""


@dataclass(frozen=True, slots=True)
class Violation:
    """A field that breaks a rule: its path in the request, the rule's id and a sentence."""

    field: str
    rule: str
    description: str


@dataclass(eq=False)
class FieldInvalid(Refusal):
    """One or more fields break rules that the field's declaration alone cannot state."""

    violations: tuple[Violation, ...]

    def __str__(self) -> str:
        return "; ".join(f"{v.field}: {v.description}" for v in self.violations)


def invalid(field: str, rule: str, description: str) -> FieldInvalid:
    """The refusal of a single field."""
    return FieldInvalid((Violation(field, rule, description),))


@dataclass(eq=False)
class NotFound(Refusal):
    """The resource does not exist, or is not known at the instant asked for."""

    resource: str

    def __str__(self) -> str:
        return f"{self.resource} does not exist"


@dataclass(eq=False)
class Exists(Refusal):
    """The id is taken. Ids are never reused."""

    resource: str

    def __str__(self) -> str:
        return f"{self.resource} exists already, and ids are never reused"


@dataclass(eq=False)
class EtagMismatch(Refusal):
    """The resource changed since the caller read it."""

    resource: str
    etag: str

    def __str__(self) -> str:
        return f"{self.resource} has changed: its etag is now {self.etag}"


@dataclass(eq=False)
class ReasonRequired(Refusal):
    """A change that needs a reason or category lacks it, or has white space only."""

    resource: str
    missing: tuple[str, ...]

    def __str__(self) -> str:
        return f"this change of {self.resource} needs a {' and a '.join(self.missing)}"


@dataclass(eq=False)
class CycleState(Refusal):
    """The cycle's state does not allow the request."""

    resource: str
    state: str
    wanted: str

    def __str__(self) -> str:
        return f"{self.resource} is {self.state}; this needs {self.wanted}"


@dataclass(eq=False)
class ObjectiveState(Refusal):
    """The objective's state does not allow the request."""

    resource: str
    state: str

    def __str__(self) -> str:
        return f"{self.resource} is {self.state}, which does not allow this"


@dataclass(eq=False)
class KeyResultState(Refusal):
    """The key result's state does not allow the request."""

    resource: str
    state: str

    def __str__(self) -> str:
        return f"{self.resource} is {self.state}, which does not allow this"


@dataclass(eq=False)
class TeamRetired(Refusal):
    """The team takes nothing new."""

    resource: str

    def __str__(self) -> str:
        return f"{self.resource} is retired"


@dataclass(eq=False)
class TeamTreeCycle(Refusal):
    """The team would be its own ancestor."""

    resource: str
    parent: str

    def __str__(self) -> str:
        return f"{self.resource} cannot stand below {self.parent}, which stands below it"


@dataclass(eq=False)
class AlignmentCycle(Refusal):
    """The alignment would close a cycle; `path` leads from the parent back to the child."""

    child: str
    parent: str
    path: tuple[str, ...]

    def __str__(self) -> str:
        return (
            f"{self.child} cannot be aligned to {self.parent}, which already depends on it: "
            + " → ".join(self.path)
        )


@dataclass(eq=False)
class AlignmentSecondParent(Refusal):
    """The child already contributes elsewhere; `parent` is the present one."""

    child: str
    parent: str

    def __str__(self) -> str:
        return f"{self.child} already contributes to {self.parent}"


@dataclass(eq=False)
class AlignmentCyclesDisjoint(Refusal):
    """The parent's cycle does not contain the child's."""

    child: str
    parent: str

    def __str__(self) -> str:
        return f"the cycle of {self.parent} does not contain the cycle of {self.child}"


@dataclass(eq=False)
class AlignmentExists(Refusal):
    """The two are aligned already."""

    child: str
    parent: str

    def __str__(self) -> str:
        return f"{self.child} is already aligned to {self.parent}"


@dataclass(eq=False)
class AlignmentMissing(Refusal):
    """There is no such alignment."""

    child: str
    parent: str

    def __str__(self) -> str:
        return f"{self.child} is not aligned to {self.parent} in this way"


@dataclass(eq=False)
class DayOutsideCycle(Refusal):
    """The day lies outside the cycle. Days are ISO dates, both ends inclusive."""

    field: str
    day: str
    first_day: str
    last_day: str

    def __str__(self) -> str:
        return f"{self.field}: {self.day} lies outside {self.first_day} to {self.last_day}"


@dataclass(eq=False)
class DayInFuture(Refusal):
    """The day lies after today in the cycle's time zone."""

    field: str
    day: str
    today: str

    def __str__(self) -> str:
        return f"{self.field}: {self.day} lies in the future; today is {self.today}"


@dataclass(eq=False)
class MeasureFixed(Refusal):
    """Metric, unit and aggregation cannot change after the first check-in."""

    resource: str
    field: str

    def __str__(self) -> str:
        return f"{self.resource} has check-ins, so its {self.field} is fixed"


@dataclass(eq=False)
class CheckInRetracted(Refusal):
    """The check-in was taken back, for good."""

    resource: str

    def __str__(self) -> str:
        return f"{self.resource} was retracted"


@dataclass(eq=False)
class TrajectoryMisfit(Refusal):
    """The definition no longer fits the planned trajectory."""

    resource: str
    field: str
    description: str

    def __str__(self) -> str:
        return (
            f"{self.resource}: {self.description}; "
            "give a trajectory that fits, or clear it, in the same request"
        )


@dataclass(eq=False)
class NothingToChange(Refusal):
    """Every field already has the value asked for."""

    resource: str

    def __str__(self) -> str:
        return f"{self.resource} already is as asked"


@dataclass(eq=False)
class ApprovalRequired(Refusal):
    """The cycle takes adjustments only when another person approves them."""

    resource: str

    def __str__(self) -> str:
        return (
            f"{self.resource} takes changes of the committed plan by approved adjustments only: "
            "propose one"
        )


@dataclass(eq=False)
class AdjustmentState(Refusal):
    """The adjustment waits for no decision: it was applied or rejected already."""

    resource: str
    state: str

    def __str__(self) -> str:
        return f"{self.resource} is {self.state} already"


@dataclass(eq=False)
class OwnProposal(Refusal):
    """Who proposed an adjustment approves it."""

    resource: str
    person: str

    def __str__(self) -> str:
        return f"{self.resource} was proposed by {self.person}: another person has to approve it"


@dataclass(eq=False)
class PersonErased(Refusal):
    """What the ledger kept of the person was erased: nobody acts or is named so any more."""

    resource: str

    def __str__(self) -> str:
        return f"{self.resource} was erased, so nothing can be recorded under this name"


@dataclass(eq=False)
class NotErasable(Refusal):
    """What is recorded of the person is in the clear, for good."""

    resource: str

    def __str__(self) -> str:
        return f"what is recorded of {self.resource} was stored in the clear and cannot be erased"


@dataclass(frozen=True, slots=True)
class Meanwhile:
    """What became of a resource or stream: its etags before and now, and the events between.

    `events` are pairs of an event's name, such as KeyResultRevised, and its position.
    """

    name: str
    before: str
    now: str
    events: tuple[tuple[str, int], ...]

    def __str__(self) -> str:
        told = ", ".join(f"{event} @{position}" for event, position in self.events)
        if self.before == self.now:
            return f"{self.name}: {told}"
        return f"{self.name} was {self.before} and is {self.now}: {told}"


@dataclass(eq=False)
class ProposalOutdated(Refusal):
    """The proposal no longer fits what is there.

    `why` is the rule that stands against it, empty where it is what it changes that has changed.
    """

    resource: str
    meanwhile: tuple[Meanwhile, ...]
    why: str = ""

    @property
    def changed(self) -> tuple[str, ...]:
        """The names of what has changed since it was proposed."""
        return tuple(each.name for each in self.meanwhile)

    @property
    def positions(self) -> tuple[int, ...]:
        """Where that happened."""
        return tuple(sorted(position for each in self.meanwhile for _, position in each.events))

    def __str__(self) -> str:
        told = "; ".join(map(str, self.meanwhile))
        return f"{self.resource} no longer fits{self.why and f' ({self.why})'}: {told}"


@dataclass(eq=False)
class CarryOverNotLater(Refusal):
    """A key result goes on in a later cycle only; `parent` is the objective that should hold it."""

    resource: str
    parent: str

    def __str__(self) -> str:
        return f"the cycle of {self.parent} does not begin after that of {self.resource}"
