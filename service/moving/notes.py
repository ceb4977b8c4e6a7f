"""What was signed of a ledger, which goes along with it."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Final

from okr.exports.writing import EVENTS_AT_MOST
from okr.proofs import checkpoint, note
from projections.proofs.store import ProofStore, Signed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ledger.log.contract import LogReader
    from ledger.log.database import Database

AT_MOST: Final = 4 * EVENTS_AT_MOST
"""The most checkpoints of one chunk: of each size there is one for each epoch that signed it."""


class Notes:
    """The signed checkpoints that are kept beside a ledger; whoever makes it closes it."""

    def __init__(self, database: Database, log_id: str) -> None:
        self._store = ProofStore(database, log_id)

    def keys(self) -> list[str]:
        """The keys that have signed, as text.

        Raises:
            ReadModelsUnavailable: what was signed cannot be read now.
        """
        if not self._store.is_laid_out():
            return []
        with self._store.reading() as reading:
            return reading.verifiers()

    def between(self, first: int, last: int) -> list[str]:
        """The notes of checkpoints of so many events, both included; none of a lost future.

        Raises:
            ReadModelsUnavailable: what was signed cannot be read now.
        """
        if not self._store.is_laid_out():
            return []
        with self._store.reading() as reading:
            found = reading.signed_after(first - 1, AT_MOST)
        return [each.written for each in found if each.checkpoint.size <= last]

    def keep_keys(self, keys: Iterable[str]) -> None:
        """Keeps keys that have signed elsewhere.

        Raises:
            LedgerContradicted: what is kept here is of another ledger.
        """
        if found := sorted(set(keys)):
            self._store.adopt([])
            self._store.add_keys(found)

    def keep(self, written: Iterable[str]) -> None:
        """Keeps notes that came from elsewhere.

        Raises:
            LedgerContradicted: what is kept here is of another ledger.
            NoteInvalid: one is no checkpoint.
        """
        if made := [_signed(each) for each in written]:
            self._store.adopt(made)

    def close(self) -> None:
        self._store.close()


def tell_proofs(database: Database, log: LogReader) -> None:
    """Has the tree beside a ledger whose epoch has begun forget what was lost, if there is a tree.

    Checkpoints of that stay, and count no more. The next server would do the same; until then the
    tree would contradict the ledger.

    Raises:
        LedgerContradicted: what is kept there is of another ledger.
    """
    identity = log.identity()
    with closing(ProofStore(database, identity.log_id)) as store:
        if store.is_laid_out():
            begun = [(each.epoch, log.position_at(each.begun_us)) for each in log.epochs()]
            store.open(identity, begun)


def _signed(written: str) -> Signed:
    noted = note.parsed(written)
    return Signed(checkpoint.parsed(noted.text), "".join(map(str, noted.signatures)))
