"""HTTP/2 frames, as far as a unary gRPC client meets them.

Source: RFC 9113 sections 3.4, 4.1, 6 and 7.
"""

import struct
from collections.abc import Iterator

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEAD = struct.Struct(">HBBBI")
"""Payload length (its high 16 bits, then its low 8), type, flags, stream."""
SETTING = struct.Struct(">HI")
WORD = struct.Struct(">I")

DATA = 0
HEADERS = 1
RST_STREAM = 3
SETTINGS = 4
PUSH_PROMISE = 5
PING = 6
GOAWAY = 7
WINDOW_UPDATE = 8
CONTINUATION = 9

END_STREAM = 0x1
ACK = 0x1
END_HEADERS = 0x4

HEADER_TABLE_SIZE = 1
MAX_CONCURRENT_STREAMS = 3
INITIAL_WINDOW_SIZE = 4

DEFAULT_WINDOW_BYTES = 65_535
LARGEST_WINDOW_BYTES = 2**31 - 1
LARGEST_PAYLOAD_BYTES = 16_384


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    """One whole frame; the payload is at most `LARGEST_PAYLOAD_BYTES` long."""
    size = len(payload)
    return HEAD.pack(size >> 8, size & 0xFF, kind, flags, stream) + payload


def settings(*pairs: tuple[int, int]) -> bytes:
    """A SETTINGS frame of (identifier, value) pairs."""
    return frame(SETTINGS, 0, 0, b"".join(SETTING.pack(*pair) for pair in pairs))


def setting_pairs(payload: bytes) -> Iterator[tuple[int, int]]:
    """The (identifier, value) pairs of a SETTINGS payload."""
    yield from SETTING.iter_unpack(payload)


def window_update(added_bytes: int) -> bytes:
    """A WINDOW_UPDATE of the whole connection."""
    return frame(WINDOW_UPDATE, 0, 0, WORD.pack(added_bytes))
