"""The links of an export: parts, each chained to the one before it by a digest."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, BinaryIO, Final

from google.protobuf.message import DecodeError

from okr.v1.export_pb2 import ExportLink, ExportPart

if TYPE_CHECKING:
    from collections.abc import Iterator

MAGIC: Final = b"okr-ledger export 1\n"

FIRST: Final = bytes(32)
"""What stands for the digest of a link before the first."""

LINK_BYTES: Final = 32 << 20
"""The most bytes of a link that is read; those that are written have a tenth."""

_LENGTH_BYTES: Final = 5


class Broken(Exception):
    """Bytes that are no link, or not the next one; `str()` says why."""


class Cut(Exception):
    """The bytes end within a link."""


def sealed(part: ExportPart, before: bytes) -> ExportLink:
    """The link of a part; `before` is the digest of the link before it."""
    body = part.SerializeToString(deterministic=True)
    return ExportLink(part=body, digest=sha256(before + body).digest())


def opened(link: ExportLink, before: bytes) -> ExportPart:
    """The part in the link that comes after the one with the digest `before`.

    Raises:
        Broken: it is altered, or another link came before it.
    """
    if sha256(before + link.part).digest() != link.digest:
        raise Broken("it was altered, or does not follow on the part before it")
    try:
        return ExportPart.FromString(link.part)
    except DecodeError:
        raise Broken("it is not readable") from None


def delimited(link: ExportLink) -> bytes:
    """A link as it stands in a file: its length as a varint, and its bytes."""
    body = link.SerializeToString(deterministic=True)
    length, rest = b"", len(body)
    while rest > 0x7F:
        length += bytes((rest & 0x7F | 0x80,))
        rest >>= 7
    return length + bytes((rest,)) + body


def read(file: BinaryIO) -> Iterator[tuple[ExportLink, int]]:
    """The links that follow in a file, each with the number of bytes that it takes there.

    Raises:
        Broken: what follows is no link.
        Cut: the file ends within one.
    """
    while first := file.read(1):
        length = first
        while length[-1] & 0x80:
            if len(length) == _LENGTH_BYTES:
                raise Broken("its length is none")
            if not (more := file.read(1)):
                raise Cut
            length += more
        size = sum((byte & 0x7F) << 7 * place for place, byte in enumerate(length))
        if size > LINK_BYTES:
            raise Broken("its length is none")
        body = file.read(size)
        if len(body) < size:
            raise Cut
        try:
            link = ExportLink.FromString(body)
        except DecodeError:
            raise Broken("it is not readable") from None
        if delimited(link) != length + body:
            raise Broken("it is not written as it should be")
        yield link, len(length) + size
