"""Key results: how far an objective has come, each a measure with a definition that may change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from ledger import refusals
from ledger.definitions import MAINTAIN, Days, settled, trajectory_misfit
from ledger.places import NOWHERE, Places
from ledger.refusals import FieldInvalid
from ledger.revision import Revision, difference, etag, in_order, merged, wanted
from ledger.values import in_the_clear
from okr.v1 import events_pb2 as facts
from okr.v1 import resources_pb2 as resources
from okr.v1.ledger_service_pb2 import CarryOverKeyResultRequest, ReviseKeyResultRequest
from okr.v1.values_pb2 import KeyResultDefinition, KeyResultState, Metric

_MEASURE = ("metric", "unit", "aggregation")


@dataclass(frozen=True, slots=True)
class KeyResult:
    """A key result as its revisions make it.

    Of its check-ins it knows how many there are and where they stand, but no values.
    """

    name: str
    revisions: tuple[Revision, ...]
    definition: KeyResultDefinition
    dropped: bool
    continued_from: str = ""
    check_in_count: int = 0
    places: Places = NOWHERE

    @property
    def etag(self) -> str:
        """Changes with every revision, not with check-ins."""
        return etag(self.revisions)

    @property
    def state(self) -> KeyResultState.ValueType:
        """Whether it counts."""
        return (
            KeyResultState.KEY_RESULT_STATE_DROPPED
            if self.dropped
            else KeyResultState.KEY_RESULT_STATE_ACTIVE
        )

    def resource(self) -> resources.KeyResult:
        """The key result as the API shows it."""
        return resources.KeyResult(
            name=self.name,
            definition=self.definition,
            state=self.state,
            etag=self.etag,
            revision=len(self.revisions),
            check_in_count=self.check_in_count,
            continued_from=self.continued_from,
        )


def key_result_of(
    name: str, revisions: Sequence[Revision], on: date = date.max
) -> KeyResult | None:
    """The key result that its revisions make on a day; None before it was added.

    Raises:
        TypeError: a fact that does not define key results.
    """
    definition: KeyResultDefinition | None = None
    dropped = False
    continued_from = ""
    for revision in in_order(revisions, on):
        match revision.fact:
            case facts.KeyResultAdded() as fact:
                definition = fact.definition
            case facts.KeyResultCarriedOver() as fact:
                definition, continued_from = fact.definition, fact.continued_from
            case facts.KeyResultRevised() as fact if definition is not None:
                definition = merged(definition, fact.changed, fact.after)
            case facts.KeyResultDropped():
                dropped = True
            case facts.KeyResultRestored():
                dropped = False
            case other:
                raise TypeError(f"{other.DESCRIPTOR.full_name} does not define a key result")
    if definition is None:
        return None
    return KeyResult(name, tuple(revisions), definition, dropped, continued_from)


def definition_in(revision: Revision) -> KeyResultDefinition | None:
    """What an event says of a key result's definition: all of it, or the fields that changed."""
    match revision.fact:
        case facts.KeyResultAdded() | facts.KeyResultCarriedOver() as fact:
            return fact.definition
        case facts.KeyResultRevised() as fact:
            return fact.after
    return None


def add(name: str, definition: KeyResultDefinition, days: Days, field: str) -> facts.KeyResultAdded:
    """Adds a key result with every default filled; `field` is the definition's path.

    Raises:
        FieldInvalid: the definition breaks a rule.
    """
    in_the_clear(definition.owner, f"{field}.owner")
    complete = settled(definition, field)
    misfit = trajectory_misfit(complete, days)
    if misfit:
        raise refusals.invalid(f"{field}.trajectory", "trajectory.fits", misfit)
    return facts.KeyResultAdded(key_result=name, definition=complete)


def carry_over(
    name: str, source: KeyResult, request: CarryOverKeyResultRequest, days: Days
) -> facts.KeyResultCarriedOver:
    """Continues a key result under a new name, with what the request changes of its definition.

    A relative target follows the new baseline; an absolute one given alone replaces it. The
    trajectory stays behind.

    Raises:
        FieldInvalid: the new definition breaks a rule, or no baseline was chosen.
    """
    in_the_clear(request.definition.owner, "definition.owner")
    current = KeyResultDefinition()
    current.CopyFrom(source.definition)
    current.ClearField("trajectory")
    asked = _asked(current, request)
    by_number = asked.metric in (Metric.METRIC_NUMBER, Metric.METRIC_ZONES)
    if by_number and asked.direction not in MAINTAIN and "baseline" not in _given(request):
        raise refusals.invalid("definition.baseline", "required", "must be chosen")
    after = settled(asked, "definition")
    misfit = trajectory_misfit(after, days)
    if misfit:
        raise refusals.invalid("definition.trajectory", "trajectory.fits", misfit)
    return facts.KeyResultCarriedOver(key_result=name, continued_from=source.name, definition=after)


def revise(
    key_result: KeyResult,
    request: ReviseKeyResultRequest,
    effective: date,
    days: Days,
    dependants: Sequence[str],
) -> facts.KeyResultRevised:
    """Changes a key result's definition as it is in force on the effective date.

    A relative target follows a changed baseline; an absolute one given alone replaces it.

    Raises:
        FieldInvalid: the new definition breaks a rule or makes a later one break it, or the key
            result does not exist yet on the effective date.
        KeyResultState: it is dropped.
        MeasureFixed: metric, unit or aggregation would change after the first check-in.
        TrajectoryMisfit: the planned trajectory no longer fits and was not given anew.
        NothingToChange: every field is already as asked.
    """
    counting(key_result)
    in_the_clear(request.definition.owner, "definition.owner")
    current = on_day(key_result, effective).definition
    after = settled(_asked(current, request), "definition")
    misfit = trajectory_misfit(after, days)
    if misfit and "trajectory" in _given(request):
        raise refusals.invalid("definition.trajectory", "trajectory.fits", misfit)
    if misfit:
        raise refusals.TrajectoryMisfit(key_result.name, "trajectory", misfit)
    change = difference(current, after)
    if change is None:
        raise refusals.NothingToChange(key_result.name)
    for field in _MEASURE:
        if key_result.check_in_count and change.touches(field):
            raise refusals.MeasureFixed(key_result.name, field)
    fact = facts.KeyResultRevised(
        key_result=key_result.name,
        changed=change.changed,
        before=change.before,
        after=change.after,
        dependants=dependants,
    )
    _check_later(key_result, Revision(effective, 0, fact), days)
    return fact


def drop(
    key_result: KeyResult, effective: date, dependants: Sequence[str]
) -> facts.KeyResultDropped:
    """Takes a key result out of its objective's score.

    Raises:
        KeyResultState: it is dropped already, now or on the effective date.
        FieldInvalid: it does not exist yet on the effective date.
    """
    counting(key_result)
    counting(on_day(key_result, effective))
    return facts.KeyResultDropped(key_result=key_result.name, dependants=dependants)


def restore(
    key_result: KeyResult, effective: date, dependants: Sequence[str]
) -> facts.KeyResultRestored:
    """Lets a dropped key result count again.

    Raises:
        KeyResultState: it is not dropped on the effective date.
        FieldInvalid: it does not exist yet on the effective date.
    """
    if not (key_result.dropped and on_day(key_result, effective).dropped):
        raise refusals.KeyResultState(key_result.name, "ACTIVE")
    return facts.KeyResultRestored(key_result=key_result.name, dependants=dependants)


def counting(key_result: KeyResult) -> None:
    """Refuses a dropped key result.

    Raises:
        KeyResultState: it is.
    """
    if key_result.dropped:
        raise refusals.KeyResultState(key_result.name, "DROPPED")


def on_day(key_result: KeyResult, effective: date) -> KeyResult:
    """The key result as it is in force on a day.

    Raises:
        FieldInvalid: it does not exist yet on that day.
    """
    found = key_result_of(key_result.name, key_result.revisions, effective)
    if found is None:
        raise refusals.invalid(
            "effective_date",
            "effective_date.exists",
            f"{key_result.name} holds from a later day only",
        )
    return found


def _given(request: ReviseKeyResultRequest | CarryOverKeyResultRequest) -> set[str]:
    """The fields that a request sets or clears."""
    filled = {field.name for field, _ in request.definition.ListFields()}
    return set(request.update_mask.paths) or filled


def _asked(
    current: KeyResultDefinition, request: ReviseKeyResultRequest | CarryOverKeyResultRequest
) -> KeyResultDefinition:
    """The definition that a request asks for, its target in the form in which it is to be kept."""
    given = _given(request)
    asked = wanted(current, request.definition, request.update_mask)
    if "target" not in given and asked.HasField("target_change_percent"):
        asked.ClearField("target")
    elif "target_change_percent" not in given:
        asked.ClearField("target_change_percent")
    return asked


def _check_later(key_result: KeyResult, revision: Revision, days: Days) -> None:
    """Refuses a backdated revision below later ones that would no longer make a definition.

    Raises:
        FieldInvalid: one of them would break a rule, such as a target equal to the baseline.
    """
    revisions = (*key_result.revisions, revision)
    later = {r.effective for r in key_result.revisions if r.effective > revision.effective}
    for day in sorted(later):
        found = key_result_of(key_result.name, revisions, day)
        if found is None:
            continue
        try:
            wrong = trajectory_misfit(settled(found.definition, "definition"), days)
        except FieldInvalid as refusal:
            wrong = str(refusal)
        if wrong:
            raise refusals.invalid(
                "effective_date",
                "effective_date.later",
                f"does not go with the revision that holds from {day}: {wrong}",
            )
