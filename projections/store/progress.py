"""How far the read models are, for those who wait: thread-safe, awaited from any event loop."""

from __future__ import annotations

import asyncio
from threading import Event, Lock
from typing import TYPE_CHECKING, Final

from ledger.log.errors import DeadlinePassed
from projections.errors import ProjectionStopped

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Future
    from collections.abc import Iterable


NOTHING: Final = -1
"""The position of read models that are not there yet: even position 0 is waited for."""


class Progress:
    """The position that has been reached, and the callers that wait for a later one.

    `wanted` is set while anyone waits, so that a follower that saves work can hurry.
    """

    def __init__(self, projection: str) -> None:
        self.projection = projection
        self.wanted = Event()
        self._lock = Lock()
        self._position = NOTHING
        self._stopped: int | None = None
        self._waiting: dict[Future[None], int] = {}

    @property
    def position(self) -> int:
        """The last event that the read models hold; NOTHING while there are none."""
        return self._position

    @property
    def stopped_position(self) -> int:
        """The position that the projection will not pass, 0 while it runs."""
        return self._stopped or 0

    def reach(self, position: int) -> None:
        """The tables are at a position."""
        with self._lock:
            self._position = position
            self._stopped = None
            self._wake(future for future, wanted in self._waiting.items() if wanted <= position)

    def stop(self, position: int) -> None:
        """The projection will not pass a position: whoever waits for it fails now."""
        with self._lock:
            self._stopped = position
            self._wake(self._waiting)

    async def wait_for(self, position: int, seconds: float | None) -> None:
        """Returns once the position is reached, at most `seconds` from now; None waits for ever.

        Raises:
            ProjectionStopped: it will not be reached.
            DeadlinePassed: it was not reached in time.
        """
        try:
            async with asyncio.timeout(seconds):
                while (future := self._queue(position)) is not None:
                    try:
                        await future
                    finally:
                        with self._lock:
                            self._forget(future)
        except TimeoutError:
            raise DeadlinePassed from None
        if position > self._position and self._stopped is not None:
            raise ProjectionStopped(self.projection, self._stopped)

    def _queue(self, position: int) -> Future[None] | None:
        """A future for a position that is still to be reached, else None."""
        with self._lock:
            if position <= self._position or self._stopped is not None:
                return None
            future: Future[None] = asyncio.get_running_loop().create_future()
            self._waiting[future] = position
            self.wanted.set()
            return future

    def _forget(self, future: Future[None]) -> None:
        self._waiting.pop(future, None)
        if not self._waiting:
            self.wanted.clear()

    def _wake(self, futures: Iterable[Future[None]]) -> None:
        by_loop: dict[AbstractEventLoop, list[Future[None]]] = {}
        for future in list(futures):
            self._forget(future)
            by_loop.setdefault(future.get_loop(), []).append(future)
        for loop, ready in by_loop.items():
            # A loop that has ended has nobody left who waits.
            if not loop.is_closed():
                loop.call_soon_threadsafe(_settle, ready)


def _settle(futures: list[Future[None]]) -> None:
    for future in futures:
        if not future.done():
            future.set_result(None)
