"""Check-ins: measured values with the day they held, corrected and retracted by later events."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from google.protobuf.timestamp_pb2 import Timestamp

from ledger import refusals
from ledger.context import Context
from ledger.cycles import Cycle, not_future, within
from ledger.key_results import KeyResult, counting
from ledger.objectives import Objective, open_
from ledger.refusals import invalid
from ledger.values import (
    blank,
    date_message,
    day,
    decimal_text,
    personal,
    plain,
    set_date,
    set_timestamp,
)
from okr.v1 import events_pb2 as facts
from okr.v1 import resources_pb2 as resources
from okr.v1.event_record_pb2 import EventMetadata
from okr.v1.ledger_service_pb2 import (
    CorrectCheckInRequest,
    RecordCheckInRequest,
    RetractCheckInRequest,
)
from okr.v1.values_pb2 import (
    METRIC_BINARY,
    METRIC_MILESTONES,
    OBJECTIVE_STATE_ABANDONED,
    KeyResultDefinition,
    Measurement,
)

CHECK_INS = "/checkIns/"

CheckInFact = facts.CheckInRecorded | facts.CheckInCorrected


class CheckIn(NamedTuple):
    """A check-in as last corrected.

    `position` is the original's, which orders check-ins of one day; `content_position` that of
    the event that holds the content. A missing instant counts as the start of its day.
    """

    key_result: str
    number: int
    position: int
    content_position: int
    effective: date
    content: CheckInFact
    retracted: bool = False

    @property
    def order(self) -> tuple[date, tuple[int, ...], int]:
        """The place of the check-in among those of its key result: the last one is in force."""
        instant = self.content.instant
        moment = (instant.seconds, instant.nanos) if self.content.HasField("instant") else ()
        return (self.effective, moment, self.position)


class Circumstances(NamedTuple):
    """When an event was recorded, in µs since 1970 UTC, and the rest that its record says."""

    recorded_us: int
    metadata: EventMetadata


def folded(
    known: dict[int, CheckIn], fact: object, effective: date, position: int
) -> dict[int, CheckIn]:
    """The check-ins of one key result by number after one more event, in place."""
    match fact:
        case facts.CheckInRecorded():
            known[fact.number] = CheckIn(
                fact.key_result, fact.number, position, position, effective, fact
            )
        case facts.CheckInCorrected():
            known[fact.number] = known[fact.number]._replace(
                content_position=position, effective=effective, content=fact
            )
        case facts.CheckInRetracted():
            known[fact.number] = known[fact.number]._replace(retracted=True)
    return known


def in_force(known: Iterable[CheckIn], on: date) -> list[CheckIn]:
    """The check-ins that hold on a day, in order; the last one is in force."""
    return sorted(
        (c for c in known if not c.retracted and c.effective <= on), key=lambda c: c.order
    )


def record(
    objective: Objective,
    cycle: Cycle,
    key_result: KeyResult,
    request: RecordCheckInRequest,
    context: Context,
) -> tuple[facts.CheckInRecorded, date]:
    """Records a measured value on its day, today unless the request names one.

    Raises:
        FieldInvalid: the measurement does not suit the metric, or the instant the day.
        DayOutsideCycle, DayInFuture: the day is not one to check in on.
        ObjectiveState, KeyResultState: graded, abandoned or dropped.
    """
    open_(objective)
    counting(key_result)
    today = cycle.today(context)
    effective = today
    if request.HasField("effective_date"):
        effective = day(request.effective_date, "effective_date")
    _check_day(cycle, effective, today)
    # Field by field, as in `resource`: half the price of giving them to the constructor.
    fact = facts.CheckInRecorded()
    fact.key_result = key_result.name
    fact.number = key_result.check_in_count + 1
    fact.measurement.CopyFrom(measured(request.measurement, key_result.definition))
    if request.note:
        fact.note.plain = plain(request.note)
    _set_optional(fact, request, effective, cycle)
    return fact, effective


def correct(
    objective: Objective,
    cycle: Cycle,
    current: CheckIn,
    request: CorrectCheckInRequest,
    context: Context,
) -> tuple[facts.CheckInCorrected, date]:
    """Replaces a check-in's content; its day stays unless the request names another.

    A graded objective's check-ins may still be corrected, so that it can be regraded.

    Raises:
        FieldInvalid: the measurement does not suit the metric, or the instant the day.
        DayOutsideCycle, DayInFuture: the day is not one to check in on.
        ObjectiveState: the objective is abandoned.
        CheckInRetracted: it was taken back.
        NothingToChange: the check-in already says so.
    """
    _correctable(objective, current, request.name)
    effective = current.effective
    if request.HasField("effective_date"):
        effective = day(request.effective_date, "effective_date")
        _check_day(cycle, effective, cycle.today(context))
    before = current.content
    fact = facts.CheckInCorrected(
        key_result=current.key_result,
        number=current.number,
        measurement=measured(
            request.measurement, objective.key_results[current.key_result].definition
        ),
        note=personal(request.note),
    )
    _set_optional(fact, request, effective, cycle)
    if effective == current.effective and _content(fact) == _content(before):
        raise refusals.NothingToChange(request.name)
    fact.measurement_before.CopyFrom(before.measurement)
    fact.effective_date_before.CopyFrom(date_message(current.effective))
    if before.HasField("instant"):
        fact.instant_before.CopyFrom(before.instant)
    if before.HasField("confidence"):
        fact.confidence_before = before.confidence
    if before.HasField("note"):
        fact.note_before.CopyFrom(before.note)
    return fact, effective


def retract(
    objective: Objective, current: CheckIn, request: RetractCheckInRequest
) -> facts.CheckInRetracted:
    """Takes a check-in back.

    Raises:
        ObjectiveState: the objective is abandoned.
        CheckInRetracted: it was taken back already.
        ReasonRequired: it does not say why.
    """
    _correctable(objective, current, request.name)
    if blank(request.reason):
        raise refusals.ReasonRequired(request.name, ("reason",))
    return facts.CheckInRetracted(key_result=current.key_result, number=current.number)


def measured(given: Measurement, definition: KeyResultDefinition) -> Measurement:
    """A measurement in the ledger's form, checked against the metric.

    Raises:
        FieldInvalid: it is not what the metric measures.
    """
    kind = given.WhichOneof("reading")
    if kind == "not_measured":
        return given
    if definition.metric == METRIC_MILESTONES:
        if kind != "completed":
            raise invalid(
                "measurement.completed", "metric", "this key result is measured in milestones"
            )
        known = {step.id for step in definition.milestones}
        for i, step in enumerate(given.completed.ids):
            if step not in known:
                raise invalid(
                    f"measurement.completed.ids[{i}]",
                    "milestone.known",
                    f"{step!r} is not a milestone of this key result",
                )
        return given
    if kind != "value":
        raise invalid("measurement.value", "metric", "this key result is measured by a number")
    value = decimal_text(given.value)
    if definition.metric == METRIC_BINARY and value not in ("0", "1"):
        raise invalid("measurement.value", "metric", "must be 0 or 1 for this key result")
    return Measurement(value=value)


def _correctable(objective: Objective, current: CheckIn, name: str) -> None:
    if objective.closed == OBJECTIVE_STATE_ABANDONED:
        raise refusals.ObjectiveState(objective.name, "ABANDONED")
    if current.retracted:
        raise refusals.CheckInRetracted(name)


def _check_day(cycle: Cycle, effective: date, today: date) -> None:
    within(cycle, effective, "effective_date", grace=True)
    not_future(today, effective, "effective_date")


def _set_optional(
    fact: CheckInFact,
    request: RecordCheckInRequest | CorrectCheckInRequest,
    effective: date,
    cycle: Cycle,
) -> None:
    if request.HasField("confidence"):
        fact.confidence = request.confidence
    if request.HasField("instant"):
        if _day_of(request.instant, cycle) != effective:
            raise invalid("instant", "instant.day", f"must lie on {effective}")
        fact.instant.CopyFrom(request.instant)


def _day_of(instant: Timestamp, cycle: Cycle) -> date | None:
    """The day of an instant in the cycle's time zone; None where the calendar has none."""
    if not 0 <= instant.nanos < 1_000_000_000:
        return None
    try:
        moment = datetime.fromtimestamp(instant.seconds, UTC)
        return moment.astimezone(ZoneInfo(cycle.definition.time_zone)).date()
    except (ValueError, OverflowError, OSError):
        return None


def _content(fact: CheckInFact) -> tuple[Measurement, object, object, str]:
    return (
        fact.measurement,
        fact.instant if fact.HasField("instant") else None,
        fact.confidence if fact.HasField("confidence") else None,
        fact.note.plain,
    )


def resource(
    check_in: CheckIn, recorded: Circumstances, corrected: Circumstances | None = None
) -> resources.CheckIn:
    """The check-in as the API shows it: its content as last corrected, its author its first."""
    content, metadata = check_in.content, recorded.metadata
    shown = resources.CheckIn()
    shown.name = f"{check_in.key_result}{CHECK_INS}{check_in.number}"
    shown.measurement.CopyFrom(content.measurement)
    set_date(shown.effective_date, check_in.effective)
    if content.HasField("instant"):
        shown.instant.CopyFrom(content.instant)
    if content.HasField("confidence"):
        shown.confidence = content.confidence
    shown.note = content.note.plain
    shown.actor = metadata.actor.plain
    set_timestamp(shown.recorded_time, recorded.recorded_us)
    shown.position = check_in.position
    if corrected:
        shown.corrected_position = check_in.content_position
        shown.corrected_by = corrected.metadata.actor.plain
    shown.retracted = check_in.retracted
    if metadata.HasField("source_time"):
        shown.source_time.CopyFrom(metadata.source_time)
    return shown
