"""Strategy adjustments: reasoned decisions that change a committed plan, all or nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from google.protobuf.message import Message

from ledger import refusals
from ledger.refusals import FieldInvalid, Violation, invalid
from ledger.values import blank, plain
from okr.v1 import events_pb2 as facts
from okr.v1.event_record_pb2 import EventMetadata
from okr.v1.ledger_service_pb2 import (
    AdjustStrategyRequest,
    ProposeAdjustmentRequest,
    StrategyChange,
)
from okr.v1.resources_pb2 import AdjustmentState

BYTES_AT_MOST = 3 * 1024 * 1024
"""What the facts of an adjustment may come to: its answer repeats them in one message of 4 MiB."""

_OF_THE_ADJUSTMENT = (
    "request_id",
    "effective_date",
    "reason",
    "category",
    "validate_only",
    "source_time",
)


@dataclass(frozen=True, slots=True)
class Proposal:
    """What was proposed, by whom and why, and where in the ledger."""

    fact: facts.AdjustmentProposed
    metadata: EventMetadata
    position: int


@dataclass(frozen=True, slots=True)
class Adjustment:
    """An adjustment of a cycle's plan; its changes are events of other streams.

    `proposal` is there while it waits for approval.
    """

    name: str
    cycle: str
    state: AdjustmentState.ValueType
    proposal: Proposal | None = None


def adjustment_after(
    before: Adjustment | None, name: str, fact: Message, metadata: EventMetadata, position: int
) -> Adjustment:
    """The adjustment after an event of its stream: the last one says where it stands."""
    cycle = before.cycle if before else ""
    match fact:
        case facts.AdjustmentProposed():
            proposal = Proposal(fact, metadata, position)
            proposed = AdjustmentState.ADJUSTMENT_STATE_PROPOSED
            return Adjustment(name, fact.cycle, proposed, proposal)
        case facts.AdjustmentRejected():
            return Adjustment(name, cycle, AdjustmentState.ADJUSTMENT_STATE_REJECTED)
        case facts.StrategyAdjusted():
            return Adjustment(name, fact.cycle, AdjustmentState.ADJUSTMENT_STATE_APPLIED)
        case _:
            return Adjustment(name, cycle, AdjustmentState.ADJUSTMENT_STATE_APPLIED)


def pending(adjustment: Adjustment) -> Proposal:
    """The proposal that waits for approval.

    Raises:
        AdjustmentState: the adjustment was applied or rejected.
    """
    if adjustment.proposal is None:
        state = AdjustmentState.Name(adjustment.state).removeprefix("ADJUSTMENT_STATE_")
        raise refusals.AdjustmentState(adjustment.name, state)
    return adjustment.proposal


def adjust(
    name: str,
    request: AdjustStrategyRequest | ProposeAdjustmentRequest,
    subjects: Sequence[str],
) -> facts.StrategyAdjusted:
    """The decision itself; `subjects` are what its changes changed, in order."""
    title = plain(request.title)
    if blank(title):
        raise invalid("title", "string.min_len", "must not be empty")
    return facts.StrategyAdjusted(
        adjustment=name, cycle=request.cycle, title=title, subjects=list(dict.fromkeys(subjects))
    )


def check_size(facts_made: Sequence[Message]) -> None:
    """Refuses an adjustment that nobody could be told of in one answer.

    Raises:
        FieldInvalid: its facts come to more than `BYTES_AT_MOST`.
    """
    size = sum(fact.ByteSize() for fact in facts_made)
    if size > BYTES_AT_MOST:
        raise invalid(
            "changes",
            "adjustment.size",
            f"come to {size} bytes of events; {BYTES_AT_MOST} are allowed in one adjustment",
        )


def change_of(change: StrategyChange, index: int) -> Message:
    """The request within a change.

    Raises:
        FieldInvalid: it carries a field that the adjustment itself carries.
    """
    kind = change.WhichOneof("change")
    request: Message = getattr(change, str(kind))
    for field, _ in request.ListFields():
        if field.name in _OF_THE_ADJUSTMENT:
            raise invalid(
                f"changes[{index}].{kind}.{field.name}",
                "adjustment.field",
                "must stay empty: the adjustment's own applies",
            )
    return request


def placed(refusal: FieldInvalid, change: StrategyChange, index: int) -> FieldInvalid:
    """A change's refusal with paths that begin at the adjustment, whose own fields keep theirs."""
    prefix = f"changes[{index}].{change.WhichOneof('change')}."
    return FieldInvalid(
        tuple(
            violation
            if violation.field in _OF_THE_ADJUSTMENT
            else Violation(prefix + violation.field, violation.rule, violation.description)
            for violation in refusal.violations
        )
    )
