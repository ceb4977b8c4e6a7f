"""A cycle's end: closed, sealed, amended, opened again.

Closing fences the cycle at a position; what holds at that position is then scored and recorded as a
seal. Seals stay: amendments stand beside them, and a cycle that is opened again gets another one.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from hashlib import sha256
from typing import Any, NamedTuple

from ledger import refusals
from ledger.circumstances import active, check_etag, decision_of
from ledger.context import Context
from ledger.cycles import Cycle, not_future, state_name, within
from ledger.event import Decision, NewEvent, Record, Recorded, fact_of, metadata_of
from ledger.objectives import KEY_RESULTS
from ledger.policies import policy_of
from ledger.refusals import invalid
from ledger.scoring.key_result import clamped
from ledger.values import ALWAYS, blank, day, decimal_text, personal, timestamp
from ledger.view import View
from okr.v1 import events_pb2 as facts
from okr.v1 import ledger_service_pb2 as api
from okr.v1 import resources_pb2 as resources
from okr.v1.event_record_pb2 import EventMetadata
from okr.v1.values_pb2 import CycleState, Metric

SEALS = "/seals/"
AMENDMENTS = "/amendments/"


class KeyResultLine(NamedTuple):
    """A key result's scores as a seal's digest takes them: texts, None where there is none."""

    name: str
    score: str | None
    original_score: str | None
    as_judged_score: str | None


def digest(lines: Iterable[KeyResultLine]) -> bytes:
    """SHA-256 of key results' scores; `okr.v1.CycleSealed` says of which bytes."""
    listed = sha256()
    for line in sorted(lines, key=lambda line: line.name.encode()):
        listed.update("\t".join(text or "" for text in line).encode() + b"\n")
    return listed.digest()


def close(view: View, request: api.CloseCycleRequest, context: Context) -> Decision:
    """Fences an active cycle; the effective date is the day whose scores will be sealed.

    Raises:
        EtagMismatch: the cycle changed since the caller read it.
        CycleState: it is not active.
        DayOutsideCycle, DayInFuture, FieldInvalid: the day named is not one to seal.
        ReasonRequired: the day lies before the cycle's last one, and no reason is given.
    """
    cycle = view.cycle(request.name)
    check_etag(cycle.name, cycle.etag, request.etag)
    effective = _sealed_day(active(cycle), request, context)
    if effective < cycle.last_day and blank(request.reason):
        raise refusals.ReasonRequired(cycle.name, ("reason",))
    fact = facts.CycleClosing(cycle=cycle.name)
    return decision_of([NewEvent(cycle.name, fact)], request, context, effective)


def seal(view: View, scored: facts.CycleSealed, _: Context) -> Decision:
    """Records the scores of a cycle that is being closed, with the closing's circumstances.

    `scored` says all but the seal's number.

    Raises:
        CycleState: the cycle is not being closed at that position, or no longer.
    """
    cycle = view.cycle(scored.cycle)
    closing = cycle.state == CycleState.CYCLE_STATE_CLOSING
    if not closing or cycle.closing_position != scored.closing_position:
        raise refusals.CycleState(cycle.name, state_name(cycle.state), "CLOSING")
    record = view.records_since(cycle.name, scored.closing_position - 1)[0]
    fact = numbered(scored, cycle.seal + 1)
    return Decision((NewEvent(cycle.name, fact),), metadata_of(record))


def numbered(scored: facts.CycleSealed, number: int) -> facts.CycleSealed:
    """The seal of that number."""
    fact = facts.CycleSealed()
    fact.CopyFrom(scored)
    fact.number = number
    return fact


def sealed_day(closing: Record) -> date:
    """The day whose scores a closing asks for."""
    effective = EventMetadata.FromString(closing.metadata).effective_date
    return day(effective, "effective_date")


def reopen(view: View, request: api.ReopenCycleRequest, context: Context) -> Decision:
    """Opens a sealed cycle again.

    Raises:
        EtagMismatch: the cycle changed since the caller read it.
        CycleState: it is not sealed.
        ReasonRequired: the reason is only white space.
    """
    cycle = view.cycle(request.name)
    check_etag(cycle.name, cycle.etag, request.etag)
    _sealed(cycle)
    if blank(request.reason):
        raise refusals.ReasonRequired(cycle.name, ("reason",))
    fact = facts.CycleReopened(cycle=cycle.name, seal=cycle.seal)
    return decision_of([NewEvent(cycle.name, fact)], request, context, _today(cycle, context))


def amend(view: View, request: api.RecordAmendmentRequest, context: Context) -> Decision:
    """Records a late fact beside the seal.

    Raises:
        CycleState: the cycle is not sealed.
        NotFound, FieldInvalid: the subject is not one of the cycle's, the statement is blank, or
            the subject has no such value or score.
    """
    cycle = view.cycle(request.parent)
    _sealed(cycle)
    if request.subject.startswith("teams/"):
        view.team(request.subject)
    else:
        of_cycle(view, cycle, request.subject)
    if blank(request.statement):
        raise invalid("statement", "string.min_len", "must not be empty")
    fact = facts.AmendmentRecorded(
        cycle=cycle.name,
        number=cycle.amendments + 1,
        seal=cycle.seal,
        subject=request.subject,
        statement=personal(request.statement),
    )
    if request.HasField("amended_value"):
        if not _is_measured_by_a_number(view, request.subject):
            raise invalid(
                "amended_value", "amended_value.subject", "is of a key result measured by a number"
            )
        fact.amended_value = decimal_text(request.amended_value)
    if request.HasField("amended_score"):
        on_scale(cycle, request.amended_score, "amended_score")
        fact.amended_score = decimal_text(request.amended_score)
    return decision_of([NewEvent(cycle.name, fact)], request, context, ALWAYS)


def on_scale(cycle: Cycle, score: str, field: str) -> None:
    """Refuses a score that the cycle's policy never gives.

    Raises:
        FieldInvalid: it lies outside the policy's scale.
    """
    given = Decimal(score)
    if clamped(given, policy_of(cycle.definition.policy)) != given:
        raise invalid(field, "score.scale", "lies outside the policy's scale")


def of_cycle(view: View, cycle: Cycle, subject: str) -> None:
    """Refuses an objective or key result that is not one of the cycle's; empty is the cycle.

    Raises:
        NotFound: there is none of that name.
        FieldInvalid: it belongs to another cycle.
    """
    if subject and view.node(subject).cycle != cycle.name:
        raise invalid("subject", "subject.cycle", f"does not belong to {cycle.name}")


def seal_resource(sealed: Recorded, reopened: Recorded | None = None) -> resources.Seal:
    """A seal as the API shows it, and that the cycle was opened again after it."""
    fact: Any = fact_of(sealed)
    metadata = metadata_of(sealed)
    return resources.Seal(
        name=f"{fact.cycle}{SEALS}{fact.number}",
        cycle=fact.cycle,
        number=fact.number,
        closing_position=fact.closing_position,
        effective_date=metadata.effective_date,
        reason=metadata.reason.plain,
        score=_given(fact, "score"),
        original_score=_given(fact, "original_score"),
        as_judged_score=_given(fact, "as_judged_score"),
        team_scores=fact.team_scores,
        objective_scores=fact.objective_scores,
        key_result_count=fact.key_result_count,
        key_result_digest=fact.key_result_digest,
        reopening=reopening_resource(reopened) if reopened else None,
        **who_and_when(sealed),
    )


def reopening_resource(reopened: Recorded) -> resources.Reopening:
    """That a cycle was opened again, as the API shows it."""
    reason = metadata_of(reopened).reason
    return resources.Reopening(reason=reason.plain, **who_and_when(reopened))


def amendment_resource(amended: Recorded) -> resources.Amendment:
    """An amendment as the API shows it."""
    fact: Any = fact_of(amended)
    return resources.Amendment(
        name=f"{fact.cycle}{AMENDMENTS}{fact.number}",
        cycle=fact.cycle,
        number=fact.number,
        seal=f"{fact.cycle}{SEALS}{fact.seal}",
        subject=fact.subject,
        statement=fact.statement.plain,
        amended_value=_given(fact, "amended_value"),
        amended_score=_given(fact, "amended_score"),
        **who_and_when(amended),
    )


def who_and_when(recorded: Recorded) -> dict[str, Any]:
    """The fields that every record of the API has in common."""
    metadata = metadata_of(recorded)
    return {
        "actor": metadata.actor.plain,
        "on_behalf_of": metadata.on_behalf_of.plain,
        "recorded_time": timestamp(recorded.recorded_us),
        "position": recorded.position,
        "source_time": metadata.source_time if metadata.HasField("source_time") else None,
    }


def _sealed(cycle: Cycle) -> None:
    if cycle.state != CycleState.CYCLE_STATE_SEALED:
        raise refusals.CycleState(cycle.name, state_name(cycle.state), "SEALED")


def _sealed_day(cycle: Cycle, request: api.CloseCycleRequest, context: Context) -> date:
    if not request.HasField("effective_date"):
        return _today(cycle, context)
    given = day(request.effective_date, "effective_date")
    within(cycle, given, "effective_date", grace=True)
    not_future(max(cycle.today(context), cycle.first_day), given, "effective_date")
    if cycle.plan_date and given < cycle.plan_date:
        raise invalid(
            "effective_date",
            "effective_date.plan",
            f"must not lie before the plan's day, {cycle.plan_date}",
        )
    return given


def _today(cycle: Cycle, context: Context) -> date:
    """Today, within the days that take check-ins: as reads of the cycle have it."""
    return min(max(cycle.today(context), cycle.first_day), cycle.last_check_in_day)


def _is_measured_by_a_number(view: View, subject: str) -> bool:
    if KEY_RESULTS not in subject:
        return False
    return view.key_result(subject).definition.metric != Metric.METRIC_MILESTONES


def _given(message: Any, field: str) -> str | None:
    return getattr(message, field) if message.HasField(field) else None
