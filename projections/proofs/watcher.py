"""Tells how far the checkpoints are when another process keeps the tree."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import structlog

from projections.errors import ReadModelsUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable
    from threading import Event

    from projections.proofs.store import ProofStore
    from projections.store.progress import Progress

WANTED_SECONDS: Final = 0.05
"""How often the latest checkpoint is read while somebody waits for one."""

IDLE_SECONDS: Final = 1.0

log = structlog.get_logger(__name__)


class ProofWatcher:
    """Reads the latest checkpoint and tells those who wait; `on_stopped` is told of a stop."""

    def __init__(
        self,
        store: ProofStore,
        progress: Progress,
        *,
        on_stopped: Callable[[], None] = lambda: None,
    ) -> None:
        self._store = store
        self._progress = progress
        self._on_stopped = on_stopped

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
        if latest is not None:
            # A tree that is made anew covers what was signed before once it has come to it again.
            covered = min(latest.checkpoint.size, kept.size)
            if covered > self._progress.position:
                self._progress.reach(covered)
        if kept.stopped_position and not self._progress.stopped_position:
            self._progress.stop(kept.stopped_position)
            self._on_stopped()
