"""The server's side: takes calls on the event loop, hands them to the lane, gives its answers."""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from collections.abc import Awaitable, Callable, Container
from typing import TYPE_CHECKING, Any, Final

import structlog

from ledger.log.errors import LogError, LogUnavailable, OutcomeUnknown, Overloaded, ShuttingDown
from ledger.log.lane import BATCH_AT_MOST, LaneCounts
from ledger.rpc import BULK
from service.lane.link import (
    BULK_FRAME_BYTES,
    FRAME_BYTES,
    Answer,
    Ask,
    Frames,
    Ready,
    Turn,
    framed,
)

if TYPE_CHECKING:
    from ledger.call import Caller
    from ledger.log.database import Database
    from service.lane.places import Place

START_SECONDS: Final = 60.0
LINE_BYTES: Final = 64 * 1024 * 1024
"""What may wait for the lane, in bytes, of single requests and of messages with many alike."""
LONGEST_PAUSE_SECONDS: Final = 2.0
"""The longest pause before a lane that has ended is started again."""

log = structlog.get_logger()


async def _no_change(_serves: bool) -> None:
    return


class Desk:
    """Hands calls over to a lane, in turns of the event loop, and starts it again if it ends.

    `on_committed` is called with the newest position before the callers have their answers, and
    `on_change` with False when the lane has ended by itself and with True when it works again.
    Made and used on one event loop.
    """

    def __init__(
        self,
        place: Place,
        database: Database,
        *,
        on_committed: Callable[[int], None] = lambda _: None,
        on_change: Callable[[bool], Awaitable[None]] = _no_change,
        waiting_at_most: int = 10_000,
    ) -> None:
        self._place = place
        self._database = database
        self._on_committed = on_committed
        self._on_change = on_change
        self._waiting_at_most = waiting_at_most
        self._pending: dict[int, asyncio.Future[Answer]] = {}
        self._gathered = _Line()
        self._bulk = _Line()
        self._last_number = 0
        self._last_position = 0
        self._counts = LaneCounts()
        self._link: _Link | None = None
        self._working = False
        self._stopping = False
        self._starting: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Starts the lane; calls may be handed over from then on.

        Raises:
            LogError: the log cannot be opened, or another server has it.
        """
        ours, theirs = socket.socketpair()
        wait = self._place.start(theirs)
        loop = asyncio.get_running_loop()
        _, link = await loop.create_connection(lambda: _Link(self, wait), sock=ours)
        try:
            async with asyncio.timeout(START_SECONDS):
                greeting = await link.greeting
        except (ConnectionError, TimeoutError) as error:
            greeting = LogUnavailable(
                str(self._database), "open", str(error) or "it takes too long"
            )
        if link.lost and isinstance(greeting, Ready):
            # It ended before anything could have told that it had begun.
            greeting = self._ended()
        if isinstance(greeting, LogError):
            await link.ended()
            raise greeting
        self._link, self._working = link, False

    async def close(self) -> None:
        """Refuses new calls, answers those that were taken, and returns when the lane has ended."""
        self._stopping = True
        if self._starting is not None:
            self._starting.cancel()
        while self._pending:
            await asyncio.wait(list(self._pending.values()))
        if self._link is not None:
            await self._link.ended()

    async def ask(
        self,
        method: str,
        raw: bytes,
        caller: Caller,
        deadline: float | None,
        forbidden: tuple[int, ...] = (),
        /,
        *,
        checked: bool = False,
    ) -> Answer:
        """Has a call decided; returns once what it changed is durable, or when it is refused.

        `forbidden` and `checked` as in `Ask`.

        Raises:
            LogError: Overloaded, ShuttingDown or LogUnavailable, and nothing was written; or
                OutcomeUnknown, and the same request, with the same request id, may be sent again
                to find out.
        """
        if self._stopping:
            raise ShuttingDown
        if (waiting := len(self._pending)) >= self._waiting_at_most:
            raise Overloaded(waiting)
        line = self._bulk if method in BULK else self._gathered
        if line.size_bytes >= LINE_BYTES:
            raise Overloaded(waiting)
        if self._link is None:
            raise self._ended()
        loop = asyncio.get_running_loop()
        self._last_number = number = self._last_number + 1
        future: asyncio.Future[Answer] = loop.create_future()
        self._pending[number] = future
        line.append(Ask(number, method, raw, *caller, deadline, checked, forbidden))
        if len(self._gathered) + len(self._bulk) == 1:
            # In one piece what this turn of the event loop gathers.
            loop.call_soon(self._hand_over)
        try:
            return await future
        finally:
            self._pending.pop(number, None)

    def counts(self) -> LaneCounts:
        return self._counts._replace(waiting=len(self._pending))

    def _hand_over(self) -> None:
        """Give the lane what has gathered, unless it works: then that gathers on.

        What has not been handed over takes nothing with it when its caller gives up. Of messages
        with many requests it gets about a transaction's worth, so that a single request waits for
        one of those at most, however many stream.
        """
        if self._link is None or self._working:
            return
        waiting = self._pending.keys()
        asks = self._gathered.take(waiting, FRAME_BYTES) + self._bulk.take(
            waiting, BULK_FRAME_BYTES
        )
        if asks:
            self._working = True
            self._link.send(asks)

    def turned(self, turn: Turn) -> None:
        """What a turn of the lane gave."""
        self._working = self._working and not turn.taken_in
        self._counts = turn.counts
        if turn.last_position > self._last_position:
            self._last_position = turn.last_position
            self._on_committed(turn.last_position)
        for answer in turn.answers:
            future = self._pending.get(answer.number)
            if future is not None and not future.done():
                future.set_result(answer)
        self._hand_over()

    def lost(self, link: _Link) -> None:
        """The lane has ended; unless it was told to, it is started again."""
        if link is not self._link:
            return
        self._link = None
        kept = self._gathered.clear() | self._bulk.clear()
        for number, future in self._pending.items():
            if not future.done():
                future.set_exception(
                    self._ended(LogUnavailable if number in kept else OutcomeUnknown)
                )
        if not self._stopping:
            log.error("lane ended unexpectedly", unanswered=len(self._pending))
            self._starting = asyncio.get_running_loop().create_task(self._start_again(link))

    async def _start_again(self, after: _Link) -> None:
        await self._on_change(False)
        await after.ended()
        pause = 0.05
        while self._link is None:
            try:
                await self.open()
            except (LogError, OSError) as error:
                log.warning("lane cannot start", reason=str(error), seconds=pause)
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
        log.info("lane started again")
        await self._on_change(True)

    def _ended(self, kind: type[LogUnavailable] = LogUnavailable) -> LogUnavailable:
        return kind(str(self._database), "append to", "the write lane has ended")


class _Line:
    """Calls that wait for the lane, the first one first."""

    def __init__(self) -> None:
        self.size_bytes = 0
        self._asks: deque[Ask] = deque()

    def __len__(self) -> int:
        return len(self._asks)

    def append(self, ask: Ask) -> None:
        self._asks.append(ask)
        self.size_bytes += len(ask.raw)

    def take(self, waiting: Container[int], size_bytes: int) -> list[Ask]:
        """The first calls, as many as make up the size; those who have given up are left out."""
        asks: list[Ask] = []
        while self._asks and len(asks) < BATCH_AT_MOST and size_bytes > 0:
            ask = self._asks.popleft()
            self.size_bytes -= len(ask.raw)
            if ask.number in waiting:
                asks.append(ask)
                size_bytes -= len(ask.raw)
        return asks

    def clear(self) -> set[int]:
        """Forgets all of them; gives their numbers."""
        numbers = {ask.number for ask in self._asks}
        self._asks.clear()
        self.size_bytes = 0
        return numbers


class _Link(asyncio.Protocol):
    """One connection to one lane."""

    def __init__(self, desk: Desk, wait: Callable[[], object]) -> None:
        loop = asyncio.get_running_loop()
        self.greeting: asyncio.Future[Ready | LogError] = loop.create_future()
        self._desk = desk
        self._wait = wait
        self._frames = Frames()
        self._lost = loop.create_future()

    @property
    def lost(self) -> bool:
        return self._lost.done()

    def connection_made(self, transport: Any) -> None:
        self._transport: asyncio.Transport = transport

    def send(self, asks: list[Ask]) -> None:
        self._transport.write(framed(asks))

    def data_received(self, data: bytes) -> None:
        for message in self._frames.feed(data):
            if isinstance(message, Turn):
                self._desk.turned(message)
            else:
                self.greeting.set_result(message)

    def connection_lost(self, error: Exception | None) -> None:
        if not self.greeting.done():
            self.greeting.set_exception(ConnectionError("the write lane ended as it started"))
        self._lost.set_result(None)
        self._desk.lost(self)

    async def ended(self) -> None:
        """Hangs up; returns when the lane has answered what it has and has ended."""
        if not self.lost:
            self._transport.write_eof()
        await self._lost
        await asyncio.to_thread(self._wait)
