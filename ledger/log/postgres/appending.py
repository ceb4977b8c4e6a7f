"""Group commit on PostgreSQL: one call of one function, which is one transaction with one flush."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ledger.log.contract import Accepted, Conflict, Repeated

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ledger.log.contract import Append, Outcome

# Arrays of numbers are sent as text, which the server reads faster than the driver could write the
# binary form.
CALL: Final = """
    SELECT * FROM append_batch(
        %s::bigint, %b::text[], %b::text[],
        %t::int[], %t::int[], %t::bigint[],
        %t::int[], %t::int[], %t::int[], %b::bytea[], %b::bytea[],
        %b::bytea[], %b::bytea[], %t::int[]
    )
"""
"""See steps/1/10-append_batch.sql; in autocommit, so that its answer says that it is durable."""


def asked(appends: Sequence[Append], recorded_us: int) -> tuple[list[str], list[Any]]:
    """The names of the streams, in the order of their numbers, and what the call takes.

    Raises:
        ValueError: an append has no events, or writes to a stream that it does not guard.
    """
    streams: dict[str, int] = {}
    kinds: dict[str, int] = {}
    guard_ends: list[int] = []
    guard_streams: list[int] = []
    guard_versions: list[int] = []
    event_ends: list[int] = []
    event_streams: list[int] = []
    event_kinds: list[int] = []
    metadata: list[bytes] = []
    payloads: list[bytes] = []
    digests: list[bytes | None] = []
    hashes: list[bytes | None] = []
    twins: list[int] = []
    carriers: dict[bytes, int] = {}
    for number, append in enumerate(appends, 1):
        if not append.events:
            raise ValueError("an append needs an event")
        for stream, version in append.guards.items():
            guard_streams.append(streams.setdefault(stream, len(streams) + 1))
            guard_versions.append(version)
        guard_ends.append(len(guard_streams))
        for event in append.events:
            if event.stream not in append.guards:
                raise ValueError(f"{event.stream} is written to without a guard")
            event_streams.append(streams[event.stream])
            event_kinds.append(kinds.setdefault(event.event_type, len(kinds) + 1))
            metadata.append(event.metadata)
            payloads.append(event.payload)
        event_ends.append(len(event_streams))
        request = append.request
        digests.append(request.digest if request else None)
        hashes.append(request.content_hash if request else None)
        twins.append(carriers.get(request.digest, 0) if request else 0)
        if request:
            carriers[request.digest] = number
    return list(streams), [
        recorded_us,
        list(streams),
        list(kinds),
        *map(array, (guard_ends, guard_streams, guard_versions)),
        *map(array, (event_ends, event_streams, event_kinds)),
        metadata,
        payloads,
        digests,
        hashes,
        array(twins),
    ]


def array(numbers: Iterable[int]) -> str:
    """The text of an array."""
    return f"{{{','.join(map(str, numbers))}}}"


def outcomes(streams: Sequence[str], row: Mapping[str, Any]) -> list[Outcome]:
    """What the call's row says of each append."""
    told: list[Outcome] = []
    each = zip(
        row["first_positions"],
        row["last_positions"],
        row["stored_hashes"],
        row["conflicts"],
        strict=True,
    )
    for first, last, stored_hash, conflict in each:
        if conflict:
            told.append(Conflict(streams[conflict - 1]))
        elif stored_hash is not None:
            told.append(Repeated(first, last, stored_hash))
        else:
            told.append(Accepted(first, last, row["stored_us"]))
    return told
