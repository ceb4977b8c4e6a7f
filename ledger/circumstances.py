"""What decisions share: when a change holds, what it must give, and what its events record."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from ledger import refusals
from ledger.context import Context
from ledger.cycles import Cycle, not_future, state_name, within
from ledger.definitions import Days
from ledger.event import Decision, NewEvent
from ledger.refusals import EtagMismatch, ReasonRequired, invalid
from ledger.values import ALWAYS, blank, day, moment, plain, set_date
from okr.v1.event_record_pb2 import EventMetadata
from okr.v1.values_pb2 import CATEGORY_UNSPECIFIED, CYCLE_STATE_ACTIVE, CYCLE_STATE_DRAFT


def plan_change(cycle: Cycle, request: Any, context: Context) -> date:
    """The day from which a change of the plan holds.

    Before plan commitment it holds from the beginning. After it, from today within the cycle, or
    from the earlier day that the request names.

    Raises:
        CycleState: the cycle is being closed or sealed.
        ApprovalRequired: the plan is committed, and changes by approved adjustments only.
        ReasonRequired: the plan is committed, and the reason or category is missing.
        DayOutsideCycle, DayInFuture, FieldInvalid: the day named is not one to change the plan on.
    """
    if cycle.state == CYCLE_STATE_DRAFT:
        given = _given_day(request)
        if given not in (None, cycle.first_day):
            raise invalid(
                "effective_date",
                "effective_date.draft",
                f"a plan that is not committed holds from the cycle's first day, {cycle.first_day}",
            )
        return ALWAYS
    if active(cycle).definition.adjustments_need_approval:
        raise refusals.ApprovalRequired(cycle.name)
    return committed_change(cycle, request, context)


def committed_change(cycle: Cycle, request: Any, context: Context) -> date:
    """The day from which a change of a committed plan holds, whoever has to approve it.

    Raises:
        CycleState: the cycle is not active.
        ReasonRequired: the reason or category is missing.
        DayOutsideCycle, DayInFuture, FieldInvalid: the day named is not one to change the plan on.
    """
    active(cycle)
    given = _given_day(request)
    given_reasons = {"reason": not blank(request.reason), "category": bool(request.category)}
    missing = [name for name, is_given in given_reasons.items() if not is_given]
    if missing:
        raise ReasonRequired(cycle.name, tuple(missing))
    today = max(cycle.today(context), cycle.first_day)
    if given is None:
        return min(today, cycle.last_day)
    within(cycle, given, "effective_date")
    not_future(today, given, "effective_date")
    return given


def _given_day(request: Any) -> date | None:
    if not request.HasField("effective_date"):
        return None
    return day(request.effective_date, "effective_date")


def active(cycle: Cycle) -> Cycle:
    """The cycle, which must be active.

    Raises:
        CycleState: it is drafted, being closed or sealed.
    """
    if cycle.state != CYCLE_STATE_ACTIVE:
        raise refusals.CycleState(cycle.name, state_name(cycle.state), "ACTIVE")
    return cycle


def check_etag(resource: str, current: str, given: str) -> None:
    """Refuses an etag that is not the current one; an empty one is not checked.

    Raises:
        EtagMismatch: the resource changed since the caller read it.
    """
    if given and given != current:
        raise EtagMismatch(resource, current)


def days_of(cycle: Cycle) -> Days:
    """The cycle's days, for the rules of definitions."""
    return Days(cycle.first_day, cycle.last_day)


def decision_of(
    events: Sequence[NewEvent], request: Any, context: Context, effective: date
) -> Decision:
    """The events of a request, with its circumstances, from a day on."""
    return Decision(tuple(events), metadata_of(request, context, effective))


def metadata_of(
    request: Any, context: Context, effective: date, *, adjustment: str = ""
) -> EventMetadata:
    """Who, when and why, as the records keep it; ALWAYS leaves the effective date out."""
    metadata = EventMetadata()
    metadata.request_id = context.request_id
    metadata.adjustment = adjustment
    metadata.actor.plain = context.actor
    if context.on_behalf_of:
        metadata.on_behalf_of.plain = context.on_behalf_of
    if effective != ALWAYS:
        set_date(metadata.effective_date, effective)
    if not blank(reason := getattr(request, "reason", "")):
        metadata.reason.plain = plain(reason)
    metadata.category = getattr(request, "category", CATEGORY_UNSPECIFIED)
    if request.HasField("source_time"):
        metadata.source_time.CopyFrom(moment(request.source_time, "source_time"))
    return metadata
