"""Requests by chance for any method of the API, from what its descriptor says: sound, odd, or none.

A seed gives the same requests again, as long as the API is the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Any, Final, NamedTuple

import protovalidate
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from benchmarks.hpack import encode_integer
from tests.ground.surface import methods

DEEPEST: Final = 4
NESTED_AT_MOST: Final = 20_000
"""Levels of a message within itself; protobuf reads a hundred."""

TOKENS: Final = ("at_least_as_fresh", "page_token", "resume_token", "filter", "order_by")

PASSING_TRIES: Final = 30

LEAST_AND_MOST: Final = {
    FieldDescriptor.CPPTYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_UINT64: (0, 2**64 - 1),
    FieldDescriptor.CPPTYPE_ENUM: (-(2**31), 2**31 - 1),
}
FLOATS: Final = (0.0, -1.5, 1e308, float("inf"), float("nan"))


class Sent(NamedTuple):
    """A request: the method that it goes to, and its bytes."""

    method: MethodDescriptor
    raw: bytes

    @property
    def path(self) -> str:
        return f"/{self.method.containing_service.full_name}/{self.method.name}"


class Requests:
    """An endless row of requests; `texts` are strings that mean something, or mean mischief.

    `sound` are requests that the ledger would take, which are altered a little.
    """

    def __init__(self, chance: Random, texts: Sequence[str], sound: Sequence[Message]) -> None:
        self._chance = chance
        self._texts = texts
        self._methods = methods()
        self._by_request = {each.input_type.full_name: each for each in self._methods}
        self._sound = sound
        self._validator = protovalidate.Validator()
        self._kinds: tuple[Callable[[], Sent], ...] = (
            *[lambda: self._passing(self._altered)] * 8,
            *[lambda: self._passing(self._made)] * 6,
            *[lambda: self._of(self._altered())] * 2,
            *[lambda: self._of(self._made())] * 2,
            *[self._with_unknown_fields] * 2,
            *[self._damaged] * 3,
            self._bytes,
            self._nested,
        )

    def __iter__(self) -> Iterator[Sent]:
        while True:
            yield self._chance.choice(self._kinds)()

    def _passing(self, make: Callable[[], Message]) -> Sent:
        """The first of a few that keeps the rules beside its fields; mostly there is one."""
        request = make()
        for _ in range(PASSING_TRIES):
            if not self._validator.collect_violations(request, fail_fast=True):
                break
            request = make()
        return self._of(request)

    def _altered(self) -> Message:
        """A sound request, but for a field or two."""
        request: Message = self._copy()
        for _ in range(self._chance.randint(1, 2)):
            part: Any = self._chance.choice(list(_parts(request)))
            self._fill(part, self._chance.choice(part.DESCRIPTOR.fields), DEEPEST - 1)
        return request

    def _made(self) -> Message:
        made: Message = self._message(self._chance.choice(self._methods).input_type, 0)
        return made

    def _with_unknown_fields(self) -> Sent:
        """Fields that nobody knows, or known ones with the type of another, somewhere inside."""
        request = self._copy()
        part: Any = self._chance.choice(list(_parts(request)))
        number = self._chance.choice((1, 2, 15, 16, 1000, 2**29 - 1))
        wire = self._chance.choice((0, 1, 2, 5))
        content = {0: b"\x7f", 1: bytes(8), 2: b"\x02hi", 5: bytes(4)}[wire]
        sent = self._of(request)
        try:
            part.MergeFromString(encode_integer(number << 3 | wire, 7, 0) + content)
        except Exception:  # noqa: BLE001 - this end may refuse it too; then it is sent beside the rest
            return Sent(sent.method, sent.raw + encode_integer(number << 3 | wire, 7, 0) + content)
        return self._of(request)

    def _damaged(self) -> Sent:
        """A sound request with bytes that were lost, changed or added."""
        sent = self._of(self._copy())
        raw = bytearray(sent.raw)
        for _ in range(self._chance.randint(1, 4)):
            at = self._chance.randrange(len(raw) + 1)
            match self._chance.randrange(4):
                case 0:
                    del raw[at:]
                case 1:
                    raw[at : at + 1] = self._chance.randbytes(1)
                case 2:
                    raw[at:at] = self._chance.randbytes(self._chance.randint(1, 8))
                case _:
                    raw[at:at] = raw[: self._chance.randrange(len(raw) + 1)]
        return Sent(sent.method, bytes(raw))

    def _bytes(self) -> Sent:
        size = self._chance.choice((1, 10, 100, 10_000))
        return Sent(self._chance.choice(self._methods), self._chance.randbytes(size))

    def _nested(self) -> Sent:
        """Fields within fields, as deep as nobody writes them."""
        raw = b""
        start = bytes([self._chance.choice((0x0A, 0x12, 0x1A, 0x0B))])
        if start == b"\x0b":  # a group, which is closed, or not
            raw = start * self._chance.randint(1, NESTED_AT_MOST)
        else:
            for _ in range(self._chance.randint(1, 400)):
                raw = start + encode_integer(len(raw), 7, 0) + raw
        return Sent(self._chance.choice(self._methods), raw)

    def _copy(self) -> Any:
        sound = self._chance.choice(self._sound)
        request: Any = type(sound)()
        request.CopyFrom(sound)
        return request

    def _of(self, request: Message) -> Sent:
        method = self._by_request[request.DESCRIPTOR.full_name]
        return Sent(method, request.SerializeToString())

    def _message(self, of: Descriptor, depth: int) -> Any:
        message: Any = GetMessageClass(of)()
        for field in of.fields:
            # A token by chance is foreign, and then nothing else of the request is looked at.
            often = 0.1 if field.name in TOKENS else 0.7
            if self._chance.random() < often and (depth < DEEPEST or field.message_type is None):
                self._fill(message, field, depth)
        return message

    def _fill(self, message: Any, field: FieldDescriptor, depth: int) -> None:
        """Gives a field another value."""
        within = field.message_type
        message.ClearField(field.name)

        def value() -> Any:
            return self._scalar(field) if within is None else self._message(within, depth + 1)

        if field.is_repeated:
            if within is not None and within.GetOptions().map_entry:
                return
            many = self._chance.choice((0, 1, 1, 2, 3, 300 if within is None else 3))
            getattr(message, field.name).extend([value() for _ in range(many)])
        elif within is not None:
            getattr(message, field.name).CopyFrom(value())
        else:
            setattr(message, field.name, value())

    def _scalar(self, field: FieldDescriptor) -> Any:
        chance, kind = self._chance, field.cpp_type
        if kind in LEAST_AND_MOST:
            least, most = LEAST_AND_MOST[kind]
            small = chance.randint(max(least, -2), 30)
            return chance.choice((small, small, small, least, most, chance.randint(least, most)))
        if kind == FieldDescriptor.CPPTYPE_BOOL:
            return chance.random() < 0.5
        if kind in {FieldDescriptor.CPPTYPE_DOUBLE, FieldDescriptor.CPPTYPE_FLOAT}:
            return chance.choice(FLOATS[:2])
        if field.type == FieldDescriptor.TYPE_BYTES:
            return chance.randbytes(chance.randrange(40))
        return self._text()

    def _text(self) -> str:
        """Mostly something that means something."""
        chance = self._chance
        if chance.random() < 0.8:
            return chance.choice(self._texts)
        if chance.random() < 0.5:
            return str(chance.randint(-(10**20), 10**20))
        return "".join(chr(_scalar_value(chance)) for _ in range(chance.randrange(30)))


def _scalar_value(chance: Random) -> int:
    """A Unicode character that UTF-8 can write."""
    at = chance.choice(
        (chance.randrange(128), chance.randrange(0x3000), chance.randrange(0x110000))
    )
    return at if not 0xD800 <= at < 0xE000 else 0xFFFD


def _parts(message: Message) -> Iterator[Message]:
    """A message that has fields, and all such messages in it."""
    if message.DESCRIPTOR.fields:
        yield message
    for field, value in message.ListFields():
        if field.message_type is not None and not field.message_type.GetOptions().map_entry:
            for each in value if field.is_repeated else [value]:
                yield from _parts(each)
