"""Definitions of cycles, teams, objectives and key results from fields that people write."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from google.protobuf.descriptor import FieldDescriptor

from okr import names, texts
from okr.v1.values_pb2 import (
    CycleDefinition,
    KeyResultDefinition,
    ObjectiveDefinition,
    PersonalText,
    TeamDefinition,
)

Definition = TypeVar(
    "Definition", CycleDefinition, TeamDefinition, ObjectiveDefinition, KeyResultDefinition
)

CYCLE: Final = (
    "title",
    "first_day",
    "last_day",
    "time_zone",
    "cadence",
    "grace_days",
    "adjustments_need_approval",
    "policy",
)
TEAM: Final = ("title", "parent")
OBJECTIVE: Final = ("title", "description", "team", "commitment", "owner", "visibility")
KEY_RESULT: Final = (
    "title",
    "metric",
    "unit",
    "aggregation",
    "direction",
    "baseline",
    "target",
    "commit",
    "stretch",
    "lower_bound",
    "upper_bound",
    "weight",
    "owner",
    "trajectory",
    "measure_kind",
)
"""The fields of each definition that are written; milestones are written apart."""

_DECIMALS = frozenset(
    ("baseline", "target", "commit", "stretch", "lower_bound", "upper_bound", "weight")
)
_TEAMS = frozenset(("team", "parent"))

_MESSAGES: Mapping[str, Callable[[str], Any]] = {
    "google.type.Date": lambda text: texts.date_message(texts.day(text)),
    "okr.v1.PersonalText": lambda text: PersonalText(plain=text),
    "okr.v1.Trajectory": texts.trajectory,
    "okr.v1.ScoringPolicy": texts.policy,
}


def fill(definition: Definition, field: str, text: str) -> None:
    """Set a field of a definition from its text.

    A target written "+20 %" is relative to the baseline. Teams may be written by their ids.

    Raises:
        ValueError: a sentence that says what the field takes.
    """
    if field == "target" and (change := texts.percent_change(text)) is not None:
        assert isinstance(definition, KeyResultDefinition)
        definition.target_change_percent = change
        return
    described = definition.DESCRIPTOR.fields_by_name[field]
    if described.message_type is not None:
        value = _MESSAGES[described.message_type.full_name](text)
        getattr(definition, field).CopyFrom(value)
    else:
        setattr(definition, field, _scalar(described, text))


def filled(
    definition: Definition,
    given: Mapping[str, str],
    problem: Callable[[str, str], None],
) -> Definition:
    """The definition with every given field set; `problem(field, sentence)` hears of wrong ones."""
    for field, text in given.items():
        try:
            fill(definition, field, text)
        except ValueError as error:
            problem(field, str(error))
    return definition


def _scalar(field: FieldDescriptor, text: str) -> str | int | bool:
    if field.enum_type is not None:
        return texts.choice(field.enum_type, text)
    if field.type == FieldDescriptor.TYPE_BOOL:
        return texts.yes_or_no(text)
    if field.type == FieldDescriptor.TYPE_INT32:
        return texts.whole(text)
    if field.name in _DECIMALS:
        return texts.decimal(text)
    return names.team(text) if field.name in _TEAMS else text
