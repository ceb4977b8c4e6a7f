"""Reads from a streaming replica of the database, as far as it has come.

A replica answers where it holds what the caller asks for; else, and whenever it fails, the primary
does. So a read is never older than its token, whatever becomes of the replica.
"""

from __future__ import annotations

import time
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import structlog
from sqlalchemy.exc import DBAPIError

from ledger.log.errors import LogUnavailable
from projections.errors import Displaced, ReadModelsUnavailable
from projections.store.generations import Generations

if TYPE_CHECKING:
    from collections.abc import Iterator
    from threading import Event

    from ledger.log.database import Database
    from projections.store.generation import Generation, Reading
    from projections.store.views import Views

LOOK_SECONDS: Final = 0.1
"""How often the replica is asked how far it is."""

REST_SECONDS: Final = 5.0
"""How long a replica that failed is left alone."""

SILENCE_SECONDS: Final = 2.0
"""How long its last answer holds: it may hang, and whoever asks with it."""

FAILURES: Final = (ReadModelsUnavailable, Displaced, DBAPIError, LogUnavailable)

log = structlog.get_logger(__name__)


class Replica:
    """A replica of the database of `views`, for as many reads at a time as that takes.

    `lag_seconds` is how far it may be behind for reads that ask for no position.
    """

    def __init__(self, database: Database, views: Views, lag_seconds: float) -> None:
        self._generations = Generations(database, views.identity, views.version)
        self._primary = views.progress
        self._lag_seconds = lag_seconds
        self._generation: Generation | None = None
        self._position = -1
        self._is_recent = False
        self._seen = 0.0
        # When the primary was where, back to the last time before the lag.
        self._past: deque[tuple[float, int]] = deque()
        self._takes_reads: bool | None = None
        self._rests_until = 0.0

    @property
    def position(self) -> int:
        """The last event that reads find there, -1 while it takes none."""
        return self._position if time.monotonic() - self._seen < SILENCE_SECONDS else -1

    def served(self, wanted: int) -> int | None:
        """The position that a read is served at, None if the primary has to serve it.

        `wanted` is the position that it asks for, 0 where it asks for what is recent.
        """
        there = self.position
        enough = there >= wanted if wanted else there >= 0 and self._is_recent
        return there if enough else None

    @contextmanager
    def reading(self) -> Iterator[Reading]:
        """Reads of one state of its tables, from any thread.

        Raises:
            ReadModelsUnavailable: it failed, and is left alone for a while.
        """
        generation = self._generation
        try:
            if generation is None:
                raise ReadModelsUnavailable("it has not been asked yet")
            with generation.reading() as reading:
                yield reading
        except FAILURES as error:
            self._leave_alone(error)
            raise ReadModelsUnavailable(str(error)) from error

    def run(self, stop: Event) -> None:
        """Asks it how far it is until `stop` is set, on a thread of its own."""
        while not stop.wait(LOOK_SECONDS):
            self.look()
        self._close()
        self._generations.close()

    def look(self) -> None:
        """Asks once, unless it is to be left alone."""
        if time.monotonic() < self._rests_until:
            return
        try:
            generation = self._opened()
            position = generation.tracked().position
        except FAILURES as error:
            self._leave_alone(error)
            return
        now = time.monotonic()
        self._is_recent = position >= self._expected(now)
        self._position, self._seen = position, now
        if not self._takes_reads:
            log.info("the replica takes reads", position=position)
        self._takes_reads = True

    def _opened(self) -> Generation:
        """The generation that serves as far as the replica knows."""
        serving = self._generations.serving()
        if serving is None:
            raise ReadModelsUnavailable("it has no read models of this version")
        if self._generation is None or self._generation.number != serving.number:
            self._close()
            self._generation = self._generations.open(serving)
        return self._generation

    def _expected(self, now: float) -> int:
        """Where the primary was when the lag began."""
        self._past.append((now, self._primary.position))
        while len(self._past) > 1 and self._past[1][0] <= now - self._lag_seconds:
            self._past.popleft()
        return self._past[0][1]

    def _leave_alone(self, error: Exception) -> None:
        if self._takes_reads is not False:
            log.warning("reads leave the replica alone", seconds=REST_SECONDS, reason=str(error))
        self._takes_reads = False
        self._rests_until = time.monotonic() + REST_SECONDS
        self._position = -1
        self._close()

    def _close(self) -> None:
        generation, self._generation = self._generation, None
        if generation is not None:
            generation.close()
