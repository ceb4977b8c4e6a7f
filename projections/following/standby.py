"""Follows the log while this process is on duty, and watches who follows it while it is not."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from threading import Event

    from projections.following.duty import Duty

TRY_SECONDS: Final = 1.0
"""How often a process that stands by tries to follow: within that it takes over."""


class Following(Protocol):
    """What follows the log; see `projections.following.follower.Follower`."""

    @property
    def failure(self) -> Exception | None: ...

    def wake(self) -> None: ...

    def run(self, stop: Event) -> None: ...


class Watching(Protocol):
    """What tells how far another process is; see `projections.following.watcher.Watcher`."""

    def wake(self) -> None: ...

    def look(self) -> None: ...

    def pause(self) -> None: ...


class Standby:
    """A follower that waits for its turn.

    The follower has to be made with the duty's `held`, so that it stops when the duty is lost.
    """

    def __init__(self, follower: Following, watcher: Watching, duty: Duty) -> None:
        self._follower = follower
        self._watcher = watcher
        self._duty = duty

    def wake(self) -> None:
        """There are new events; from any thread."""
        self._follower.wake()
        self._watcher.wake()

    def run(self, stop: Event) -> None:
        """Runs until `stop` is set, or until an event fails that this process follows to.

        Whoever sets `stop` calls `wake` too, or waits for the next poll.
        """
        try:
            while not stop.is_set() and self._follower.failure is None:
                if self._duty.taken():
                    self._follower.run(stop)
                else:
                    self._watch(stop)
        finally:
            self._duty.leave()

    def _watch(self, stop: Event) -> None:
        until = time.monotonic() + TRY_SECONDS
        while not stop.is_set() and time.monotonic() < until:
            self._watcher.look()
            self._watcher.pause()
