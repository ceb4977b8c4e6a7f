"""Strategy adjustments: reasoned decisions that change a committed plan, all or nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from google.protobuf.message import Message

from ledger.refusals import FieldInvalid, Violation, invalid
from ledger.values import blank, plain, timestamp
from okr.v1 import events_pb2 as facts
from okr.v1 import resources_pb2 as resources
from okr.v1.event_record_pb2 import EventMetadata
from okr.v1.ledger_service_pb2 import AdjustStrategyRequest, StrategyChange

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
class Adjustment:
    """An adjustment that was made; its changes are events of other streams."""

    name: str
    made: facts.StrategyAdjusted | None = None


def adjust(
    name: str, request: AdjustStrategyRequest, subjects: Sequence[str]
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


def resource(
    made: facts.StrategyAdjusted,
    metadata: EventMetadata,
    recorded_us: int,
    changes: Sequence[resources.AdjustmentChange],
    first_position: int,
) -> resources.Adjustment:
    """The adjustment as the API shows it, without its effects on scores."""
    return resources.Adjustment(
        name=made.adjustment,
        cycle=made.cycle,
        title=made.title,
        actor=metadata.actor.plain,
        on_behalf_of=metadata.on_behalf_of.plain,
        recorded_time=timestamp(recorded_us),
        effective_date=metadata.effective_date,
        reason=metadata.reason.plain,
        category=metadata.category,
        first_position=first_position,
        last_position=changes[-1].position if changes else first_position,
        changes=changes,
        source_time=metadata.source_time if metadata.HasField("source_time") else None,
    )


def change_resource(fact: Message, position: int) -> resources.AdjustmentChange:
    """An event of an adjustment as one of its changes.

    Raises:
        TypeError: a fact that no adjustment makes.
    """
    change = resources.AdjustmentChange(position=position, event_type=fact.DESCRIPTOR.full_name)
    match fact:
        case facts.KeyResultAdded():
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
