"""Snapshots of long streams, so that a state is never folded from thousands of events.

A snapshot is derived and may be lost at any time. It is used only where the very code that runs
made it, of this very log, and where the log still has the record that it stands at; else the stream
is folded from its first event, and a new one is made.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final, Protocol

import structlog

from ledger.log.errors import LogError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ledger.event import Record
    from ledger.log.command import Codec
    from ledger.log.contract import LogReader
    from ledger.texts.keyring import StateKey

EVERY: Final = 256
"""The events of a stream from one snapshot to the next."""

GATHER_SECONDS: Final = 1.0
"""How long a state waits for others, to be written with them in one transaction."""

WAITING_AT_MOST: Final = 1_000
"""States that wait to be written; a further stream gets its snapshot `EVERY` events later."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The state of a stream at a version, as it is stored.

    `code` tells the code and the log that it is of, `record_digest` the record at the version, and
    `digest` all of this.
    """

    stream: str
    version: int
    code: bytes
    record_digest: bytes
    state: bytes
    digest: bytes

    @classmethod
    def made(cls, stream: str, version: int, code: bytes, record: bytes, state: bytes) -> Snapshot:
        digest = _digest(stream.encode(), b"%d" % version, code, record, state)
        return cls(stream, version, code, record, state, digest)

    @property
    def intact(self) -> bool:
        """Whether the parts are those that were stored."""
        parts = (self.stream, self.version, self.code, self.record_digest, self.state)
        return Snapshot.made(*parts).digest == self.digest


class SnapshotStore(Protocol):
    """Keeps the latest snapshot of each stream, as long as it can. Any thread may use it.

    Raises:
        LogUnavailable: the store cannot be read or written now.
    """

    def find(self, stream: str) -> Snapshot | None: ...

    def keep(self, snapshots: Sequence[Snapshot]) -> None:
        """Stores snapshots in place of those of their streams; they need not be durable."""

    def close(self) -> None: ...


class Snapshots:
    """Finds snapshots for the lane, and has a thread make new ones beside it.

    States hold personal texts in the clear: their bytes are sealed with a key, where there is one.
    """

    def __init__(
        self,
        event_log: LogReader,
        store: SnapshotStore,
        codec: Codec,
        key: StateKey | None = None,
    ) -> None:
        self._log = event_log
        self._store = store
        self._codec = codec
        self._key = key
        self._waiting: dict[str, tuple[Any, int]] = {}
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    def find(self, stream: str) -> tuple[Any, int] | None:
        """A state to go on from and its version, None if there is none of use."""
        try:
            found = self._store.find(stream)
        except LogError as error:
            log.warning("snapshots cannot be read", stream=stream, error=str(error))
            return None
        if found is None:
            return None
        told = log.bind(stream=stream, version=found.version)
        if not found.intact:
            told.warning("snapshot ignored", reason="it is damaged")
            return None
        if found.code != self._code:
            told.info("snapshot ignored", reason="it is of other code or of another log")
            return None
        if found.record_digest != self._record_digest(stream, found.version):
            told.warning("snapshot ignored", reason="the log has another record at its version")
            return None
        try:
            key = self._key
            state = key.open(stream, found.state) if key else found.state
            return self._codec.decode(state), found.version
        except ValueError as error:
            told.warning("snapshot ignored", reason=str(error))
            return None

    def offer(self, stream: str, state: Any, version: int) -> None:
        """Has a snapshot made, soon and on another thread, of a state that the log has."""
        with self._lock:
            if stream in self._waiting or len(self._waiting) < WAITING_AT_MOST:
                self._waiting[stream] = (state, version)
        self._wake.set()
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="snapshots", daemon=True)
            self._thread.start()

    def renew(self, key: StateKey) -> None:
        """Takes another key, since somebody was erased: earlier states are of no more use."""
        with self._lock:
            self._waiting.clear()
            self._key = key

    def close(self) -> None:
        """Writes what waits, then closes the store."""
        self._closing.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join()
        self._store.close()

    def _run(self) -> None:
        while not self._closing.is_set():
            self._wake.wait()
            self._closing.wait(GATHER_SECONDS)
            self._wake.clear()
            with self._lock:
                # Together: what is offered after another key was taken is not sealed with this one.
                waiting, self._waiting, key = self._waiting, {}, self._key
            try:
                self._keep(waiting, key)
            except LogError as error:
                log.warning("snapshots cannot be written", error=str(error))

    def _keep(self, states: Mapping[str, tuple[Any, int]], key: StateKey | None) -> None:
        made = []
        for stream, (state, version) in states.items():
            record = self._record_digest(stream, version)
            stored = self._codec.encode(state)
            if key is not None:
                stored = key.seal(stream, stored)
            made.append(Snapshot.made(stream, version, self._code, record, stored))
        if made:
            self._store.keep(made)

    @cached_property
    def _code(self) -> bytes:
        identity = self._log.identity()
        return _digest(self._codec.code(), identity.log_id.encode(), b"%d" % identity.epoch)

    def _record_digest(self, stream: str, version: int) -> bytes:
        """Tells a record from all others; empty if the log has none at the version."""
        records = self._log.read_stream(stream, version - 1, version)
        return _record_digest(records[0]) if records else b""


def _record_digest(record: Record) -> bytes:
    header = b"%d %d" % (record.position, record.recorded_us)
    return _digest(header, record.event_type.encode(), record.metadata, record.payload)


def _digest(*parts: bytes) -> bytes:
    """16 bytes for a list of parts; the lengths keep ("ab", "c") and ("a", "bc") apart."""
    digest = blake2b(digest_size=16)
    for part in parts:
        digest.update(b"%d:" % len(part))
        digest.update(part)
    return digest.digest()
