"""Exports made of events that were never in a ledger."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO

from okr.exports import links
from okr.exports.reading import Reading
from okr.exports.tally import Tally
from okr.exports.writing import Writing
from okr.proofs.leaf import Leaves
from okr.v1 import events_pb2 as facts
from okr.v1.event_record_pb2 import EventMetadata
from okr.v1.export_pb2 import (
    ExportedEpoch,
    ExportedEvent,
    ExportedEvents,
    ExportedRequest,
    ExportHeader,
)

LOG = "0193a5e2-0000-7000-8000-000000000000"
NAME = "ledger.okr"


def event(position: int, stream: str = "", version: int = 1) -> ExportedEvent:
    """A team that is registered; each has a stream of its own unless it is named."""
    name = stream or f"teams/t{position}"
    fact = facts.TeamRegistered(team=name)
    return ExportedEvent(
        position=position,
        stream=name,
        stream_version=version,
        event_type=fact.DESCRIPTOR.full_name,
        recorded_us=1_000 * position,
        metadata=EventMetadata(request_id=f"r{position}").SerializeToString(),
        payload=fact.SerializeToString(),
    )


def events(first: int, last: int) -> list[ExportedEvent]:
    return [event(position) for position in range(first, last + 1)]


def chunk(first: int, last: int) -> ExportedEvents:
    """Events, the first of which came with a request."""
    digest = first.to_bytes(16)
    request = ExportedRequest(
        first_position=first, last_position=first, request_digest=digest, content_hash=b"h"
    )
    return ExportedEvents(events=events(first, last), requests=[request])


def header(last: int, after: Tally | None = None, log_id: str = LOG) -> ExportHeader:
    """Of the events up to one, or of those after another export."""
    made = ExportHeader(log_id=log_id, epochs=[ExportedEpoch(epoch=1)], last_position=last)
    if after is not None:
        made.after_position = after.position
        made.after_leaf = Leaves(log_id).hash(event(after.position))
        made.after_hashes.extend(after.tree.hashes)
    return made


def parts(of: ExportHeader, chunks: Sequence[ExportedEvents]) -> list[bytes]:
    """What an export's file consists of: its beginning and the links."""
    writing = Writing(Tally(of))
    made = [writing.header(), *map(writing.chunk, chunks), writing.trailer()]
    return [links.MAGIC, *map(links.delimited, made)]


def read(file: bytes, **options: object) -> Tally:
    """The tally of a file that is in order."""
    reading = Reading(BytesIO(file), NAME, **options)  # type: ignore[arg-type]
    for _ in reading.chunks():
        pass
    assert (reading.whole, reading.end) == (True, len(file))
    return reading.tally
