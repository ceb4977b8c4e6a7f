"""The part of HPACK that a load generator needs, without Huffman coding and without state.

Requests: `RequestBlocks` puts a fixed list of headers into the server's dynamic table with the
first request of a connection and names them by index afterwards, as every real client does.
Responses: the generator announces a dynamic table of size 0, so that equal headers are always
equal bytes, and `literal_fields` reads a block without knowing the blocks before it.

Source: RFC 7541 sections 2.3, 5 and 6; the static table is its appendix A.
"""

from collections.abc import Sequence
from dataclasses import dataclass

STATIC_TABLE_LENGTH = 61
"""Indexes 1..61 are the static table; an index above names an entry of the dynamic table."""

METHOD_POST = 3
SCHEME_HTTP = 6
SCHEME_HTTPS = 7
HUFFMAN = 0x80


class HpackError(ValueError):
    """A header block that breaks RFC 7541 or uses a dynamic table that has no room."""


@dataclass(frozen=True, slots=True)
class RequestBlocks:
    """Header blocks of one method: one for a connection's first request, one for all others."""

    first: bytes
    following: bytes

    @classmethod
    def for_fields(
        cls, fields: Sequence[tuple[bytes, bytes]], scheme: int = SCHEME_HTTP
    ) -> "RequestBlocks":
        """Blocks for a POST with these fields (lower-case names).

        The fields must fit together into the server's default table of 4 096 bytes
        (name + value + 32 each).
        """
        pseudo = bytes((0x80 | METHOD_POST, 0x80 | scheme))
        newest = STATIC_TABLE_LENGTH + len(fields)
        return cls(
            first=pseudo + b"".join(_literal_with_indexing(*field) for field in fields),
            following=pseudo
            + b"".join(encode_integer(newest - age, 7, 0x80) for age in range(len(fields))),
        )


def _literal_with_indexing(name: bytes, value: bytes) -> bytes:
    return b"\x40" + _plain_string(name) + _plain_string(value)


def _plain_string(text: bytes) -> bytes:
    return encode_integer(len(text), 7, 0) + text


def encode_integer(value: int, prefix_bits: int, high_bits: int) -> bytes:
    """`value` in an N-bit prefix below `high_bits` (RFC 7541 section 5.1)."""
    limit = (1 << prefix_bits) - 1
    if value < limit:
        return bytes((high_bits | value,))
    octets = bytearray((high_bits | limit,))
    value -= limit
    while value >= 0x80:
        octets.append(0x80 | (value & 0x7F))
        value >>= 7
    octets.append(value)
    return bytes(octets)


def literal_fields(block: bytes) -> dict[bytes, bytes]:
    """The fields of a response block whose names are spelled out, such as `grpc-status`.

    Fields with a static name (`:status`, `content-type`) are passed over. A Huffman-coded value
    is returned as `<huffman, n bytes>`: no field read here is coded so by gRPC.

    Raises:
        HpackError: truncated block, or a reference to the dynamic table.
    """
    reader = _Reader(block)
    fields: dict[bytes, bytes] = {}
    while not reader.at_end:
        octet = reader.peek()
        if octet & 0x80:
            reader.static_index(7)
            continue
        if octet & 0xE0 == 0x20:
            reader.integer(5)
            continue
        index = reader.static_index(6 if octet & 0x40 else 4)
        name = reader.string() if index == 0 else b""
        value = reader.string()
        if name:
            fields[name] = value
    return fields


class _Reader:
    def __init__(self, block: bytes) -> None:
        self._block = block
        self._position = 0

    @property
    def at_end(self) -> bool:
        return self._position == len(self._block)

    def peek(self) -> int:
        if self.at_end:
            raise HpackError("the header block ends in the middle of a field")
        return self._block[self._position]

    def _next(self) -> int:
        octet = self.peek()
        self._position += 1
        return octet

    def integer(self, prefix_bits: int) -> int:
        limit = (1 << prefix_bits) - 1
        value = self._next() & limit
        if value < limit:
            return value
        shift = 0
        while True:
            octet = self._next()
            value += (octet & 0x7F) << shift
            shift += 7
            if not octet & 0x80:
                return value

    def static_index(self, prefix_bits: int) -> int:
        index = self.integer(prefix_bits)
        if index > STATIC_TABLE_LENGTH:
            raise HpackError(f"the server used entry {index} of a dynamic table of size 0")
        return index

    def string(self) -> bytes:
        coded = self.peek() & HUFFMAN
        length = self.integer(7)
        text = self._block[self._position : self._position + length]
        if len(text) < length:
            raise HpackError("the header block ends in the middle of a string")
        self._position += length
        return b"<huffman, %d bytes>" % length if coded else text
