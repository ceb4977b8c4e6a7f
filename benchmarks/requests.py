"""Pre-serialised requests, each sent under a request id of its own.

A request file holds serialised messages, each behind its length in four big-endian bytes. A
message carries `PLACEHOLDER` where its request id goes; the id has the same length, so that the
bytes around it stay valid protobuf.
"""

import uuid
from collections.abc import Iterable
from pathlib import Path

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
    """Gives the messages round and round, each time with the next request id (a version 4 UUID).

    Two sources never share an id: the groups before the counter are random.
    """

    def __init__(self, messages: Iterable[bytes]) -> None:
        self._parts = [_split(message) for message in messages]
        self._random_groups = str(uuid.uuid4()).encode()[:-COUNTER_DIGITS]
        self.taken = 0

    def __call__(self) -> bytes:
        """The next message; costs about a microsecond."""
        head, tail = self._parts[self.taken % len(self._parts)]
        message = b"%b%b%012x%b" % (head, self._random_groups, self.taken, tail)
        self.taken += 1
        return message


def _split(message: bytes) -> tuple[bytes, bytes]:
    head, _, tail = message.partition(PLACEHOLDER)
    return head, tail
