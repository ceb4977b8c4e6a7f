"""The end of the log, read once for all who follow it."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Final

import structlog

from ledger.log.errors import LogUnavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from ledger.event import Record
    from ledger.log.contract import LogReader

PAGE: Final = 256
"""The most records of a page."""

PAGE_BYTES: Final = 1536 * 1024
"""Stored bytes after which a page ends: an answer has them twice, and stays below 4 MiB."""

KEPT: Final = 1024
"""The most records that are kept for those who follow."""

KEPT_BYTES: Final = 8 * 1024 * 1024
"""The most stored bytes that are kept."""

POLL_SECONDS: Final = 0.5
"""How long the log is left alone when nobody says that it has grown."""

log = structlog.get_logger(__name__)


class Tail:
    """The newest records of a log, for any number of followers in one event loop.

    While anyone follows, one task reads what is new, once for all of them, and keeps the newest
    records. Whoever is further behind reads the log itself. Make it in the loop it is used in.
    """

    def __init__(self, source: LogReader, *, poll_seconds: float = POLL_SECONDS) -> None:
        self._source = source
        self._poll_seconds = poll_seconds
        self._loop = asyncio.get_running_loop()
        self._followers = 0
        self._task: asyncio.Task[None] | None = None
        self._told = 0
        self._news = asyncio.Event()
        self._grown = asyncio.Event()
        # The records kept are consecutive and end at `_last`, which is -1 until it is known.
        self._kept: deque[Record] = deque()
        self._kept_bytes = 0
        self._last = -1

    def wake(self, position: int) -> None:
        """The log has grown to a position; from any thread."""
        if self._followers:
            self._loop.call_soon_threadsafe(self._tell, position)

    def reached(self, position: int) -> bool:
        """Whether nothing is known to lie beyond a position; for followers."""
        return self._last <= position

    @asynccontextmanager
    async def followed(self) -> AsyncIterator[None]:
        """Keeps the tail up with the log while the block runs, which knows the log's end."""
        self._followers += 1
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._follow())
        try:
            while self._last < 0:
                await self._growth()
            yield
        finally:
            self._followers -= 1
            if not self._followers:
                self._stop()

    async def page(self, after: int) -> Sequence[Record]:
        """The first records after a position, none at the end of what is known; for followers.

        Raises:
            LogUnavailable: the log cannot be read now.
        """
        kept = self._page_kept(after)
        if kept is not None:
            return kept
        return await asyncio.to_thread(self._source.read, after, PAGE, PAGE_BYTES)

    async def beyond(self, position: int, seconds: float) -> bool:
        """Waits until the log holds a later record; False if it does not within so many seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._last <= position:
                    await self._growth()
                return True
        return False

    async def _growth(self) -> None:
        """Waits until more is known; fails with whatever ended the task that reads."""
        if self._task is not None and self._task.done():
            self._task.result()
        await self._grown.wait()

    def _tell(self, position: int) -> None:
        self._told = max(self._told, position)
        self._news.set()

    async def _follow(self) -> None:
        """Reads what is new until it is cancelled; a defect ends it and is told to all."""
        try:
            while True:
                self._news.clear()
                records: Sequence[Record] = ()
                try:
                    records = await self._read()
                except LogUnavailable as error:
                    log.warning("the log's end cannot be read", reason=str(error))
                if not records or (len(records) < PAGE and self._last >= self._told):
                    await self._pause()
        finally:
            self._announce()

    async def _read(self) -> Sequence[Record]:
        """Takes in a page of what is new."""
        if self._last < 0:
            self._last = (await asyncio.to_thread(self._source.head)).position
            self._announce()
        records = await asyncio.to_thread(self._source.read, self._last, PAGE, PAGE_BYTES)
        if records:
            self._keep(records)
        return records

    async def _pause(self) -> None:
        # Not `wait_for`, which may lose a cancellation that comes at the same moment.
        with suppress(TimeoutError):
            async with asyncio.timeout(self._poll_seconds):
                await self._news.wait()

    def _keep(self, records: Sequence[Record]) -> None:
        for record in records:
            self._kept.append(record)
            self._kept_bytes += _size(record)
        while len(self._kept) > KEPT or (self._kept_bytes > KEPT_BYTES and len(self._kept) > 1):
            self._kept_bytes -= _size(self._kept.popleft())
        self._last = records[-1].position
        self._announce()

    def _announce(self) -> None:
        grown, self._grown = self._grown, asyncio.Event()
        grown.set()

    def _stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            self._task = None
        self._kept.clear()
        self._kept_bytes = 0
        self._last = -1

    def _page_kept(self, after: int) -> Sequence[Record] | None:
        """A page of the records kept; None where they begin later."""
        start = after - (self._last - len(self._kept))
        if start < 0:
            return None
        found: list[Record] = []
        size = 0
        for index in range(start, min(start + PAGE, len(self._kept))):
            record = self._kept[index]
            size += _size(record)
            if size > PAGE_BYTES and found:
                break
            found.append(record)
        return found


def _size(record: Record) -> int:
    return len(record.metadata) + len(record.payload)
