"""Pre-serialised requests, each sent under a request id of its own.

A request file holds serialised messages, each behind its length in four big-endian bytes. A
message carries `PLACEHOLDER` where its request id goes; the id has the same length, so that the
bytes around it stay valid protobuf.
"""

import time
import uuid
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from random import getrandbits

from benchmarks.frames import LARGEST_PAYLOAD_BYTES, WORD

PLACEHOLDER = b"00000000-0000-4000-8000-000000000000"
COUNTER_DIGITS = 12
"""Hexadecimal digits of a UUID's last group, which counts the requests of one run."""


def write_requests(path: Path, messages: Iterable[bytes]) -> None:
    """Writes a request file.

    Raises:
        ValueError: a message has no placeholder or does not fit into one HTTP/2 frame.
    """
    with path.open("wb") as file:
        for message in messages:
            if message.count(PLACEHOLDER) != 1:
                raise ValueError("a request must hold the request-id placeholder once")
            if len(message) > LARGEST_PAYLOAD_BYTES - 5:
                raise ValueError(f"a request of {len(message)} bytes does not fit into one frame")
            file.write(WORD.pack(len(message)) + message)


def read_requests(path: Path) -> list[bytes]:
    """The messages of a request file, placeholders in place."""
    content = path.read_bytes()
    messages: list[bytes] = []
    position = 0
    while position < len(content):
        (size,) = WORD.unpack_from(content, position)
        position += WORD.size
        messages.append(content[position : position + size])
        position += size
    return messages


class RequestSource:
    """Gives the messages round and round, each time with the next request id.

    Ids are UUIDs of version 7, as this project's client makes them, or of version 4 unless
    `ordered`. Two sources never share an id: the groups before the counter are random.
    """

    def __init__(self, messages: Iterable[bytes], *, ordered: bool = True) -> None:
        self._parts = [_split(message) for message in messages]
        self._beginning = _milliseconds if ordered else partial(getrandbits, 48)
        version = "7" if ordered else "4"
        self._middle = f"{version}{str(uuid.uuid4())[15:-COUNTER_DIGITS]}".encode()
        self.taken = 0

    def __call__(self) -> bytes:
        """The next message; costs about a microsecond."""
        head, tail = self._parts[self.taken % len(self._parts)]
        first, second = divmod(self._beginning(), 1 << 16)
        parts = (head, first, second, self._middle, self.taken, tail)
        self.taken += 1
        return b"%b%08x-%04x-%b%012x%b" % parts


def _milliseconds() -> int:
    return time.time_ns() // 1_000_000


def _split(message: bytes) -> tuple[bytes, bytes]:
    head, _, tail = message.partition(PLACEHOLDER)
    return head, tail
