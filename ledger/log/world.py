"""Folded states: a bounded cache, and what one batch and one decision see through it."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from ledger.log.mapper import parse_record
from ledger.log.snapshots import EVERY

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from google.protobuf.message import Message

    from ledger.event import Record
    from ledger.log.command import Folder
    from ledger.log.contract import LogReader
    from ledger.log.snapshots import Snapshots
    from okr.v1.event_record_pb2 import EventMetadata

Versioned = tuple[Any, int]
"""A state and the stream version that it stands at."""

STATES_KEPT = 20_000
"""Streams whose state stays in memory, the least recently used going first."""

SHORT = 64
"""Records read of a stream before a snapshot is looked for: most streams end before."""

FOLD_PAGE = 1_000
"""Records read at a time when a state is folded from the log."""


class StateCache:
    """States of streams as the log has them, folded when first asked for. One thread uses it."""

    def __init__(
        self,
        log: LogReader,
        folder: Folder,
        kept: int = STATES_KEPT,
        snapshots: Snapshots | None = None,
    ) -> None:
        self._log = log
        self._folder = folder
        self._kept = kept
        self._snapshots = snapshots
        self._states: OrderedDict[str, Versioned] = OrderedDict()
        self._outdated: set[str] = set()

    def get(self, stream: str) -> Versioned:
        """The state of a stream.

        Costs its length or what came after its snapshot when it is not in memory, and what has come
        since when it is outdated.
        """
        found = self._states.get(stream)
        if found is not None and stream not in self._outdated:
            self._states.move_to_end(stream)
            return found
        found = fold(self._log, self._folder, stream, found, self._snapshots)
        self._remember(stream, found)
        return found

    def records(self, stream: str, after_version: int, up_to_version: int | None) -> list[Record]:
        """The stream's records in the log between two versions; costs their number."""
        return self._log.read_stream(stream, after_version, up_to_version)

    def put(self, stream: str, state: Versioned) -> None:
        """Takes the state that the last append left a stream in."""
        before = self._states.get(stream)
        if (
            self._snapshots is not None
            and before is not None
            and state[1] // EVERY > before[1] // EVERY
        ):
            self._snapshots.offer(stream, *state)
        self._remember(stream, state)

    def _remember(self, stream: str, state: Versioned) -> None:
        self._states[stream] = state
        self._states.move_to_end(stream)
        self._outdated.discard(stream)
        if len(self._states) > self._kept:
            forgotten, _ = self._states.popitem(last=False)
            self._outdated.discard(forgotten)

    def forget(self) -> None:
        """Have every state folded anew when it is next asked for."""
        self._states.clear()
        self._outdated.clear()

    def outdate(self, streams: Iterable[str]) -> None:
        """Have what came since read when one of these streams is next asked for."""
        self._outdated.update(self._states.keys() & set(streams))


class Overlay:
    """The states as they will be if the batch's decisions so far are accepted.

    Each stream is read once for a batch, so that what is decided stands on one state of it whatever
    the cache forgets and other writers write meanwhile.
    """

    def __init__(self, cache: StateCache, folder: Folder) -> None:
        self._cache = cache
        self._folder = folder
        self._read: dict[str, Versioned] = {}
        self._states: dict[str, Versioned] = {}
        self._records: list[Record] = []

    def undecided(self) -> Overlay:
        """The states that the batch was decided on, without a further read of the log."""
        overlay = Overlay(self._cache, self._folder)
        overlay._read = self._read
        return overlay

    def get(self, stream: str) -> Versioned:
        found = self._states.get(stream) or self._read.get(stream)
        if found is None:
            found = self._read[stream] = self._cache.get(stream)
        return found

    def records(self, stream: str, after_version: int, up_to_version: int | None) -> list[Record]:
        """The stream's records in the log, and those that the batch has decided so far."""
        decided = [
            record
            for record in self._records
            if record.stream == stream
            and record.stream_version > after_version
            and (up_to_version is None or record.stream_version <= up_to_version)
        ]
        return [*self._cache.records(stream, after_version, up_to_version), *decided]

    def after(
        self, records: Sequence[Record], facts: Sequence[Message], metadata: EventMetadata
    ) -> dict[str, Versioned]:
        """The states of the records' streams after them; the overlay itself stays as it is."""
        states: dict[str, Versioned] = {}
        for record, fact in zip(records, facts, strict=True):
            state, _ = states.get(record.stream) or self.get(record.stream)
            state = self._folder.apply(state, record, fact, metadata)
            states[record.stream] = (state, record.stream_version)
        return states

    def put(self, states: Mapping[str, Versioned], records: Iterable[Record]) -> None:
        self._states.update(states)
        self._records += records

    def keep(self) -> None:
        """Hand the states to the cache, when the log has accepted every decision."""
        for stream, state in self._states.items():
            self._cache.put(stream, state)

    def discard(self) -> None:
        """Have the streams read on, when it is not known what the log has taken of the batch."""
        self._cache.outdate(self._states)


class NotedWorld:
    """What one decision reads, and the versions that it read: its guards."""

    def __init__(self, overlay: Overlay) -> None:
        self._overlay = overlay
        self.guards: dict[str, int] = {}

    def state(self, stream: str) -> Versioned:
        found = self._overlay.get(stream)
        self.guards[stream] = found[1]
        return found

    def version(self, stream: str) -> int:
        """The version that the decision read, or reads now, of a stream that it writes to."""
        found = self.guards.get(stream)
        return self.state(stream)[1] if found is None else found

    def records(
        self, stream: str, after_version: int = 0, up_to_version: int | None = None
    ) -> list[Record]:
        self.state(stream)
        return self._overlay.records(stream, after_version, up_to_version)


def fold(
    log: LogReader,
    folder: Folder,
    stream: str,
    known: Versioned | None = None,
    snapshots: Snapshots | None = None,
) -> Versioned:
    """A stream's present state, from one that is `known` or stored on, else from its first event.

    Costs the number of events from there; where they are many, has a snapshot made.
    """
    state, version = known or (folder.initial(stream), 0)
    page = SHORT
    records = log.read_stream(stream, version, version + page)
    if known is None and snapshots is not None and len(records) == page:
        state, version = snapshots.find(stream) or (state, version)
        page = FOLD_PAGE
        records = log.read_stream(stream, version, version + page)
    first = version
    while True:
        for record in records:
            fact, metadata = parse_record(record)
            state = folder.apply(state, record, fact, metadata)
            version = record.stream_version
        if len(records) < page:
            break
        # By the page, so that a long stream is never in memory as a whole.
        page = FOLD_PAGE
        records = log.read_stream(stream, version, version + page)
    if snapshots is not None and version - first >= EVERY:
        snapshots.offer(stream, state, version)
    return state, version
