"""Tells how far the checkpoints are when another process keeps the tree."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import structlog

from projections.errors import ReadModelsUnavailable

if TYPE_CHECKING:
    from threading import Event

    from projections.proofs.store import ProofStore
    from projections.store.progress import Progress

WANTED_SECONDS: Final = 0.05
"""How often the latest checkpoint is read while somebody waits for one."""

IDLE_SECONDS: Final = 1.0

log = structlog.get_logger(__name__)


class ProofWatcher:
    """Reads the latest checkpoint and tells those who wait."""

    def __init__(self, store: ProofStore, progress: Progress) -> None:
        self._store = store
        self._progress = progress

    def wake(self) -> None:
        """Looks now; from any thread."""
        self._progress.wanted.set()

    def run(self, stop: Event) -> None:
        """Watches until `stop` is set, on a thread of its own."""
        while not stop.is_set():
            self.look()
            self.pause()

    def pause(self) -> None:
        """Waits until it is time for another look."""
        if self._progress.wanted.is_set():
            time.sleep(WANTED_SECONDS)
        else:
            self._progress.wanted.wait(IDLE_SECONDS)

    def look(self) -> None:
        """Reads the latest checkpoint once."""
        try:
            if not self._store.is_laid_out():
                return
            with self._store.reading() as reading:
                latest, kept = reading.latest(), reading.kept
        except ReadModelsUnavailable as error:
            log.debug("the checkpoints cannot be read", reason=str(error))
            return
        if latest is not None and latest.checkpoint.size > self._progress.position:
            self._progress.reach(latest.checkpoint.size)
        if kept.stopped_position:
            self._progress.stop(kept.stopped_position)
