"""Makes the links of an export from a ledger's events."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING, Final

from okr.exports import links
from okr.exports.tally import Tally
from okr.v1.export_pb2 import ExportChunk, ExportedEvents, ExportPart

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from okr.v1.export_pb2 import ExportedEvent, ExportLink

EVENTS: Final = 2_048
BYTES: Final = 1 << 20
"""A chunk ends with the decision that makes it so many events or bytes of events…"""

EVENTS_AT_MOST: Final = 8 * EVENTS
BYTES_AT_MOST: Final = 3 * BYTES
"""… or at so many, whatever they are of: a link has to fit in a message."""

LEVEL: Final = 6
"""How hard gzip tries; 9 saves 1 % more and takes thrice as long."""


class Writing:
    """The links of one export, in order. Goes on from a tally where some were made before."""

    def __init__(self, tally: Tally, digest: bytes = links.FIRST) -> None:
        self.tally = tally
        self._digest = digest

    def header(self) -> ExportLink:
        """The first link."""
        return self._sealed(ExportPart(header=self.tally.header))

    def chunk(self, content: ExportedEvents) -> ExportLink:
        """The link of the next chunk.

        Raises:
            Misfit: its events do not follow on those before them.
        """
        first = self.tally.position + 1
        self.tally.take(content, readable=False)
        chunk = ExportChunk(
            number=self.tally.chunks,
            first_position=first,
            last_position=self.tally.position,
            requests=len(content.requests),
            # Without a time, so that the same events are the same bytes.
            content=gzip.compress(content.SerializeToString(deterministic=True), LEVEL, mtime=0),
        )
        return self._sealed(ExportPart(chunk=chunk))

    def trailer(self) -> ExportLink:
        """The last link."""
        return self._sealed(ExportPart(trailer=self.tally.trailer()))

    def _sealed(self, part: ExportPart) -> ExportLink:
        link = links.sealed(part, self._digest)
        self._digest = link.digest
        return link


def cut(events: Iterable[ExportedEvent]) -> Iterator[ExportedEvents]:
    """Events in chunks; where these end depends on nothing but the events.

    What one decision recorded has the same circumstances and the same time, and stays together.
    """
    chunk = ExportedEvents()
    size = 0
    for event in events:
        weight = len(event.metadata) + len(event.payload)
        if chunk.events and _ends(chunk, size, event, weight):
            yield chunk
            chunk, size = ExportedEvents(), 0
        chunk.events.append(event)
        size += weight
    if chunk.events:
        yield chunk


def _ends(chunk: ExportedEvents, size: int, event: ExportedEvent, weight: int) -> bool:
    """Whether an event is the first of another chunk."""
    count = len(chunk.events)
    if count >= EVENTS_AT_MOST or size + weight > BYTES_AT_MOST:
        return True
    if count < EVENTS and size < BYTES:
        return False
    last = chunk.events[-1]
    return (last.recorded_us, last.metadata) != (event.recorded_us, event.metadata)
