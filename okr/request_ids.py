"""Ids of requests: made once for each write, so that a repeated one is applied once."""

from __future__ import annotations

import secrets
import time
from uuid import UUID

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
