"""Which fields of a message hold text that may name a person."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from okr.v1.values_pb2 import PersonalText

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.protobuf.descriptor import Descriptor
    from google.protobuf.message import Message

NAMES: Final = frozenset({"actor", "on_behalf_of", "owner", "participants"})
"""The fields whose text is somebody's name; any other holds what its author wrote."""

OF_THE_SUBJECT: Final = frozenset({"display_name"})
"""The fields whose text is about the person that the event is about, whoever wrote it."""


class Held(NamedTuple):
    """A text in a message: the text itself, to be changed in place, its field and its path.

    The path leads from the message, "definition.owner" or "participants[2]".
    """

    text: PersonalText
    field: str
    path: str

    @property
    def is_name(self) -> bool:
        """Whether the text is somebody's name."""
        return self.field in NAMES


class _Way(NamedTuple):
    """A field that leads to texts."""

    name: str
    repeated: bool
    is_text: bool


def texts(message: Message, prefix: str = "") -> Iterator[Held]:
    """The personal texts of a message that are set, in order of field number.

    Costs by the fields that may hold some; next to nothing where no type beneath has any.
    """
    told: Any = message
    for name, repeated, is_text in _ways(message.DESCRIPTOR):
        if repeated:
            for i, each in enumerate(getattr(told, name)):
                path = f"{prefix}{name}[{i}]"
                if is_text:
                    yield Held(each, name, path)
                else:
                    yield from texts(each, f"{path}.")
        elif told.HasField(name):
            each = getattr(told, name)
            if is_text:
                yield Held(each, name, f"{prefix}{name}")
            else:
                yield from texts(each, f"{prefix}{name}.")


@cache
def _ways(descriptor: Descriptor) -> tuple[_Way, ...]:
    return tuple(
        _Way(field.name, field.is_repeated, field.message_type is PersonalText.DESCRIPTOR)
        for field in descriptor.fields
        if field.message_type is not None and _leads_to_texts(field.message_type)
    )


@cache
def _leads_to_texts(descriptor: Descriptor) -> bool:
    seen = {descriptor.full_name}
    to_visit = [descriptor]
    while to_visit:
        each = to_visit.pop()
        if each is PersonalText.DESCRIPTOR:
            return True
        for field in each.fields:
            if field.message_type is not None and field.message_type.full_name not in seen:
                seen.add(field.message_type.full_name)
                to_visit.append(field.message_type)
    return False
