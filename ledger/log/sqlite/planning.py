"""Which appends of a batch are accepted, and the rows that they become. No I/O."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ledger.log.contract import Accepted, Conflict, Head, Outcome, Repeated

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ledger.log.contract import Append

EventRow = tuple[int, int, int, str, int, bytes, bytes]
"""position, stream key, stream version, event type, recorded µs, metadata, payload"""

RequestRow = tuple[int, int, bytes, bytes]
"""first position, last position, digest of the key, content hash"""

StreamAt = tuple[int, int]
"""A stream's key in the file, and its newest version."""


@dataclass(slots=True)
class Known:
    """What the writer knows of the log at the start of a batch.

    `streams` holds those of the guarded streams that exist, `requests` the answered ones among
    those that the batch carries. `last_key` is the highest key of a stream.
    """

    head: Head
    last_key: int
    streams: Mapping[str, StreamAt]
    requests: Mapping[bytes, Repeated]


@dataclass(slots=True)
class Plan:
    """The outcome of each append, rows for the tables, and what is known once they are stored."""

    head: Head
    last_key: int
    outcomes: list[Outcome] = field(default_factory=list)
    streams: list[tuple[int, str]] = field(default_factory=list)
    events: list[EventRow] = field(default_factory=list)
    requests: list[RequestRow] = field(default_factory=list)
    changed: dict[str, StreamAt] = field(default_factory=dict)


def plan(appends: Sequence[Append], recorded_us: int, known: Known) -> Plan:
    """Decide the appends in order, each against the versions that the earlier ones leave.

    Raises:
        ValueError: an append has no events, or writes to a stream that it does not guard.
    """
    recorded_us = max(recorded_us, known.head.recorded_us)
    position = known.head.position
    result = Plan(known.head, known.last_key)
    answered = dict(known.requests)
    spoilt: set[str] = set()
    streams, changed = known.streams, result.changed
    for append in appends:
        digest = append.request.digest if append.request is not None else b""
        refusal: Outcome | None = answered.get(digest)
        if refusal is None:
            for stream, version in append.guards.items():
                _, newest = changed.get(stream) or streams.get(stream) or (0, 0)
                if newest != version or stream in spoilt:
                    refusal = Conflict(stream)
                    break
        if refusal is not None:
            # A later decision of this batch may have been taken on the effects of this one.
            spoilt.update(event.stream for event in append.events)
            result.outcomes.append(refusal)
            continue
        first = position + 1
        for event in append.events:
            stream = event.stream
            if stream not in append.guards:
                raise ValueError(f"{stream} is written to without a guard")
            at = changed.get(stream) or streams.get(stream)
            if at is None:
                result.last_key += 1
                at = (result.last_key, 0)
                result.streams.append((result.last_key, stream))
            key, version = at[0], at[1] + 1
            changed[stream] = (key, version)
            position += 1
            result.events.append(
                (
                    position,
                    key,
                    version,
                    event.event_type,
                    recorded_us,
                    event.metadata,
                    event.payload,
                )
            )
        if position < first:
            raise ValueError("an append needs an event")
        if append.request is not None:
            content_hash = append.request.content_hash
            answered[digest] = Repeated(first, position, content_hash)
            result.requests.append((first, position, digest, content_hash))
        result.outcomes.append(Accepted(first, position, recorded_us))
    if position > known.head.position:
        result.head = Head(position, recorded_us)
    return result
