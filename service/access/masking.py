"""Requests and errors without what is hidden: as if it did not exist.

A request about something hidden is asked about something that does not exist, and what is said of
that is told of what was asked. So a hidden thing and a missing one cannot be told apart by what is
refused first, by what an error says, or by how long it takes.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.descriptor_pool import Default
from google.protobuf.message_factory import GetMessageClass
from google.rpc.status_pb2 import Status

from service.access.references import fields_of

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from service.access.showing import Hidden

UNSHOWN: Final = "(not shown)"
"""What errors say in place of a hidden name."""

_NAME: Final = re.compile(r"(?:objectives|adjustments)/[a-z0-9-]+(?:/[A-Za-z]+/[a-z0-9-]+)*…?")


class Missing:
    """Names that nobody has, in place of the hidden ones of one request.

    `secret` is an id that no caller can know: 32 random hexadecimal digits.
    """

    def __init__(self, secret: str) -> None:
        self._secret = secret
        self._ids: dict[str, str] = {}

    def __bool__(self) -> bool:
        return bool(self._ids)

    def put_into(self, request: Message, hidden: Hidden) -> None:
        """Replaces the hidden names of a request, in place."""
        fields = fields_of(request.DESCRIPTOR)
        open_request: Any = request
        for field in (*fields.subjects, *fields.mentions):
            name = getattr(request, field)
            if hidden(name):
                setattr(request, field, self._in_place_of(name))
        for field in fields.lists:
            names = getattr(open_request, field)
            names[:] = [self._in_place_of(name) if hidden(name) else name for name in names]
        for field in fields.single:
            if open_request.HasField(field):
                self.put_into(getattr(request, field), hidden)
        for field in fields.repeated:
            for each in getattr(request, field):
                self.put_into(each, hidden)

    def taken_out_of(self, text: str) -> str:
        """A text with the names that were asked for."""
        for standing, own in self._ids.items():
            text = text.replace(standing, own)
        return text

    def _in_place_of(self, name: str) -> str:
        collection, own, *rest = name.split("/", 2)
        standing = next((key for key, value in self._ids.items() if value == own), "")
        if not standing:
            standing = f"{self._secret}-{len(self._ids)}"
            self._ids[standing] = own
        return "/".join((collection, standing, *rest))


def masked(told: Status, hidden: Hidden, missing: Missing) -> Status:
    """An error that names nothing hidden.

    What the caller has asked about is named as it was asked.
    """

    def named(found: re.Match[str]) -> str:
        # A name that was cut short may be any that begins so.
        name = found[0]
        return UNSHOWN if name.endswith("…") or hidden(name) else name

    def without(text: str) -> str:
        return missing.taken_out_of(_NAME.sub(named, text))

    error = Status(code=told.code, message=without(told.message))
    for detail in told.details:
        kind = GetMessageClass(Default().FindMessageTypeByName(detail.TypeName()))
        content = kind.FromString(detail.value)
        _each_text(content, without)
        error.details.add().Pack(content)
    return error


def _each_text(message: Any, change: Callable[[str], str]) -> None:
    for field, value in message.ListFields():
        if field.type == FieldDescriptor.TYPE_STRING:
            if field.is_repeated:
                value[:] = map(change, value)
            else:
                setattr(message, field.name, change(value))
        elif field.message_type is not None and field.message_type.GetOptions().map_entry:
            # A map that is written to may lose its place.
            for key in list(value):
                value[key] = change(value[key])
        elif field.message_type is not None:
            for each in value if field.is_repeated else (value,):
                _each_text(each, change)
