"""Definitions that change: who may be revised, from which day, and what is then in force.

A subject (cycle, team, objective, key result) is a list of revisions, each an event with the day
from which it holds. What is in force on a day is the fold of the revisions with an earlier or the
same day, by (effective day, position). A backdated revision therefore slips in below later ones
and changes only the fields that it names.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Generic, NamedTuple, TypeVar

from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message

from ledger.refusals import invalid

Definition = TypeVar("Definition", bound=Message)


class Revision(NamedTuple):
    """An event about a subject; `position` is 0 until the log has assigned one."""

    effective: date
    position: int
    fact: Message


def in_order(revisions: Iterable[Revision], day: date) -> list[Revision]:
    """The revisions that hold on a day, in the order in which they apply.

    They must be given in order of position.
    """
    return sorted((r for r in revisions if r.effective <= day), key=lambda r: r.effective)


def merged(definition: Definition, changed: FieldMask, after: Definition) -> Definition:
    """A definition with the changed fields replaced."""
    result = type(definition)()
    result.CopyFrom(definition)
    for path in changed.paths:
        result.ClearField(path)
    part = type(definition)()
    part.CopyFrom(after)
    for path in [f.name for f, _ in part.ListFields() if f.name not in changed.paths]:
        part.ClearField(path)
    result.MergeFrom(part)
    return result


@dataclass(frozen=True, slots=True)
class Change(Generic[Definition]):
    """What differs between two definitions: the fields, and both sides reduced to them."""

    changed: FieldMask
    before: Definition
    after: Definition

    def touches(self, *fields: str) -> bool:
        """Whether any of the fields changed."""
        return any(field in self.changed.paths for field in fields)

    def only(self, fields: Sequence[str]) -> Change[Definition]:
        """The same of some of the fields."""
        return Change(
            FieldMask(paths=fields), _part(self.before, fields), _part(self.after, fields)
        )


def difference(before: Definition, after: Definition) -> Change[Definition] | None:
    """The fields in which two definitions differ, in order of field number; None if equal."""
    paths = [
        field.name
        for field in before.DESCRIPTOR.fields
        if _part(before, [field.name]) != _part(after, [field.name])
    ]
    if not paths:
        return None
    return Change(FieldMask(paths=paths), _part(before, paths), _part(after, paths))


def wanted(current: Definition, given: Definition, mask: FieldMask) -> Definition:
    """The definition that a request asks for: `current` with the fields of the mask as given.

    An empty mask stands for the filled fields.

    Raises:
        FieldInvalid: the mask names a field that the definition does not have.
    """
    known = {field.name for field in current.DESCRIPTOR.fields}
    for path in mask.paths:
        if path not in known:
            raise invalid(
                "update_mask", "field_mask.unknown", f"{path!r} is not a field of the definition"
            )
    paths = list(mask.paths) or [field.name for field, _ in given.ListFields()]
    return merged(current, FieldMask(paths=paths), given)


def etag(revisions: Sequence[object]) -> str:
    """The etag of a subject with these revisions: their number in quotes."""
    return f'"{len(revisions)}"'


def _part(definition: Definition, paths: Sequence[str]) -> Definition:
    result = type(definition)()
    result.CopyFrom(definition)
    for field, _ in definition.ListFields():
        if field.name not in paths:
            result.ClearField(field.name)
    return result
