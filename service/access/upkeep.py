"""A directory kept up with the log, which other servers may write to as well."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import structlog

from ledger.log.errors import LogUnavailable
from projections.event import opened
from service.access.directory import TYPES, Directory

if TYPE_CHECKING:
    from ledger.log.contract import LogReader
    from projections.event import Event

PAGE: Final = 1000
GATHER_SECONDS: Final = 0.25
"""How long commits gather before what they changed is looked for."""
POLL_SECONDS: Final = 1.0
"""How long the log is left alone when nobody says that it has grown."""

log = structlog.get_logger()


class Upkeep:
    """Reads the events that a directory is folded from; made and used in one event loop."""

    def __init__(self, ledger: LogReader, directory: Directory) -> None:
        self._log = ledger
        self._directory = directory
        self._loop = asyncio.get_running_loop()
        self._looking = asyncio.Lock()
        self._looks = 0
        self._grown = asyncio.Event()

    def wake(self) -> None:
        """The log has grown; from any thread."""
        self._loop.call_soon_threadsafe(self._grown.set)

    async def reach(self, position: int) -> None:
        """Returns when all events up to a position are taken in.

        Raises:
            LogUnavailable: the log cannot be read now.
        """
        if self._directory.position < position:
            await self.catch_up()

    async def catch_up(self) -> None:
        """Returns when all events are taken in that the log held when this was called.

        Callers share a look. It costs one query, some 200 µs in a thread.

        Raises:
            LogUnavailable: the log cannot be read now.
        """
        before = self._looks
        async with self._looking:
            # Another caller's look, if it began after this call.
            if self._looks > before:
                return
            self._looks += 1
            reached = False
            while not reached:
                events, position, reached = await asyncio.to_thread(
                    self._read, self._directory.position
                )
                self._directory.take_in(events, position)

    async def run(self) -> None:
        """Looks whenever the log may have grown, until it is cancelled."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_SECONDS):
                    await self._grown.wait()
                    await asyncio.sleep(GATHER_SECONDS)
            self._grown.clear()
            try:
                await self.catch_up()
            except LogUnavailable as error:
                log.warning("who owns what cannot be read", reason=str(error))
            except Exception:
                # Nothing may be decided by what is out of date for good: what is not known is
                # looked for by each call, which then fails.
                log.exception("who owns what cannot be followed any more")
                self._directory.clear()
                return

    def _read(self, after: int) -> tuple[Sequence[Event], int, bool]:
        """A page of the events that matter, how far it reaches, and whether that is all."""
        head = self._log.head().position
        if head <= after:
            return (), after, True
        records = self._log.list_events(
            event_types=TYPES, after=after, up_to_position=head, limit=PAGE
        )
        events = [opened(record) for record in records]
        if len(records) == PAGE:
            return events, records[-1].position, False
        return events, head, True
