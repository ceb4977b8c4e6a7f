"""The objectives, cycles and teams that an event is about."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from ledger.objectives import stream_of
from okr.v1 import events_pb2 as facts

if TYPE_CHECKING:
    from google.protobuf.message import Message

_SUBJECTS: Final = {
    *("cycle", "team", "objective", "key_result", "continued_from", "child", "parent", "subject"),
}
"""The fields in which facts name what they are about, wherever they have them."""


def touched(fact: Message) -> Iterator[str]:
    """The objectives, cycles and teams that a fact is about; a proposal, what it would change."""
    for field in _SUBJECTS.intersection(fact.DESCRIPTOR.fields_by_name):
        yield stream_of(getattr(fact, field))
    match fact:
        case facts.StrategyAdjusted():
            yield from map(stream_of, fact.subjects)
        case facts.ObjectiveCreated():
            yield fact.definition.team
        case facts.ObjectiveRevised():
            yield fact.after.team
        case facts.AdjustmentProposed():
            for event in foreseen(fact):
                yield from touched(event)


def foreseen(fact: facts.AdjustmentProposed) -> list[Message]:
    """The events that a proposal would make."""
    return [getattr(each, str(each.WhichOneof("event"))) for each in fact.foreseen]
