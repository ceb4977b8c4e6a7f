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


class Epoch(NamedTuple):
    """A generation of a log's history, and when it began, in µs since 1970 UTC."""

    log_id: str
    epoch: int
    begun_us: int


class StoredRequest(NamedTuple):
    """An accepted request as the log keeps it: the events that it wrote, inclusive, and its key."""

    first_position: int
    last_position: int
    digest: bytes
    content_hash: bytes


class LogReader(Protocol):
    """Reads from any thread, never waiting for the writer; each sees whole batches only.

    Raises:
        LogUnavailable: the log cannot be read now.
    """

    def identity(self) -> LogIdentity: ...

    def epochs(self) -> list[Epoch]:
        """Every generation, from the first to the present one."""

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

    def requests(self, after_position: int, up_to_position: int) -> list[StoredRequest]:
        """The requests whose first event is after a position and up to another, in that order."""


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

        Tokens of the generations before are refused from then on. Its number is the second since
        1970 UTC, at least one more than before: a copy that is restored twice is two generations,
        although it remembers neither.
        """

    def close(self) -> None: ...


class Intake(LogReader, Protocol):
    """The way in for records of a ledger that come from elsewhere and keep all that they are.

    A log that is made by it can be opened by nobody else before `complete` has told which it is:
    what was taken in is there for the next intake to go on from. Until then it has no epochs.
    """

    def take(self, records: Sequence[Record], requests: Sequence[StoredRequest]) -> None:
        """Stores records, in order of position, and requests that wrote some of them: all or none.

        Raises:
            RecordUnfit: a record does not follow on what the log holds.
            LogUnavailable: nothing of them was written.
        """

    def complete(self, epochs: Sequence[Epoch]) -> None:
        """Tells the log's generations, of which it may have the first ones already; durable.

        Raises:
            LogMismatch: it is another log, or has gone on in another generation.
        """

    def close(self) -> None: ...
