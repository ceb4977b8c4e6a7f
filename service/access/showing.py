"""Answers without what is hidden from the caller: one place for every message.

A message about something hidden is dropped: from the list that it stands in, or together with the
message that it is a part of. Where a message about something else mentions a hidden thing, the
mention is left out. Numbers stay as they are: a score does not depend on who looks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Final

from ledger.event import EVENT_TYPES
from okr.v1.event_record_pb2 import Event
from okr.v1.explanation_pb2 import ScoreExplanation
from okr.v1.plan_comparison_pb2 import (
    PLAN_CHANGE_KIND_REALIGNED,
    PlanChange,
    PlanChangeTotal,
    PlanComparison,
)
from okr.v1.replay_service_pb2 import ReplayFrame
from okr.v1.resources_pb2 import Deviation
from okr.v1.retrospective_pb2 import Retrospective
from service.access.references import Fields, fields_of
from service.access.steps import without_hidden_steps

if TYPE_CHECKING:
    from google.protobuf.message import Message

Hidden = Callable[[str], bool]
"""Whether a resource name is of something hidden; false for what is none."""


class Left(IntEnum):
    """What is left of a message."""

    ALL = 0
    PART = 1
    NOTHING = 2


def pruned(message: Message, hidden: Hidden) -> Left:
    """Takes what is hidden out of a message, in place.

    Of NOTHING the caller drops the message, whose content is then undefined. Costs by the number
    of names in the message.
    """
    rule = _RULES.get(message.DESCRIPTOR.full_name, _by_fields)
    return rule(message, hidden)


def _by_fields(message: Any, hidden: Hidden) -> Left:
    fields = fields_of(message.DESCRIPTOR)
    if _is_about(message, fields, hidden):
        return Left.NOTHING
    left = Left.ALL
    for field in fields.single:
        if message.HasField(field):
            left = max(left, pruned(getattr(message, field), hidden))
            if left is Left.NOTHING:
                return left
    left = max(left, _without_mentions(message, fields, hidden))
    for field in fields.repeated:
        if messages := getattr(message, field):
            left = max(left, _list(messages, hidden))
    return left


def _is_about(message: Any, fields: Fields, hidden: Hidden) -> bool:
    for field in fields.subjects:
        if hidden(getattr(message, field)):
            return True
    return any(hidden(f"objectives/{getattr(message, field)}") for field in fields.ids)


def _without_mentions(message: Any, fields: Fields, hidden: Hidden) -> Left:
    left = Left.ALL
    for field in fields.mentions:
        if hidden(getattr(message, field)):
            message.ClearField(field)
            left = Left.PART
    for field in fields.lists:
        names = getattr(message, field)
        if any(map(hidden, names)):
            names[:] = [name for name in names if not hidden(name)]
            left = Left.PART
    return left


def _list(messages: Any, hidden: Hidden) -> Left:
    left = [pruned(each, hidden) for each in messages]
    worst = max(left, default=Left.ALL)
    if worst is not Left.NOTHING:
        return worst
    for i in reversed(range(len(left))):
        if left[i] is Left.NOTHING:
            del messages[i]
    return Left.PART


def _event(event: Event, hidden: Hidden) -> Left:
    """An event about others keeps its header; its bytes go where they say something hidden.

    They are of use as they were stored only.
    """
    kind = EVENT_TYPES.get(event.header.event_type)
    if kind is None or hidden(event.header.stream):
        return Left.NOTHING
    fact = kind.FromString(event.decoded_payload.value)
    left = pruned(fact, hidden)
    if left is Left.NOTHING:
        return left
    if left is Left.PART:
        event.ClearField("payload")
        event.decoded_payload.Pack(fact)
    if pruned(event.decoded_metadata, hidden) is not Left.ALL:
        event.ClearField("metadata")
        left = Left.PART
    return left


def _deviation(deviation: Deviation, hidden: Hidden) -> Left:
    """One that only a hidden change put on the list is not on it."""
    left = _by_fields(deviation, hidden)
    return left if deviation.findings else Left.NOTHING


def _plan_change(change: PlanChange, hidden: Hidden) -> Left:
    left = _by_fields(change, hidden)
    realigned = change.kind == PLAN_CHANGE_KIND_REALIGNED
    if realigned and not change.alignments_before and not change.alignments_after:
        return Left.NOTHING
    return left


def _plan_comparison(comparison: PlanComparison, hidden: Hidden) -> Left:
    """The totals are those of the changes that are shown."""
    left = _by_fields(comparison, hidden)
    if left is Left.PART:
        totals: dict[int, PlanChangeTotal] = {}
        for change in comparison.changes:
            total = totals.setdefault(change.kind, PlanChangeTotal(kind=change.kind))
            if "/keyResults/" in change.subject:
                total.key_results += 1
            else:
                total.objectives += 1
        del comparison.totals[:]
        comparison.totals.extend(totals[kind] for kind in sorted(totals))
    return left


def _frame(frame: ReplayFrame, hidden: Hidden) -> Left:
    """The count of events goes without those that are left out."""
    shown = len(frame.events)
    left = _by_fields(frame, hidden)
    if frame.event_count:
        frame.event_count -= shown - len(frame.events)
    return left


def _retrospective(back: Retrospective, hidden: Hidden) -> Left:
    """Nobody is named who owns nothing that is shown."""
    left = _by_fields(back, hidden)
    owners = {outcome.owner for of in back.objectives for outcome in of.key_results}
    by_owner = [each for each in back.discipline_by_owner if each.name in owners]
    if len(by_owner) < len(back.discipline_by_owner):
        del back.discipline_by_owner[:]
        back.discipline_by_owner.extend(by_owner)
        left = max(left, Left.PART)
    return left


def _explanation(explanation: ScoreExplanation, hidden: Hidden) -> Left:
    if hidden(explanation.name):
        return Left.NOTHING
    return Left.PART if without_hidden_steps(explanation.steps, hidden) else Left.ALL


_RULES: Final[Mapping[str, Callable[[Any, Hidden], Left]]] = {
    kind.DESCRIPTOR.full_name: rule
    for kind, rule in (
        (Event, _event),
        (Deviation, _deviation),
        (PlanChange, _plan_change),
        (PlanComparison, _plan_comparison),
        (ReplayFrame, _frame),
        (Retrospective, _retrospective),
        (ScoreExplanation, _explanation),
    )
}
"""The messages that take more than leaving out."""
