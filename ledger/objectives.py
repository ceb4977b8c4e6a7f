"""Objectives: qualitative goals, each the invariant of its key results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal

from google.protobuf.message import Message

from ledger import refusals
from ledger.cycles import Cycle
from ledger.key_results import KeyResult, key_result_of
from ledger.places import Places
from ledger.refusals import invalid
from ledger.revision import Revision, difference, etag, in_order, merged, wanted
from ledger.scoring.exact import text
from ledger.values import ALWAYS, blank, decimal_text, in_the_clear, plain
from okr.v1 import events_pb2 as facts
from okr.v1 import resources_pb2 as resources
from okr.v1.ledger_service_pb2 import (
    CreateObjectiveRequest,
    GradeObjectiveRequest,
    RegradeObjectiveRequest,
    UpdateObjectiveRequest,
)
from okr.v1.values_pb2 import Commitment, ObjectiveDefinition, ObjectiveState, Visibility

KEY_RESULTS = "/keyResults/"


@dataclass(frozen=True, slots=True)
class Objective:
    """An objective as its stream makes it, with its key results by name in order of addition.

    `closed` is its final state, or UNSPECIFIED while it is open: whether an open one is a draft
    or active is its cycle's to say. `version` counts the events of its stream.
    """

    name: str
    revisions: tuple[Revision, ...]
    cycle: str
    definition: ObjectiveDefinition
    closed: ObjectiveState.ValueType
    computed_score: str | None
    final_score: str | None
    key_results: dict[str, KeyResult] = field(default_factory=dict)
    version: int = 0

    @property
    def etag(self) -> str:
        """Changes with every revision, not with those of its key results."""
        return etag(self.revisions)

    def state(self, cycle: Cycle | None) -> ObjectiveState.ValueType:
        """Where it stands, given its cycle."""
        if self.closed:
            return self.closed
        committed = cycle is not None and cycle.committed
        return (
            ObjectiveState.OBJECTIVE_STATE_ACTIVE
            if committed
            else ObjectiveState.OBJECTIVE_STATE_DRAFT
        )

    def resource(self, cycle: Cycle | None) -> resources.Objective:
        """The objective as the API shows it."""
        return resources.Objective(
            name=self.name,
            cycle=self.cycle,
            definition=self.definition,
            state=self.state(cycle),
            etag=self.etag,
            final_score=self.final_score,
            computed_score=self.computed_score,
            key_results=list(self.key_results),
        )


def objective_of(name: str, revisions: Sequence[Revision], on: date = date.max) -> Objective | None:
    """The objective that its own revisions make on a day, without key results.

    None before it was created.

    Raises:
        TypeError: a fact that is not about the objective itself.
    """
    cycle = ""
    definition: ObjectiveDefinition | None = None
    closed: ObjectiveState.ValueType = ObjectiveState.OBJECTIVE_STATE_UNSPECIFIED
    computed: str | None = None
    final: str | None = None
    for revision in in_order(revisions, on):
        match revision.fact:
            case facts.ObjectiveCreated() as fact:
                cycle, definition = fact.cycle, expanded(fact.definition)
            case facts.ObjectiveRevised() as fact if definition is not None:
                definition = merged(definition, fact.changed, fact.after)
            case facts.ObjectiveGraded() | facts.ObjectiveRegraded() as fact:
                closed = ObjectiveState.OBJECTIVE_STATE_GRADED
                computed = fact.computed_score if fact.HasField("computed_score") else None
                final = fact.override_score if fact.HasField("override_score") else computed
            case facts.ObjectiveAbandoned():
                closed = ObjectiveState.OBJECTIVE_STATE_ABANDONED
            case other:
                raise TypeError(f"{other.DESCRIPTOR.full_name} is not about an objective")
    if definition is None:
        return None
    return Objective(name, tuple(revisions), cycle, definition, closed, computed, final)


def applied(objective: Objective | None, name: str, revision: Revision) -> Objective:
    """The objective after one more event of its stream.

    Raises:
        TypeError: a fact that is not about objectives, or one before the objective was created.
    """
    fact = revision.fact
    subject: str | None = getattr(fact, "key_result", None)
    if subject is None:
        earlier = objective.revisions if objective else ()
        changed = objective_of(name, (*earlier, revision))
        if changed is None:
            raise TypeError(f"{fact.DESCRIPTOR.full_name} before {name} was created")
        if objective is None:
            return replace(changed, version=1)
        version = objective.version + 1
        return replace(changed, key_results=objective.key_results, version=version)
    if objective is None:
        raise TypeError(f"{fact.DESCRIPTOR.full_name} before {name} was created")
    version = objective.version + 1
    key_results = dict(objective.key_results)
    key_results[subject] = _key_result_after(key_results.get(subject), subject, revision, version)
    return Objective(
        objective.name,
        objective.revisions,
        objective.cycle,
        objective.definition,
        objective.closed,
        objective.computed_score,
        objective.final_score,
        key_results,
        version,
    )


def _key_result_after(
    current: KeyResult | None, name: str, revision: Revision, version: int
) -> KeyResult:
    fact: Message = revision.fact
    if current is not None:
        count, places = current.check_in_count, current.places
        match fact:
            case facts.CheckInRecorded():
                return _counted(current, fact.number, places.after_record(fact.number, version))
            case facts.CheckInCorrected():
                return _counted(current, count, places.after_correction(fact.number, version))
            case facts.CheckInRetracted():
                return _counted(current, count, places.after_retraction(fact.number))
    earlier = current.revisions if current else ()
    changed = key_result_of(name, (*earlier, revision))
    if changed is None:
        raise TypeError(f"{fact.DESCRIPTOR.full_name} before {name} was added")
    if current is None:
        return changed
    return _counted(changed, current.check_in_count, current.places)


def _counted(key_result: KeyResult, count: int, places: Places) -> KeyResult:
    return KeyResult(
        key_result.name,
        key_result.revisions,
        key_result.definition,
        key_result.dropped,
        key_result.continued_from,
        count,
        places,
    )


def create(name: str, request: CreateObjectiveRequest) -> facts.ObjectiveCreated:
    """Creates an objective with every default filled.

    Raises:
        FieldInvalid: the definition breaks a rule.
    """
    in_the_clear(request.definition.owner, "definition.owner")
    return facts.ObjectiveCreated(
        objective=name, cycle=request.cycle, definition=settled(request.definition)
    )


def revise(
    objective: Objective,
    request: UpdateObjectiveRequest,
    effective: date,
    dependants: Sequence[str],
) -> facts.ObjectiveRevised:
    """Changes an objective's definition as it is in force on the effective date.

    Raises:
        FieldInvalid: the new definition breaks a rule, or the objective does not exist yet on the
            effective date.
        ObjectiveState: it is graded or abandoned.
        NothingToChange: every field is already as asked.
    """
    open_(objective)
    in_the_clear(request.definition.owner, "definition.owner")
    current = on_day(objective, effective).definition
    change = difference(current, settled(wanted(current, request.definition, request.update_mask)))
    if change is None:
        raise refusals.NothingToChange(objective.name)
    return facts.ObjectiveRevised(
        objective=objective.name,
        changed=change.changed,
        before=change.before,
        after=change.after,
        dependants=dependants,
    )


def abandon(
    objective: Objective, effective: date, dependants: Sequence[str]
) -> facts.ObjectiveAbandoned:
    """Gives an objective up.

    Raises:
        ObjectiveState: it is graded or abandoned already.
        FieldInvalid: it does not exist yet on the effective date.
    """
    open_(objective)
    on_day(objective, effective)
    return facts.ObjectiveAbandoned(objective=objective.name, dependants=dependants)


def grade(
    objective: Objective, request: GradeObjectiveRequest, computed: Decimal | None
) -> facts.ObjectiveGraded:
    """Closes an objective with the computed score, or a person's override beside it.

    Raises:
        ObjectiveState: it is graded or abandoned already.
        ReasonRequired: an override without a reason.
    """
    open_(objective)
    return facts.ObjectiveGraded(
        objective=objective.name,
        computed_score=None if computed is None else text(computed),
        override_score=_override(objective, request),
    )


def regrade(
    objective: Objective, request: RegradeObjectiveRequest, computed: Decimal | None
) -> facts.ObjectiveRegraded:
    """Grades a graded objective again.

    Raises:
        ObjectiveState: it is not graded.
        ReasonRequired: an override without a reason.
    """
    if objective.closed != ObjectiveState.OBJECTIVE_STATE_GRADED:
        state = "ABANDONED" if objective.closed else "not graded"
        raise refusals.ObjectiveState(objective.name, state)
    return facts.ObjectiveRegraded(
        objective=objective.name,
        computed_score=None if computed is None else text(computed),
        override_score=_override(objective, request),
        final_score_before=objective.final_score,
    )


def last_graded(objective: Objective) -> date:
    """The day that the latest grade is of; the beginning of time before there is one."""
    graded = (facts.ObjectiveGraded, facts.ObjectiveRegraded)
    return max(
        (r.effective for r in objective.revisions if isinstance(r.fact, graded)), default=ALWAYS
    )


def override_of(objective: Objective, on: date) -> str | None:
    """The score that a person set when the objective was graded last, by a day; None without."""
    graded = (facts.ObjectiveGraded, facts.ObjectiveRegraded)
    grades = [r.fact for r in in_order(objective.revisions, on) if isinstance(r.fact, graded)]
    if not grades or not grades[-1].HasField("override_score"):
        return None
    return grades[-1].override_score


def open_(objective: Objective) -> None:
    """Refuses a graded or abandoned objective.

    Raises:
        ObjectiveState: it is.
    """
    if objective.closed:
        state = ObjectiveState.Name(objective.closed).removeprefix("OBJECTIVE_STATE_")
        raise refusals.ObjectiveState(objective.name, state)


def on_day(objective: Objective, effective: date) -> Objective:
    """The objective as it is in force on a day, without key results.

    Raises:
        FieldInvalid: it does not exist yet on that day.
    """
    found = objective_of(objective.name, objective.revisions, effective)
    if found is None:
        raise invalid(
            "effective_date",
            "effective_date.exists",
            f"{objective.name} holds from a later day only",
        )
    return found


def settled(given: ObjectiveDefinition) -> ObjectiveDefinition:
    """The definition with every default filled and its rules checked.

    Raises:
        FieldInvalid: it breaks a rule.
    """
    result = ObjectiveDefinition()
    result.CopyFrom(given)
    result.title = plain(given.title)
    if blank(result.title):
        raise invalid("definition.title", "string.min_len", "must not be empty")
    if not result.team:
        raise invalid("definition.team", "required", "must be given")
    result.description = plain(given.description)
    result.commitment = given.commitment or Commitment.COMMITMENT_ASPIRATIONAL
    result.visibility = given.visibility or Visibility.VISIBILITY_PUBLIC
    if given.owner.HasField("plain"):
        result.owner.plain = plain(given.owner.plain)
    return result


def expanded(stored: ObjectiveDefinition) -> ObjectiveDefinition:
    """A stored definition with what it leaves unsaid because it is older than the field."""
    if stored.visibility:
        return stored
    result = ObjectiveDefinition()
    result.CopyFrom(stored)
    result.visibility = Visibility.VISIBILITY_PUBLIC
    return result


def stream_of(name: str) -> str:
    """The stream of an objective, or of a key result's or check-in's objective."""
    return name.partition(KEY_RESULTS)[0]


def _override(
    objective: Objective, request: GradeObjectiveRequest | RegradeObjectiveRequest
) -> str | None:
    if not request.HasField("override_score"):
        return None
    if blank(request.reason):
        raise refusals.ReasonRequired(objective.name, ("reason",))
    return decimal_text(request.override_score)
