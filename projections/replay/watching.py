"""One watch of the log: what passes its filters, from a position on and without an end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ledger.call import sight
from ledger.log.errors import DeadlinePassed

if TYPE_CHECKING:
    from ledger.event import Record
    from projections.replay.belonging import Belonging
    from projections.replay.tail import Tail

CHECKPOINT_EVENTS: Final = 10_000
"""How many events the filters may hold back before the caller is told how far the stream is."""

CHECKPOINT_SECONDS: Final = 15
"""How long nothing is sent unless the caller says how long."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """The filters of a watch: a record has to pass each that is not empty."""

    stream: str = ""
    event_types: frozenset[str] = frozenset()
    belonging: Belonging | None = None

    def of(self, records: Sequence[Record]) -> Sequence[Record]:
        """Those of the stream and the types."""
        if not self.stream and not self.event_types:
            return records
        return [
            record
            for record in records
            if self.stream in ("", record.stream)
            and (not self.event_types or record.event_type in self.event_types)
        ]


@dataclass(frozen=True, slots=True)
class Passed:
    """What passed the filters since the one before, up to a position.

    `caught_up` says that the log held nothing later.
    """

    records: Sequence[Record]
    position: int
    caught_up: bool


class Watch:
    """Follows the log from a position; it reads on only when it is asked for more."""

    def __init__(self, tail: Tail, after: int, wanted: Wanted, checkpoint_seconds: float) -> None:
        self._tail = tail
        self._wanted = wanted
        self._every = checkpoint_seconds
        self._loop = asyncio.get_running_loop()
        self._position = after
        self._told = Passed((), after, caught_up=False)
        self._told_at = self._loop.time()

    async def passing(self) -> AsyncGenerator[Passed, None]:
        """What passes, as it comes; without records where only the position has moved or time.

        Raises:
            LogUnavailable: the log cannot be read now.
            ProjectionStopped, Displaced: whose the events are cannot be known.
        """
        async with self._tail.followed():
            while True:
                page = await self._tail.page(self._position)
                if page:
                    while (records := await self._held_against(page)) is None:
                        yield self._tell((), caught_up=False)
                    self._position = page[-1].position
                    if records or self._is_due():
                        yield self._tell(records, caught_up=self._tail.reached(self._position))
                elif not self._told.caught_up or not await self._tail.beyond(
                    self._position, self._left()
                ):
                    yield self._tell((), caught_up=True)

    async def _held_against(self, page: Sequence[Record]) -> Sequence[Record] | None:
        """The records of a page that are shown and pass every filter; None if not told in time."""
        records = self._wanted.of(page)
        if records and (own := sight()) and await own.reach(records[-1].position):
            records = [record for record in records if own.shows(record)]
        belonging = self._wanted.belonging
        if belonging is None or not records:
            return records
        try:
            await belonging.wait_for(records[-1].position, self._left())
        except DeadlinePassed:
            return None
        # The tables may be thrown away in between; they are then waited for again.
        return await asyncio.to_thread(belonging.of, records)

    def _is_due(self) -> bool:
        """Whether the caller has to be told of a position that only the filters passed."""
        return self._position - self._told.position >= CHECKPOINT_EVENTS or not self._left()

    def _left(self) -> float:
        """How long nothing need be sent."""
        return max(0.0, self._told_at + self._every - self._loop.time())

    def _tell(self, records: Sequence[Record], *, caught_up: bool) -> Passed:
        self._told = Passed(records, self._position, caught_up)
        self._told_at = self._loop.time()
        return self._told
