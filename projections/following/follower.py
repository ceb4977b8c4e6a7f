"""Keeps the read models up with the log: pages are folded in memory and written in batches."""

from __future__ import annotations

from threading import Event
from typing import TYPE_CHECKING, Final

import structlog

from ledger.log.errors import LogUnavailable
from projections.errors import (
    Displaced,
    FailingEvent,
    Overtaken,
    ReadModelsUnavailable,
    RebuildRunning,
    Relieved,
)
from projections.following.pausing import Pauses
from projections.read_model import Folding
from projections.store.database import UNAVAILABLE
from projections.store.tracking import is_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from projections.event import Followed
    from projections.read_model import Batch
    from projections.store.building import Building
    from projections.store.views import Views

BATCH: Final = 1000
"""The most events of a transaction."""

POLL_SECONDS: Final = 0.5
"""How long a follower that nobody wakes leaves the log alone."""

GATHER_SECONDS: Final = 0.1
"""How long events gather after a wake-up unless a reader waits: a row costs less in a big batch."""

PASSING: Final = (*UNAVAILABLE, ReadModelsUnavailable, LogUnavailable, RebuildRunning)
"""What may pass by itself: a locked file, a full disk, a lost connection, another who builds."""

log = structlog.get_logger(__name__)


class Follower:
    """Folds the log into the read models, each event exactly once, and never skips one.

    An event that cannot be folded stops it: what came before is kept, the place and the reason are
    logged, stored and told to everyone who waits. Before each write it asks `held` whether it is
    still the one who follows.
    """

    def __init__(
        self,
        source: Followed,
        views: Views,
        *,
        poll_seconds: float = POLL_SECONDS,
        gather_seconds: float = GATHER_SECONDS,
        held: Callable[[], bool] = lambda: True,
        on_progress: Callable[[int], None] = lambda _: None,
    ) -> None:
        self.failure: FailingEvent | Displaced | None = None
        self._source = source
        self._views = views
        self._folding = Folding(views.models)
        self._poll_seconds = poll_seconds
        self._gather_seconds = gather_seconds
        self._held = held
        self._on_progress = on_progress
        self._more = Event()
        self._position = -1
        self._building: Building | None = None
        self._pauses = Pauses()
        self._doubted = False

    def wake(self) -> None:
        """There are new events; from any thread."""
        self._more.set()

    def run(self, stop: Event) -> None:
        """Follows until `stop` is set, or it is relieved, or an event fails: `failure` says why.

        Whoever sets `stop` calls `wake` too, or waits for the next poll.
        """
        try:
            self._run(stop)
        finally:
            self._end_building()

    def _run(self, stop: Event) -> None:
        while not stop.is_set():
            try:
                taken = self.step()
                self._pauses.end()
            except Relieved:
                self._position = -1
                return
            except (FailingEvent, Displaced) as failure:
                self._halt(failure)
                return
            except PASSING as error:
                self._doubted = True
                self._pause(stop, error)
                continue
            except Exception as error:  # noqa: BLE001 - a defect must not end the thread in silence
                defect = FailingEvent(self._position + 1, "", repr(error))
                defect.__cause__ = error
                self._halt(defect)
                return
            if not taken:
                self._more.wait(self._poll_seconds)
                self._more.clear()
            if taken < BATCH:
                self._views.progress.wanted.wait(self._gather_seconds)

    def catch_up(self) -> int:
        """Follows to the end of the log and returns the position.

        Raises:
            FailingEvent: an event cannot be folded.
            Displaced: another version took the tables over.
            Relieved: another process follows.
            RebuildRunning: there are no tables, and another process builds them.
            LogUnavailable, ReadModelsUnavailable, OperationalError: a database cannot be used now.
        """
        try:
            while self.step():
                pass
        except (FailingEvent, Displaced) as failure:
            self._halt(failure)
            raise
        finally:
            self._end_building()
        return self._position

    def step(self) -> int:
        """Takes in one page; the number of its events, 0 at the end. Errors as `catch_up`."""
        if self._position < 0:
            taken = self._begin()
            if taken:
                return taken
        if not self._views.look():
            raise Displaced(self._views.progress.projection)
        if self._doubted:
            self._require_same_log()
        records = self._source.read(self._position, BATCH)
        batch = self._folding.batch(self._position, records)
        self._confirm()
        if not records:
            # Nothing else would tell that others follow the tables, or that other tables serve.
            return self._resume()
        if batch.last_position > self._position:
            try:
                self._write(batch)
            except Overtaken:
                return self._resume()
        if batch.failure is not None:
            raise batch.failure
        return len(records)

    def _confirm(self) -> None:
        if not self._held():
            raise Relieved

    def _require_same_log(self) -> None:
        """Refuses a log that was set back while its database was away.

        What it comes to hold from there on is another future than that of the tables.
        """
        tracked = self._views.tracked()
        if not is_of(tracked, self._source):
            reason = "the log was set back under the server: begin a new epoch and start it again"
            raise FailingEvent(tracked.position, "", reason)
        self._doubted = False

    def _begin(self) -> int:
        """Opens the tables that serve: 0. Where there are none, builds them, a page at a time."""
        self._confirm()
        if self._building is None:
            position = self._views.open(self._source)
            if position is not None:
                self._position = position
                return 0
            self._building = self._views.build(self._source)
        taken = self._built(self._building)
        if not taken:
            self._building.switch()
            self._end_building()
        return taken or BATCH

    def _built(self, building: Building) -> int:
        """Builds on by a page; 0 where there is nothing more to take in."""
        try:
            taken = building.step()
        except FailingEvent:
            # What comes before it serves. Following comes to it next, stops there and says so.
            return 0
        self._on_progress(building.position)
        return taken

    def _end_building(self) -> None:
        if self._building is not None:
            self._building.close()
            self._building = None

    def _write(self, batch: Batch) -> None:
        self._views.write(self._position, batch)
        self._position = batch.last_position
        self._views.reach(self._position)
        self._on_progress(self._position)

    def _resume(self) -> int:
        """Goes on from where the tables are: 0 for where they were left, else at once."""
        position = self._views.tracked().position
        if position == self._position:
            return 0
        log.info("projection moved by another", was=self._position, at=position)
        self._position = position
        self._views.reach(position)
        return BATCH

    def _halt(self, failure: FailingEvent | Displaced) -> None:
        self.failure = failure
        progress = self._views.progress
        position = failure.position if isinstance(failure, FailingEvent) else self._position + 1
        log.error(
            "projection stopped",
            projection=progress.projection,
            position=position,
            event_type=getattr(failure, "event_type", ""),
            reason=str(failure),
            exc_info=failure.__cause__,
        )
        progress.stop(position)
        if isinstance(failure, FailingEvent):
            try:
                self._views.stop(failure)
            except (*PASSING, Displaced) as error:
                log.warning("the stop could not be stored", reason=str(error))

    def _pause(self, stop: Event, error: Exception) -> None:
        """Says why, and waits before the next attempt."""
        seconds = self._pauses.next_seconds()
        log.warning("projection waits for a database", seconds=seconds, reason=str(error))
        stop.wait(seconds)
