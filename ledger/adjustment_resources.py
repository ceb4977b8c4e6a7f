"""Strategy adjustments as the API shows them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from google.protobuf.message import Message

from ledger.values import timestamp
from okr.v1 import events_pb2 as facts
from okr.v1 import resources_pb2 as resources
from okr.v1.event_record_pb2 import EventMetadata
from okr.v1.resources_pb2 import AdjustmentState


@dataclass(frozen=True, slots=True)
class Step:
    """An event of an adjustment's own stream; `recorded_us` is in µs since 1970 UTC."""

    position: int
    recorded_us: int
    metadata: EventMetadata
    fact: Message

    def resource(self, reason: str) -> resources.AdjustmentStep:
        """The step as the API shows it."""
        metadata = self.metadata
        return resources.AdjustmentStep(
            actor=metadata.actor.plain,
            on_behalf_of=metadata.on_behalf_of.plain,
            recorded_time=timestamp(self.recorded_us),
            position=self.position,
            reason=reason,
            source_time=metadata.source_time if metadata.HasField("source_time") else None,
        )


def resource(
    steps: Sequence[Step], changes: Sequence[resources.AdjustmentChange]
) -> resources.Adjustment:
    """The adjustment without its effects on scores.

    `steps` are the events of its own stream in order, `changes` what it has changed.

    Raises:
        ValueError: there is neither a proposal nor an adjustment among the steps.
    """
    shown = resources.Adjustment(state=AdjustmentState.ADJUSTMENT_STATE_PROPOSED)
    told: Step | None = None
    for step in steps:
        match step.fact:
            case facts.AdjustmentProposed() as fact:
                told, changes = step, changes or list(_foreseen(fact))
                shown.proposed.CopyFrom(step.resource(step.metadata.reason.plain))
            case facts.AdjustmentApproved() as fact:
                shown.decided.CopyFrom(step.resource(fact.reason.plain))
            case facts.AdjustmentRejected():
                shown.state = AdjustmentState.ADJUSTMENT_STATE_REJECTED
                shown.decided.CopyFrom(step.resource(step.metadata.reason.plain))
            case facts.StrategyAdjusted():
                shown.state = AdjustmentState.ADJUSTMENT_STATE_APPLIED
                told = step
    if told is None:
        raise ValueError("an adjustment is proposed or made")
    content, metadata = told.fact, told.metadata
    assert isinstance(content, facts.AdjustmentProposed | facts.StrategyAdjusted)
    shown.MergeFrom(
        resources.Adjustment(
            name=content.adjustment,
            cycle=content.cycle,
            title=content.title,
            actor=metadata.actor.plain,
            on_behalf_of=metadata.on_behalf_of.plain,
            recorded_time=timestamp(told.recorded_us),
            effective_date=metadata.effective_date,
            reason=metadata.reason.plain,
            category=metadata.category,
            first_position=told.position,
            last_position=max((change.position for change in changes), default=0) or told.position,
            changes=changes,
            source_time=metadata.source_time if metadata.HasField("source_time") else None,
        )
    )
    return shown


def _foreseen(fact: facts.AdjustmentProposed) -> Iterator[resources.AdjustmentChange]:
    """What a proposal would have changed when it was made."""
    for each in fact.foreseen:
        yield change_resource(getattr(each, str(each.WhichOneof("event"))), 0)


def change_resource(fact: Message, position: int) -> resources.AdjustmentChange:
    """An event of an adjustment as one of its changes.

    Raises:
        TypeError: a fact that no adjustment makes.
    """
    change = resources.AdjustmentChange(position=position, event_type=fact.DESCRIPTOR.full_name)
    match fact:
        case facts.KeyResultAdded() | facts.KeyResultCarriedOver():
            change.subject = fact.key_result
            change.key_result_after.CopyFrom(fact.definition)
        case facts.KeyResultRevised():
            change.subject = fact.key_result
            change.changed.CopyFrom(fact.changed)
            change.key_result_before.CopyFrom(fact.before)
            change.key_result_after.CopyFrom(fact.after)
            change.dependants.extend(fact.dependants)
        case facts.KeyResultDropped() | facts.KeyResultRestored():
            change.subject = fact.key_result
            change.dependants.extend(fact.dependants)
        case facts.ObjectiveCreated():
            change.subject = fact.objective
            change.objective_after.CopyFrom(fact.definition)
        case facts.ObjectiveRevised():
            change.subject = fact.objective
            change.changed.CopyFrom(fact.changed)
            change.objective_before.CopyFrom(fact.before)
            change.objective_after.CopyFrom(fact.after)
            change.dependants.extend(fact.dependants)
        case facts.ObjectiveAbandoned():
            change.subject = fact.objective
            change.dependants.extend(fact.dependants)
        case facts.CycleRevised():
            change.subject = fact.cycle
            change.changed.CopyFrom(fact.changed)
            change.cycle_before.CopyFrom(fact.before)
            change.cycle_after.CopyFrom(fact.after)
        case facts.Aligned():
            change.subject = fact.child
            change.alignment.CopyFrom(
                resources.Alignment(
                    child=fact.child, parent=fact.parent, kind=fact.kind, weight=fact.weight
                )
            )
        case facts.Unaligned():
            change.subject = fact.child
            change.alignment.CopyFrom(
                resources.Alignment(child=fact.child, parent=fact.parent, kind=fact.kind)
            )
        case other:
            raise TypeError(f"no adjustment makes {other.DESCRIPTOR.full_name}")
    return change
