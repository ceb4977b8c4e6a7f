"""Reads an export part by part, each held against what came before it."""

from __future__ import annotations

import zlib
from types import MappingProxyType
from typing import TYPE_CHECKING, BinaryIO, Final

from google.protobuf.message import DecodeError

from okr.exports import links
from okr.exports.errors import ExportCut, ExportRefused, Misfit
from okr.exports.tally import Tally
from okr.v1.export_pb2 import ExportedEvents, ExportPart

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from okr.proofs.note import VerifierKey
    from okr.v1.export_pb2 import ExportChunk, ExportTrailer

CONTENT_BYTES: Final = 64 << 20
"""The most bytes that a chunk's content is taken to have: more would only fill the memory."""

GZIP: Final = 31
"""zlib's number for the form of gzip."""


class Reading:
    """An export in a file that is open at its beginning; `name` is what errors call it.

    With `readable` each event has to be one that this version can read. `roots` and
    `keys` are what `Tally` takes. Memory by one chunk and by the number of streams.

    Raises:
        ExportRefused: the file is no export.
        ExportCut: it ends before its first event.
    """

    def __init__(
        self,
        file: BinaryIO,
        name: str,
        *,
        readable: bool = True,
        roots: Mapping[int, bytes] = MappingProxyType({}),
        keys: Sequence[VerifierKey] = (),
    ) -> None:
        self.name = name
        self._file = file
        self._readable = readable
        magic = file.read(len(links.MAGIC))
        if magic != links.MAGIC:
            cut = links.MAGIC.startswith(magic)
            raise (ExportCut if cut else ExportRefused)(name, "", 0, "it is no export of a ledger")
        self.end = len(magic)
        """How many bytes of the file have been found to be in order."""
        self.digest = links.FIRST
        """That of the last link that was read."""
        self._links = links.read(file)
        self._read_bytes = self.end
        self.whole = False
        """Whether the trailer has been read, and the file ends with it."""
        part = self._next("the header")
        if part.WhichOneof("part") != "header":
            raise self._refused("the header", 0, "it is missing")
        self.header = part.header
        try:
            self.tally = Tally(part.header, roots, keys)
        except Misfit as misfit:
            raise self._refused("the header", 0, misfit.reason) from None
        self.end = self._read_bytes

    def chunks(self) -> Iterator[ExportedEvents]:
        """The contents of the chunks, each found to be in order; ends after the trailer.

        Raises:
            ExportRefused: the first part that is not, with its number and the event.
            ExportCut: the export ends before its trailer.
        """
        while not self.whole:
            place = f"chunk {self.tally.chunks + 1}"
            part = self._next(place)
            match part.WhichOneof("part"):
                case "chunk":
                    content = self._content(part.chunk, place)
                    self.end = self._read_bytes
                    yield content
                case "trailer":
                    self._check_end(part.trailer)
                    self.end = self._read_bytes
                    self.whole = True
                case _:
                    raise self._refused(place, 0, "it is no part of an export")

    def _next(self, place: str) -> ExportPart:
        try:
            link, size = next(self._links)
            part = links.opened(link, self.digest)
        except StopIteration:
            raise ExportCut(self.name, place, 0, "the file ends before it") from None
        except links.Cut:
            raise ExportCut(self.name, place, 0, "the file ends within it") from None
        except links.Broken as broken:
            raise self._refused(place, 0, str(broken)) from None
        self.digest = link.digest
        self._read_bytes += size
        return part

    def _content(self, chunk: ExportChunk, place: str) -> ExportedEvents:
        try:
            content = ExportedEvents.FromString(_decompressed(chunk.content))
        except (zlib.error, DecodeError, ValueError):
            raise self._refused(place, 0, "its content is not readable") from None
        told = (chunk.number, chunk.first_position, chunk.requests)
        expected = (self.tally.chunks + 1, self.tally.position + 1, len(content.requests))
        if told != expected or not content.events:
            raise self._refused(place, 0, "it does not say what it holds")
        try:
            self.tally.take(content, readable=self._readable)
        except Misfit as misfit:
            raise self._refused(place, misfit.position, misfit.reason) from None
        if not self.tally.position == chunk.last_position <= self.header.last_position:
            raise self._refused(place, 0, "it does not say what it holds")
        return content

    def _check_end(self, trailer: ExportTrailer) -> None:
        if self.tally.position != self.header.last_position:
            reason = f"the export was to go up to event {self.header.last_position}"
            raise self._refused("the trailer", self.tally.position, reason)
        if trailer != self.tally.trailer():
            raise self._refused("the trailer", 0, "it does not say what the export holds")
        if self._file.read(1):
            raise self._refused("", 0, "something follows on its trailer")

    def _refused(self, place: str, position: int, reason: str) -> ExportRefused:
        return ExportRefused(self.name, place, position, reason)


def _decompressed(content: bytes) -> bytes:
    """The bytes that were compressed.

    Raises:
        zlib.error, ValueError: they are none, or too many, or others follow.
    """
    stream = zlib.decompressobj(GZIP)
    found = stream.decompress(content, CONTENT_BYTES)
    if not stream.eof or stream.unused_data:
        raise ValueError
    return found
