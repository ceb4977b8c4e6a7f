"""Requests for strategy adjustments: made at once, or proposed and then approved or rejected."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from google.protobuf.message import Message

from ledger import adjustments, proposals
from ledger.circumstances import active, committed_change, metadata_of, plan_change
from ledger.context import Context
from ledger.event import Decision, NewEvent
from ledger.plan_changes import CHANGES, Events, Moment
from ledger.refusals import FieldInvalid, ProposalOutdated, ReasonRequired, Refusal, invalid
from ledger.values import blank, date_message, new_name, personal, recorded_day
from ledger.view import View
from okr.v1 import events_pb2 as facts
from okr.v1 import ledger_service_pb2 as api

Asked = api.AdjustStrategyRequest | api.ProposeAdjustmentRequest
"""A request for an adjustment: both say the same."""


def adjust_strategy(view: View, request: api.AdjustStrategyRequest, context: Context) -> Decision:
    """Makes an adjustment.

    Raises:
        Refusal: the rules refuse one of its changes; none of them is made.
    """
    cycle = active(view.cycle(request.cycle))
    name = new_name("adjustments", request.adjustment_id, context)
    view.vacant(name)
    return _made(view, request, name, plan_change(cycle, request, context), context)


def propose(view: View, request: api.ProposeAdjustmentRequest, context: Context) -> Decision:
    """Proposes an adjustment, whose changes are decided as if they were made now.

    Raises:
        Refusal: the rules refuse one of its changes.
    """
    cycle = active(view.cycle(request.cycle))
    name = new_name("adjustments", request.adjustment_id, context)
    view.vacant(name)
    effective = committed_change(cycle, request, context)
    decided = _decided(view, request, name, effective, context)
    events = [event.fact for events in decided for event in events]
    fact = facts.AdjustmentProposed(
        adjustment=name,
        cycle=cycle.name,
        title=adjustments.adjust(name, request, []).title,
        changes=[
            proposals.with_ids(change, [event.fact for event in events])
            for change, events in zip(request.changes, decided, strict=True)
        ],
        foreseen=[proposals.foreseen(event) for event in events],
    )
    if request.HasField("effective_date"):
        fact.effective_date.CopyFrom(date_message(effective))
    proposals.check_size(fact)
    metadata = metadata_of(request, context, effective, adjustment=name)
    return Decision((NewEvent(name, fact),), metadata)


def approve(view: View, request: api.ApproveAdjustmentRequest, context: Context) -> Decision:
    """Makes a proposed adjustment, on the state of this moment.

    Raises:
        AdjustmentState: it waits for no approval.
        OwnProposal: the caller proposed it.
        ProposalOutdated: it no longer fits.
        Refusal: the rules refuse one of its changes, though nothing it depends on has changed.
    """
    proposal = adjustments.pending(view.adjustment(request.name))
    proposals.check_approver(proposal, context)
    asked = proposals.asked(proposal, request)
    cycle = active(view.cycle(asked.cycle))
    if changed := proposals.changed(view, proposal):
        raise ProposalOutdated(request.name, tuple(changed))
    trial = view.apart()
    try:
        effective = committed_change(cycle, asked, context)
        made = _made(trial, asked, request.name, effective, context)
    except Refusal as refusal:
        happened = proposals.happened(view, proposal, trial.seen)
        if not happened:
            raise
        raise ProposalOutdated(request.name, tuple(happened), str(refusal)) from refusal
    # In the proposer's words, and so under the proposer's key.
    made.metadata.reason.key = proposal.metadata.reason.key
    approved = facts.AdjustmentApproved(adjustment=request.name, reason=personal(request.reason))
    return Decision((NewEvent(request.name, approved), *made.events), made.metadata)


def reject(view: View, request: api.RejectAdjustmentRequest, context: Context) -> Decision:
    """Rejects a proposed adjustment, or withdraws one's own.

    Raises:
        AdjustmentState: it waits for no approval.
        ReasonRequired: there is no reason.
    """
    proposal = adjustments.pending(view.adjustment(request.name))
    if blank(request.reason):
        raise ReasonRequired(request.name, ("reason",))
    planned = recorded_day(proposal.metadata.effective_date)
    metadata = metadata_of(request, context, planned, adjustment=request.name)
    fact = facts.AdjustmentRejected(adjustment=request.name)
    return Decision((NewEvent(request.name, fact),), metadata)


def _made(view: View, request: Asked, name: str, effective: date, context: Context) -> Decision:
    """The adjustment and its changes, from a day on."""
    decided = _decided(view, request, name, effective, context)
    events = [event for part in decided for event in part]
    made = adjustments.adjust(name, request, [_subject(event.fact) for event in events])
    metadata = metadata_of(request, context, effective, adjustment=name)
    return Decision((NewEvent(name, made), *events), metadata)


def _decided(
    view: View, request: Asked, name: str, effective: date, context: Context
) -> Sequence[Events]:
    """The events of each change, which sees those of the changes before it."""
    metadata = metadata_of(request, context, effective, adjustment=name)
    decided: list[Events] = []
    for i, wrapped in enumerate(request.changes):
        part = adjustments.change_of(wrapped, i)
        change = CHANGES[type(part)]
        if change.cycle(view, part) != request.cycle:
            raise invalid(
                f"changes[{i}]", "adjustment.cycle", f"does not belong to {request.cycle}"
            )
        try:
            events = change.events(view, part, Moment(effective, _numbered(context, i)))
        except FieldInvalid as refusal:
            raise adjustments.placed(refusal, wrapped, i) from refusal
        view.ahead(events, metadata)
        decided.append(events)
    adjustments.check_size([event.fact for events in decided for event in events])
    return decided


def _numbered(context: Context, index: int) -> Context:
    """The context of one change of an adjustment, with ids of its own."""
    return context._replace(new_id=lambda: f"{context.new_id()}-c{index + 1}")


def _subject(fact: Message) -> str:
    """What an event of a plan is about."""
    told: Any = fact
    for field in ("key_result", "objective", "child", "cycle"):
        if hasattr(told, field):
            return str(getattr(told, field))
    raise TypeError(f"{fact.DESCRIPTOR.full_name} is not about a plan")
