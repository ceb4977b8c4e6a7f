"""Ids of requests: made once for each write, so that a repeated one is applied once."""

from __future__ import annotations

import secrets
import time
from typing import Any, TypeVar
from uuid import UUID

from google.protobuf.message import Message

Request = TypeVar("Request", bound=Message)

_RANDOM_BITS = 74


def new_request_id() -> str:
    """A UUID of version 7: ordered by the millisecond it was made in, otherwise random.

    Ids in order of time keep the index of used ids small to touch.
    Source: RFC 9562, section 5.7.
    """
    milliseconds = time.time_ns() // 1_000_000
    random = secrets.randbits(_RANDOM_BITS)
    bits = milliseconds << 80 | 0x7 << 76 | random >> 62 << 64 | 0b10 << 62 | random % (1 << 62)
    return str(UUID(int=bits))


def identified(request: Request) -> Request:
    """The request with a request id; a copy, where it had none, as have those that it carries."""
    if not lacks_id(request):
        return request
    copy: Any = type(request)()
    copy.CopyFrom(request)
    for each in getattr(copy, "requests", (copy,)):
        if lacks_id(each):
            each.request_id = new_request_id()
    return copy  # type: ignore[no-any-return]  # of the request's own type


def lacks_id(request: Message) -> bool:
    """Whether a write, or one of those that it carries, has no request id yet."""
    carried = getattr(request, "requests", None)
    if carried is not None:
        return any(map(lacks_id, carried))
    return not getattr(request, "request_id", "given")
