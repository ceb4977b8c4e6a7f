"""Why a fact moves scores: its cause, or several where it changes several things at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message

from ledger.scoring.attribution import Cause
from okr.v1 import events_pb2 as facts
from okr.v1.values_pb2 import AlignmentKind

_OF_A_KEY_RESULT: Final[Mapping[Cause, Sequence[str]]] = {
    Cause.BASELINE: ("baseline",),
    Cause.TARGET: (
        "metric",
        "aggregation",
        "direction",
        "target",
        "target_change_percent",
        "commit",
        "stretch",
        "lower_bound",
        "upper_bound",
        "milestones",
    ),
    Cause.WEIGHT: ("weight",),
}
"""The fields of a key result's definition that its score depends on, in the order of causes."""

_OF_A_CYCLE: Final = frozenset({"policy", "cadence", "first_day", "last_day"})
"""The fields of a cycle's definition that say how values become scores."""

Part = tuple[Cause, Message]
"""A cause, and the fact or the part of it that has this cause."""


def parts_of(fact: Message) -> list[Part]:
    """What a fact can move scores by, in the order of causes; [] where it moves none.

    A revision of a key result is cut into its baseline, target and weight: applied one after the
    other at the revision's own place they make what the whole makes.

    Raises:
        TypeError: a fact that is not known to move scores or to leave them.
    """
    match fact:
        case facts.CheckInRecorded():
            return [(Cause.PROGRESS, fact)]
        case facts.CheckInCorrected() | facts.CheckInRetracted():
            return [(Cause.CORRECTION, fact)]
        case facts.KeyResultRevised():
            return _parts_of_revision(fact)
        case (
            facts.KeyResultAdded()
            | facts.KeyResultCarriedOver()
            | facts.KeyResultDropped()
            | facts.KeyResultRestored()
            | facts.ObjectiveCreated()
            | facts.ObjectiveAbandoned()
            | facts.TeamRegistered()
            | facts.CycleDrafted()
        ):
            return [(Cause.SCOPE, fact)]
        case facts.ObjectiveRevised():
            return [(Cause.SCOPE, fact)] if "team" in fact.changed.paths else []
        case facts.TeamRevised():
            return [(Cause.SCOPE, fact)] if "parent" in fact.changed.paths else []
        case facts.Aligned() | facts.Unaligned():
            contributes = fact.kind == AlignmentKind.ALIGNMENT_KIND_CONTRIBUTES
            return [(Cause.ALIGNMENT, fact)] if contributes else []
        case facts.CycleRevised():
            return [] if _OF_A_CYCLE.isdisjoint(fact.changed.paths) else [(Cause.POLICY, fact)]
        case facts.ObjectiveGraded() | facts.ObjectiveRegraded():
            return [(Cause.OVERRIDE, fact)]
        case (
            facts.PlanCommitted()
            | facts.CycleClosing()
            | facts.CycleSealed()
            | facts.CycleReopened()
            | facts.LessonRecorded()
            | facts.AmendmentRecorded()
            | facts.TeamRetired()
        ):
            return []
        case other:
            raise TypeError(f"{other.DESCRIPTOR.full_name} has no known effect on scores")


def _parts_of_revision(fact: facts.KeyResultRevised) -> list[Part]:
    changed = set(fact.changed.paths)
    return [
        (
            cause,
            facts.KeyResultRevised(
                key_result=fact.key_result, changed=FieldMask(paths=paths), after=fact.after
            ),
        )
        for cause, fields in _OF_A_KEY_RESULT.items()
        if (paths := [field for field in fields if field in changed])
    ]
