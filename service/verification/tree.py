"""A log held against its Merkle tree and against every checkpoint that was signed of it."""

from __future__ import annotations

from heapq import merge
from typing import TYPE_CHECKING, Final, NamedTuple

from okr.proofs import note
from okr.proofs.leaf import Leaves
from okr.proofs.note import NoteInvalid, VerifierKey
from okr.proofs.tree import Frontier, root
from projections.proofs.tiles import TreeDamaged
from service.verification.rules import told_place

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ledger.event import Record
    from okr.proofs.checkpoint import Checkpoint
    from projections.proofs.store import ProofStore

PAGE: Final = 5_000

GONE: Final = b""
"""In the place of a leaf's hash where there is no event: nothing fits after it."""


class Held(NamedTuple):
    """A checkpoint that the log has to fit, and what is wrong with itself, empty if nothing."""

    checkpoint: Checkpoint
    kept: bool
    wrong: str = ""


class TreeCheck:
    """Looks at each event once, in order. Reads the tree in pages, as far as there is one.

    `published` are checkpoints that were kept elsewhere; their signatures are their reader's.
    """

    def __init__(
        self, log_id: str, store: ProofStore | None, published: Sequence[Checkpoint]
    ) -> None:
        self._leaves = Leaves(log_id)
        self._store = store
        self._frontier = Frontier()
        self._expected: list[bytes] = []
        self._size = 0
        self._root = self._frontier.root()
        self._differs = False
        self._unfit = 0
        self.fitting = 0
        elsewhere = (Held(each, kept=False) for each in sorted(published, key=_size))
        kept = self._kept() if store else iter(())
        self._held = merge(kept, elsewhere, key=lambda held: held.checkpoint.size)
        self._next = next(self._held, None)
        if store is not None:
            with store.reading() as reading:
                self._size = reading.kept.size

    def begin(self) -> Iterator[str]:
        """What is wrong with checkpoints of no events."""
        return self._compare()

    def differs(self, record: Record) -> Iterator[str]:
        """A sentence where an event is not the one that was hashed, or no more what was signed."""
        leaf = self._leaves.hash(record)
        expected = self._expected_leaf(record.position)
        if expected and expected != leaf:
            self._differs = True
            yield f"{told_place(record)} is not the one that was hashed as it was recorded"
        yield from self._append(leaf)

    def skip(self, count: int) -> Iterator[str]:
        """The same of events that are missing."""
        self._differs = True
        for _ in range(count):
            self._expected_leaf(self._frontier.size + 1)
            yield from self._append(GONE)

    def end(self, head: int) -> Iterator[str]:
        """What is wrong beyond the last event; `head` is the log's by now."""
        while self._next is not None and self._next.checkpoint.size <= head:
            # Signed since this began.
            self._next = next(self._held, None)
        if self._next is not None:
            size = self._next.checkpoint.size
            yield (
                f"events {head + 1} to {size} are missing: the ledger had {size} when"
                f" {_told(self._next)} was signed"
            )
        if self._unfit > 1:
            yield f"{self._unfit - 1} later checkpoints do not fit either"
        if self._size > head:
            yield f"events {head + 1} to {self._size} are missing: the tree has them"
        elif self._store is not None and not self._differs:
            yield from self._upper(self._store)

    def _upper(self, store: ProofStore) -> Iterator[str]:
        """The tree above its leaves."""
        try:
            with store.reading() as reading:
                same = root(reading.tiles.node, self._size) == self._root
        except TreeDamaged:
            same = False
        if not same:
            yield "the tree above the events is damaged; `okr-ledger checkpoint rebuild` mends it"

    def _append(self, leaf: bytes) -> Iterator[str]:
        self._frontier.append(leaf)
        if self._frontier.size == self._size:
            self._root = self._frontier.root()
        return self._compare()

    def _compare(self) -> Iterator[str]:
        while self._next is not None and self._next.checkpoint.size == self._frontier.size:
            held = self._next
            fits = held.checkpoint.root == self._frontier.root()
            self.fitting += fits and not held.wrong
            self._unfit += not fits
            self._next = next(self._held, None)
            if not fits and self._unfit == 1:
                size = held.checkpoint.size
                yield f"the first {size} events are not those that {_told(held)} was signed of"
            if held.wrong:
                yield held.wrong

    def _expected_leaf(self, position: int) -> bytes:
        """The tree's hash of an event, empty where it has none. To be asked for in order."""
        if self._store is None or position > self._size:
            return b""
        if not self._expected:
            with self._store.reading() as reading:
                self._expected = [*reading.leaves(position - 1, PAGE)][::-1]
        return self._expected.pop() if self._expected else b""

    def _kept(self) -> Iterator[Held]:
        """Every checkpoint that is kept and counts, in order of their sizes."""
        assert self._store is not None
        size, page = -1, True
        while page:
            with self._store.reading() as reading:
                keys = [VerifierKey.parse(key) for key in reading.verifiers()]
                found = reading.signed_after(size, PAGE)
            for signed in found:
                size = signed.checkpoint.size
                wrong = "" if _is_signed(signed.written, keys) else _unsigned(size)
                yield Held(signed.checkpoint, kept=True, wrong=wrong)
            page = bool(found)


def _is_signed(written: str, keys: Sequence[VerifierKey]) -> bool:
    """Whether every signature below a note is right, by the keys that are kept."""
    try:
        found = note.parsed(written)
    except NoteInvalid:
        return False
    signers = {(key.name, key.key_hash) for key in keys if key.has_signed(found)}
    return all((each.name, each.key_hash) in signers for each in found.signatures)


def _unsigned(size: int) -> str:
    return f"the kept checkpoint of {size} events carries a signature that is not right"


def _told(held: Held) -> str:
    place = "kept" if held.kept else "published"
    return f"the {place} checkpoint of {held.checkpoint.size} events"


def _size(checkpoint: Checkpoint) -> int:
    return checkpoint.size
