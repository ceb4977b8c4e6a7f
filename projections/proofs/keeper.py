"""Keeps the tree up with the log, and signs at times what the ledger is.

It is a follower as that of the read models is: one process at a time, each event once. What was
signed before binds it: a log that does not fit that stops it, and nothing is signed any more.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, Protocol

import structlog

from ledger.log.errors import LogUnavailable
from okr.proofs import note
from okr.proofs.checkpoint import Checkpoint
from okr.proofs.leaf import Leaves
from okr.proofs.tree import root
from projections.errors import LedgerContradicted, Overtaken, ReadModelsUnavailable, Relieved
from projections.following.pausing import Pauses
from projections.proofs.store import Signed
from projections.proofs.tiles import Growth, TreeDamaged
from projections.store.database import UNAVAILABLE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from threading import Event

    from ledger.event import Record
    from ledger.log.contract import Epoch, Head, LogIdentity
    from okr.proofs.note import SigningKey
    from projections.proofs.store import ProofStore
    from projections.store.progress import Progress

PROJECTION: Final = "proofs"

BATCH: Final = 5_120
"""The most events of a transaction."""

SLICE: Final = 256
"""The events that are read and hashed in one go, some 1.5 ms."""

ASIDE_SECONDS: Final = 0.0005
"""How long it then lets others work: a thread that computes for longer makes them wait 5 ms each
time they want the interpreter back."""

POLL_SECONDS: Final = 1.0
"""How long events gather unless somebody waits for a proof: few large batches cost least."""

SIGN_SECONDS: Final = 10.0
"""How often a ledger that grows is signed unless somebody waits: every checkpoint is kept."""

HURRY_SECONDS: Final = 0.1
"""How often the log is looked at, and signed, while somebody waits."""

CHECKED_AT_ONCE: Final = 1_000
"""How many of the checkpoints that a tree still has to fit are in memory."""

PASSING: Final = (*UNAVAILABLE, ReadModelsUnavailable, LogUnavailable, Overtaken)

log = structlog.get_logger(__name__)


class Source(Protocol):
    """What is asked of the log; see `ledger.log.contract.LogReader`."""

    def identity(self) -> LogIdentity: ...

    def epochs(self) -> list[Epoch]: ...

    def head(self) -> Head: ...

    def position_at(self, recorded_us: int) -> int: ...

    def read(self, after_position: int, limit: int) -> list[Record]: ...


class Keeper:
    """Follows the log into the tree; `progress` tells of the last event that a checkpoint covers.

    `keys` sign, all of them; without any, checkpoints are kept unsigned. `now_us` gives µs since
    1970 UTC, `monotonic` seconds. Before each write it asks `held` whether it is still the one who
    follows. `on_signed` is told, after the commit, of every checkpoint, and at first of the last;
    `on_stopped` when the log does not fit.
    """

    def __init__(
        self,
        source: Source,
        store: ProofStore,
        progress: Progress,
        keys: Sequence[SigningKey],
        now_us: Callable[[], int],
        *,
        sign_seconds: float = SIGN_SECONDS,
        monotonic: Callable[[], float] = time.monotonic,
        held: Callable[[], bool] = lambda: True,
        on_signed: Callable[[Signed], None] = lambda _: None,
        on_stopped: Callable[[], None] = lambda: None,
    ) -> None:
        self.failure: LedgerContradicted | None = None
        self._source = source
        self._store = store
        self._progress = progress
        self._keys = keys
        self._now_us = now_us
        self._sign_seconds = sign_seconds
        self._monotonic = monotonic
        self._held = held
        self._on_signed = on_signed
        self._on_stopped = on_stopped
        self._log_id, self._epoch = "", 0
        self._leaves = Leaves("")
        self._growth: Growth | None = None
        self._to_fit: list[Signed] = []
        self._signed_size = -1
        self._signed_at = 0.0
        self._pauses = Pauses()

    def wake(self) -> None:
        """Looks at the log now; from any thread."""
        self._progress.wanted.set()

    def run(self, stop: Event) -> None:
        """Follows until `stop` is set, or it is relieved, or the log does not fit: see `failure`.

        Whoever sets `stop` calls `wake` too, or waits for the next poll.
        """
        while not stop.is_set():
            try:
                taken = self.step()
                self._pauses.end()
            except Relieved:
                self._growth = None
                return
            except LedgerContradicted as failure:
                self._halt(failure)
                return
            except PASSING as error:
                self._pause(stop, error)
                continue
            except Exception as error:  # noqa: BLE001 - a defect must not end the thread in silence
                defect = LedgerContradicted(self._progress.position + 1, repr(error))
                defect.__cause__ = error
                self._halt(defect)
                return
            if taken < BATCH:
                self._gather(stop)

    def catch_up(self) -> int:
        """Follows to the end of the log, signs it, and returns its size. Errors as `step`."""
        while self.step(hurry=True) == BATCH:
            pass
        assert self._growth is not None
        return self._growth.size

    def step(self, *, hurry: bool = False) -> int:
        """Takes in one page and signs where that is due, or at once; the number of its events.

        Raises:
            LedgerContradicted: the log is not what was signed of it.
            Relieved: another process follows.
            Overtaken, LogUnavailable, ReadModelsUnavailable, OperationalError: not now.
        """
        try:
            growth = self._growth or self._open()
            self._growth = None
            taken = self._grow(growth)
            self._keep(growth, taken, hurry=hurry and taken < BATCH)
        except TreeDamaged as error:
            raise LedgerContradicted(1, f"the tree itself is damaged: {error}") from error
        # Only now: a tree that could not be kept is opened again as it was.
        self._growth = growth
        return taken

    def _open(self) -> Growth:
        """The kept tree, held against the log's end and against what was signed last."""
        self._confirm()
        identity = self._source.identity()
        begun = [
            (each.epoch, self._source.position_at(each.begun_us)) for each in self._source.epochs()
        ]
        kept = self._store.open(identity, begun)
        self._store.add_keys([str(key.verifier) for key in self._keys])
        with self._store.reading() as reading:
            latest = reading.latest()
            leaf = reading.tiles.leaf(kept.size - 1) if kept.size else b""
            if latest is not None and latest.checkpoint.size <= kept.size:
                stated = latest.checkpoint
                # What was signed is shown, even if the log does not fit it.
                self._progress.reach(stated.size)
                _require_fit(stated, root(reading.tiles.node, stated.size))
                self._signed_size = stated.size
            self._to_fit = reading.signed_after(kept.size, CHECKED_AT_ONCE)
        self._log_id, self._epoch = identity
        self._leaves = Leaves(identity.log_id)
        # After the tree, which another process may have kept up with the log until now.
        self._require_length(max(kept.size, latest.checkpoint.size if latest else 0))
        if kept.size:
            self._require_leaf(kept.size, leaf)
        if latest is not None:
            self._on_signed(latest)
        return Growth(kept.size, kept.tail)

    def _grow(self, growth: Growth) -> int:
        taken = 0
        while taken < BATCH:
            wanted = min(SLICE, BATCH - taken)
            records = self._source.read(growth.size, wanted)
            self._append(growth, records)
            taken += len(records)
            if len(records) < wanted:
                break
            time.sleep(ASIDE_SECONDS)
        if not taken:
            self._require_length(growth.size)
        return taken

    def _append(self, growth: Growth, records: Sequence[Record]) -> None:
        hash_of, append, position = self._leaves.hash, growth.append, growth.size
        for record in records:
            position += 1
            if record.position != position:
                raise LedgerContradicted(position, f"event {position} is missing")
            append(hash_of(record))
            if self._to_fit and self._to_fit[0].checkpoint.size == position:
                self._fitted(growth)

    def _fitted(self, growth: Growth) -> None:
        """The tree has come to the size of a checkpoint: it has to be the one that was signed."""
        stated = self._to_fit.pop(0).checkpoint
        _require_fit(stated, growth.root())
        self._signed_size = stated.size
        if not self._to_fit:
            with self._store.reading() as reading:
                self._to_fit = reading.signed_after(stated.size, CHECKED_AT_ONCE)

    def _keep(self, growth: Growth, taken: int, *, hurry: bool) -> None:
        before = growth.size - taken
        signed = self._sign(growth) if self._is_due(growth, taken, hurry=hurry) else None
        self._confirm()
        if taken or signed:
            self._store.extend(
                before, growth, growth.taken(), signed=signed, signed_us=self._now_us()
            )
        if signed is not None:
            self._signed_size, self._signed_at = growth.size, self._monotonic()
            self._on_signed(signed)
        if self._signed_size >= 0:
            self._progress.reach(self._signed_size)

    def _is_due(self, growth: Growth, taken: int, *, hurry: bool) -> bool:
        if taken == BATCH or self._to_fit or growth.size == self._signed_size:
            return False
        waited = self._monotonic() - self._signed_at >= self._sign_seconds
        return hurry or waited or self._signed_size < 0 or self._progress.wanted.is_set()

    def _sign(self, growth: Growth) -> Signed:
        stated = Checkpoint(self._log_id, self._epoch, growth.size, growth.root())
        signed = note.signed(stated.text, self._keys)
        return Signed(stated, "".join(map(str, signed.signatures)))

    def _require_length(self, size: int) -> None:
        head = self._source.head().position
        if head < size:
            reason = f"events {head + 1} to {size} are missing"
            raise LedgerContradicted(head + 1, reason)

    def _require_leaf(self, position: int, leaf: bytes) -> None:
        """The tree's last leaf has to be that of the log's event."""
        records = self._source.read(position - 1, 1)
        if [self._leaves.hash(record) for record in records] != [leaf]:
            raise LedgerContradicted(position, f"event {position} is not the one that was hashed")

    def _confirm(self) -> None:
        if not self._held():
            raise Relieved

    def _halt(self, failure: LedgerContradicted) -> None:
        self.failure = failure
        log.error(
            "proofs stopped: nothing more is signed",
            position=failure.position,
            reason=str(failure),
            exc_info=failure.__cause__,
        )
        self._progress.stop(failure.position)
        self._on_stopped()
        try:
            self._store.stop(failure)
        except PASSING as error:
            log.warning("the stop could not be stored", reason=str(error))

    def _gather(self, stop: Event) -> None:
        """Lets events come together, for less time while somebody waits for a checkpoint."""
        if self._progress.wanted.is_set():
            stop.wait(HURRY_SECONDS)
        else:
            self._progress.wanted.wait(POLL_SECONDS)

    def _pause(self, stop: Event, error: Exception) -> None:
        """Says why, and waits before the next attempt."""
        seconds = self._pauses.next_seconds()
        log.warning("proofs wait for a database", seconds=seconds, reason=str(error))
        stop.wait(seconds)


def _require_fit(stated: Checkpoint, found: bytes) -> None:
    if found != stated.root:
        reason = f"the first {stated.size} events are not those of the checkpoint of that size"
        raise LedgerContradicted(stated.size, reason)
