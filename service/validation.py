"""What is asked of every request before its method sees it.

Its fields are known, and each keeps the rules that stand beside it in the protos.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, Final, TypeVar

import protovalidate
from google.protobuf.message import DecodeError, Message
from google.protobuf.unknown_fields import UnknownFieldSet

from ledger.refusals import FieldInvalid, Refusal, Violation
from service.refusals import (
    AnswerTooLarge,
    FieldUnknown,
    RequestTooLarge,
    RequestUnreadable,
)

Kind = TypeVar("Kind", bound=Message)

MESSAGE_BYTES: Final = 4 * 1024 * 1024
"""The most bytes of a request or an answer; gRPC clients take no more by default."""
BULK_BYTES: Final = 1024 * 1024
"""The most bytes of a message with many requests: whatever they hold, its answer fits."""
LONG_BYTES: Final = 8 * 1024
"""The size above which a request is told of the first field that breaks a rule, and of no other."""
UNKNOWN_TOLD: Final = 25
"""How many unknown fields an error names at most."""


def fitting(raw: bytes) -> bytes:
    """An answer's bytes, as they are.

    Raises:
        AnswerTooLarge: more than `MESSAGE_BYTES`.
    """
    if len(raw) > MESSAGE_BYTES:
        raise AnswerTooLarge(len(raw), MESSAGE_BYTES)
    return raw


class Validation:
    """Checks requests; compiles the rules of a message type when it first meets one.

    The native validator costs some 5 µs for a check-in, and 50 ms at its first use.
    """

    def __init__(self) -> None:
        self._validator = protovalidate.Validator()

    def compile(self, kind: type[Message]) -> None:
        """Compiles the rules of a message type, so that its first request need not wait."""
        self._validator.collect_violations(kind())

    def read(self, parse: Callable[[bytes], Kind], name: str, raw: bytes) -> Kind:
        """The request in the bytes, checked; `name` is the full name of its message.

        Raises:
            RequestUnreadable: the bytes are not such a message.
            FieldUnknown, FieldInvalid: as `check`.
        """
        try:
            request = parse(raw)
        except DecodeError:
            raise RequestUnreadable(name) from None
        self.check(request, raw)
        return request

    def read_bulk(self, parse: Callable[[bytes], Kind], name: str, raw: bytes) -> Kind:
        """A message that carries requests, which are left to be checked each by itself.

        Its rules have to say so: `IGNORE_ALWAYS` for the items.

        Raises:
            RequestTooLarge: more than `BULK_BYTES`.
            RequestUnreadable: the bytes are not such a message.
            FieldUnknown, FieldInvalid: of its own fields.
        """
        if len(raw) > BULK_BYTES:
            raise RequestTooLarge(len(raw), BULK_BYTES)
        try:
            message = parse(raw)
        except DecodeError:
            raise RequestUnreadable(name) from None
        if unknown := tuple(islice(_own_unknown_fields(message), UNKNOWN_TOLD)):
            raise FieldUnknown(unknown)
        self._keeps_rules(message)
        return message

    def passes_bulk(self, parse: Callable[[bytes], Message], name: str, raw: bytes) -> bool:
        """Whether a message that carries requests, and each of them, would pass.

        Costs some 9 µs for a check-in.
        """
        try:
            message: Any = self.read_bulk(parse, name, raw)
        except Refusal:
            return False
        size = message.ByteSize()
        message.DiscardUnknownFields()
        if message.ByteSize() != size:
            return False
        violations = self._validator.collect_violations
        return not any(violations(request, fail_fast=True) for request in message.requests)

    def check(self, request: Message, raw: bytes) -> None:
        """Passes a request whose fields are known and keep their rules; `raw` are its bytes.

        Raises:
            FieldUnknown: fields that its type does not have, at any depth.
            FieldInvalid: every field that breaks a rule.
        """
        # The library discards unknown fields natively, at any depth; a change of size shows them.
        size = request.ByteSize()
        request.DiscardUnknownFields()
        if request.ByteSize() != size:
            unknown = _unknown_fields(type(request).FromString(raw))
            raise FieldUnknown(tuple(islice(unknown, UNKNOWN_TOLD)))
        self._keeps_rules(request)

    def _keeps_rules(self, request: Message) -> None:
        # One that breaks a rule in each of its million elements would take minutes to tell of all.
        first_alone = request.ByteSize() > LONG_BYTES
        violations = self._validator.collect_violations(request, fail_fast=first_alone)
        if violations:
            raise FieldInvalid(tuple(_violation(each.proto) for each in violations))


def _violation(told: protovalidate.ViolationPb) -> Violation:
    path = ""
    for element in told.field.elements if told.field else ():
        path += f".{element.field_name}" if path else element.field_name
        if element.subscript:
            path += f"[{element.subscript.value}]"
    return Violation(path, told.rule_id, told.message)


def _own_unknown_fields(message: Message, path: str = "") -> Iterator[str]:
    unknown = UnknownFieldSet(message)
    for index in range(len(unknown)):
        yield f"{path}{unknown[index].field_number}"


def _unknown_fields(message: Message, path: str = "") -> Iterator[str]:
    """The paths of the unknown fields, their numbers in place of the names."""
    yield from _own_unknown_fields(message, path)
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        if field.is_repeated:
            for index, each in enumerate(value):
                yield from _unknown_fields(each, f"{path}{field.name}[{index}].")
        else:
            yield from _unknown_fields(value, f"{path}{field.name}.")
