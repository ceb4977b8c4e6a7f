"""The thread that keeps the ledger's tree, or watches the process that does."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from projections.following.duty import duty_beside
from projections.following.standby import Standby
from projections.proofs.keeper import PROJECTION, SIGN_SECONDS, Keeper
from projections.proofs.prover import Prover
from projections.proofs.store import ProofStore
from projections.proofs.watcher import ProofWatcher
from projections.store.progress import Progress
from service.following import running_beside
from service.proofs.keys import signing_keys
from service.proofs.published import CheckpointFile
from service.rpc.operations import Progress as Told

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ledger.log.contract import LogReader
    from ledger.tokens import Tokens
    from projections.proofs.store import Signed
    from service.settings import Settings

AMONG_SERVERS_SECONDS: Final = 2.0
"""How often a ledger on PostgreSQL is signed: whoever waits may be at another server."""


class Proving:
    """The proofs of one ledger: `store` is read from, `progress` waited for.

    `keeps` says whether this process may keep the tree; another one is watched otherwise.
    `on_stopped` is told, on the thread, when the ledger does not fit what was signed.

    Raises:
        KeyFileError: a key cannot be used.
    """

    def __init__(
        self,
        settings: Settings,
        ledger: LogReader,
        now_us: Callable[[], int],
        *,
        keeps: bool,
        on_stopped: Callable[[], None] = lambda: None,
    ) -> None:
        database = settings.database
        self._ledger = ledger
        log_id = ledger.identity().log_id
        self.store = ProofStore(database, log_id)
        self.progress = Progress(PROJECTION)
        self._duty = duty_beside(database, PROJECTION)
        watcher = ProofWatcher(self.store, self.progress, on_stopped=on_stopped)
        self._wake = watcher.wake
        self._work = watcher.run
        if keeps:
            published = CheckpointFile(Path(settings.checkpoint_file))
            keeper = Keeper(
                ledger,
                self.store,
                self.progress,
                signing_keys(database, settings.checkpoint_key_file, log_id),
                now_us,
                sign_seconds=AMONG_SERVERS_SECONDS if database.is_postgres else SIGN_SECONDS,
                held=self._duty.held,
                on_signed=published.publish if settings.checkpoint_file else _told_nobody,
                on_stopped=on_stopped,
            )
            self._work = Standby(keeper, watcher, self._duty).run

    def prover(self, tokens: Tokens) -> Prover:
        """What answers callers."""
        return Prover(self._ledger, self.store, self.progress, tokens)

    def told(self) -> Told:
        """How far the checkpoints are, for operators."""
        at = self.progress
        return Told(at.projection, max(at.position, 0), at.stopped_position, self._duty.holder())

    @contextmanager
    def running(self) -> Iterator[None]:
        """Keeps or watches the tree while the block runs."""
        progress = self.progress
        try:
            with running_beside(
                PROJECTION,
                self._work,
                wake=self._wake,
                on_defect=lambda: progress.stop(progress.position + 1),
            ):
                yield
        finally:
            self.store.close()


def _told_nobody(_: Signed) -> None:
    return
