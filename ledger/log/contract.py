"""What may be asked of an event log, whatever database keeps it."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from ledger.event import Record
    from ledger.log.snapshots import SnapshotStore


class EncodedEvent(NamedTuple):
    """An event ready to be stored: the bytes are kept and hashed as they are."""

    stream: str
    event_type: str
    metadata: bytes
    payload: bytes


class RequestKey(NamedTuple):
    """What the log knows a request by, and a hash of what was asked.

    `digest` is the 16 bytes under which the log keeps the request, for ever.
    """

    digest: bytes
    content_hash: bytes


def request_key(principal: str, request_id: str, content_hash: bytes) -> RequestKey:
    """The key of a request: who asked under which id, and a hash of what was asked.

    A digest instead of the text: it costs the log half of the pages, and a principal that has to
    be forgotten later never gets into the table. It begins as the id does: of a UUID of version 7
    with the time it was made at, so that new ones stand side by side at the end of the index.
    """
    # The length keeps ("ab", "c") and ("a", "bc") apart.
    text = f"{len(principal)}:{principal}{request_id}"
    beginning = _beginning(request_id)
    hashed = blake2b(text.encode(), digest_size=16 - len(beginning)).digest()
    return RequestKey(beginning + hashed, content_hash)


def _beginning(request_id: str) -> bytes:
    """The first 6 bytes of a UUID, in version 7 its time in ms; nothing of any other id."""
    try:
        return bytes.fromhex(request_id[:8] + request_id[9:13])
    except ValueError:
        return b""


class Append(NamedTuple):
    """Events that are stored all or none.

    `guards` maps each stream that the decision read, and each that it writes to, to the version
    that it read; 0 says that the stream did not exist.
    """

    events: Sequence[EncodedEvent]
    guards: Mapping[str, int]
    request: RequestKey | None = None


class Accepted(NamedTuple):
    """The append is durable; positions are inclusive and without gaps."""

    first_position: int
    last_position: int
    recorded_us: int


class Conflict(NamedTuple):
    """The append was refused: `stream` is not at the version that its guard names."""

    stream: str


class Repeated(NamedTuple):
    """The request was accepted before, with these positions and this hash of its content."""

    first_position: int
    last_position: int
    content_hash: bytes


Outcome = Accepted | Conflict | Repeated


class Head(NamedTuple):
    """The newest record's position and recorded time; 0 and 0 in an empty log."""

    position: int
    recorded_us: int


class LogIdentity(NamedTuple):
    """Which log this is: a UUID made with it, and the generation of its history."""

    log_id: str
    epoch: int


class LogReader(Protocol):
    """Reads from any thread, never waiting for the writer; each sees whole batches only.

    Raises:
        LogUnavailable: the log cannot be read now.
    """

    def identity(self) -> LogIdentity: ...

    def head(self) -> Head: ...

    def read(self, after_position: int, limit: int, max_bytes: int = ...) -> list[Record]:
        """The records after a position, in order.

        At most `limit`, and no more than `max_bytes` of metadata and payload, but at least one
        where there is one.
        """

    def read_stream(
        self, stream: str, after_version: int = 0, up_to_version: int | None = None
    ) -> list[Record]:
        """A stream's records by version, `after_version` exclusive, `up_to_version` inclusive."""

    def list_events(
        self,
        *,
        stream: str | None = None,
        event_types: Sequence[str] = (),
        after: int = 0,
        limit: int,
        newest_first: bool = False,
        up_to_position: int | None = None,
    ) -> list[Record]:
        """One page of records, of one stream and of some types where asked.

        `after` is the last position of the page before (0: the first page) in the order asked for;
        `up_to_position` is inclusive and pins what later pages see.
        """

    def position_at(self, recorded_us: int) -> int:
        """The last position recorded at or before an instant, 0 if none."""

    def find_requests(self, keys: Sequence[RequestKey]) -> list[Repeated | None]:
        """For each key what was stored under it, whatever the hash, in one query.

        Where the log is open for writing, this is the writer's to ask: it waits for an append.
        """


class EventLog(LogReader, Protocol):
    """A log that this process may write to.

    `clock` gives µs since 1970 UTC: the time that an append made now would be recorded at.
    `shared` says that others may write to it at the same time.
    """

    @property
    def clock(self) -> Callable[[], int]: ...

    @property
    def shared(self) -> bool: ...

    def stream_versions(self, streams: Collection[str]) -> dict[str, int]:
        """The newest version of each of these streams that exists, in one query."""

    def append_batch(self, appends: Sequence[Append], recorded_us: int) -> list[Outcome]:
        """Append several decisions in one transaction with one flush, each with its own outcome.

        Guards are compared with the versions as they are after the earlier accepted appends of the
        batch. Where an append is not accepted, later ones that name a stream which it would have
        written are refused too: they may have been decided on its effects. The recorded time is
        the given one, or the last record's where that is later; a log that several machines write
        to takes no time ahead of its own clock.

        Raises:
            LogUnavailable: nothing of the batch was written; the log stays usable.
            OutcomeUnknown: the connection was lost, and all of it was written or nothing.
        """

    def snapshot_store(self) -> SnapshotStore:
        """Where snapshots of its streams are kept; to be closed before the log is."""

    def begin_epoch(self) -> LogIdentity:
        """Begin a new generation of the history, after some of it was lost: the log as it is now.

        Tokens of the generations before are refused from then on.
        """

    def close(self) -> None: ...
