"""Tells how far the read models are when another process follows the log."""

from __future__ import annotations

from threading import Event
from typing import TYPE_CHECKING, Final

import structlog

from projections.errors import Displaced, ReadModelsUnavailable

if TYPE_CHECKING:
    from projections.store.views import Views

POLL_SECONDS: Final = 0.01
"""How often the position is read while someone waits for it."""

IDLE_SECONDS: Final = 0.25
"""How often it is read while nobody waits."""

log = structlog.get_logger(__name__)


class Watcher:
    """Reads the tracked position and tells those who wait.

    One that `hears` of new positions by `wake` need not be told that somebody waits for one.
    """

    def __init__(self, views: Views, *, hears: bool = False) -> None:
        self._views = views
        self._news = Event()
        self._sooner = self._news if hears else views.progress.wanted

    def wake(self) -> None:
        """There may be a new position; from any thread."""
        self._news.set()

    def run(self, stop: Event) -> None:
        """Watches until `stop` is set, on a thread of its own."""
        while not stop.is_set():
            self.look()
            self.pause()

    def pause(self) -> None:
        """Waits until it is time for another look."""
        if self._views.progress.wanted.is_set():
            self._news.wait(POLL_SECONDS)
        else:
            self._sooner.wait(IDLE_SECONDS)
        self._news.clear()

    def look(self) -> None:
        """Reads the position once."""
        progress = self._views.progress
        try:
            if not self._views.look():
                return
            tracked = self._views.tracked()
        except (Displaced, ReadModelsUnavailable) as error:
            # The follower says so loudly; here the next look may find it mended.
            log.debug("the read models' position cannot be read", reason=str(error))
            return
        if tracked.position != progress.position or not tracked.stopped_position:
            self._views.reach(tracked.position)
        if tracked.stopped_position:
            progress.stop(tracked.stopped_position)
