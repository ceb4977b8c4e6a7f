"""A stream of requests: handed to the write lane as they come, acknowledged in their order."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from grpc import aio

from ledger.log.errors import LogUnavailable, ShuttingDown
from ledger.refusals import Refusal

if TYPE_CHECKING:
    from service.exchange import Context, Exchange, Write
    from service.identity.principal import Principal
    from service.lane.link import Answer
    from service.streams import Stream

AHEAD: Final = 64
"""The messages of a stream that the server has in its hands, until it has acknowledged one."""
AHEAD_BYTES: Final = 128 * 1024
"""Their size together, at which it takes no further one.

Either is enough that the lane always has the next ones while it works. What a caller sends beyond
waits in the transport, which holds it back.
"""


class Feed:
    """One stream of requests, on the task that answers it.

    A message goes to the lane as soon as it has come; its answer is sent when it is that message's
    turn. A caller who does not take the answers is not read from.
    """

    def __init__(
        self,
        exchange: Exchange,
        principal: Principal,
        stream: Stream,
        context: Context,
        write: Write,
    ) -> None:
        self._exchange = exchange
        self._stream = stream
        self._context = context
        self._write = write
        self._principal = principal
        self._under_way: deque[asyncio.Future[Answer]] = deque()
        self._sizes: deque[int] = deque()
        self._size_bytes = 0
        self._reading: asyncio.Task[Any] | None = None
        self._half_closed = False

    async def run(self) -> None:
        """Returns when the caller has half-closed and everything is acknowledged.

        Raises:
            ShuttingDown: the server drains. What it had taken is acknowledged first, as it is
                where the stream was ended with something else.
            CancelledError: the caller is gone. What the lane has is decided all the same.
            LogError: the lane cannot take a message, or has lost it.
            Refused: the lane has refused a message as a whole; those before are acknowledged.
        """
        try:
            while self._read_on() or self._under_way:
                await asyncio.wait(self._awaited(), return_when=asyncio.FIRST_COMPLETED)
                if self._under_way and self._under_way[0].done():
                    await self._acknowledge()
                if self._reading is not None and self._reading.done():
                    await self._take(self._reading.result())
        except (asyncio.CancelledError, Refusal, ShuttingDown):
            if self._stream.why is not None and not self._context.done():
                await self._finish(self._stream.why)
            raise
        finally:
            await self._let_go()

    def _read_on(self) -> bool:
        """Whether a message is awaited; begins to, where there is room for one."""
        room = len(self._under_way) < AHEAD and self._size_bytes < AHEAD_BYTES
        if self._reading is None and room and not self._half_closed:
            self._reading = asyncio.create_task(self._context.read())
        return self._reading is not None

    def _awaited(self) -> list[asyncio.Future[Any]]:
        reading: list[asyncio.Future[Any]] = [] if self._reading is None else [self._reading]
        return reading + list(self._under_way)[:1]

    async def _take(self, message: Any) -> None:
        self._reading = None
        if message is aio.EOF:
            self._half_closed = True
            return
        self._under_way.append(await self._handed_over(message))
        self._sizes.append(len(message))
        self._size_bytes += len(message)

    async def _handed_over(self, message: bytes) -> asyncio.Future[Answer]:
        """What the lane will answer; decided here, so that messages come to it in their order."""
        caller, deadline = self._principal.caller, self._exchange.deadline
        try:
            message, forbidden = await self._exchange.permit(self._principal, message)
        except (LogUnavailable, Refusal) as refusal:
            # Told at its turn: what was sent before is acknowledged first.
            refused: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
            refused.set_exception(refusal)
            return refused
        return asyncio.ensure_future(self._write(message, caller, deadline, forbidden))

    async def _acknowledge(self) -> None:
        answer = await self._under_way[0]
        del self._under_way[0]
        self._size_bytes -= self._sizes.popleft()
        await self._stream.write(self._exchange.took(answer))

    async def _finish(self, why: Exception) -> None:
        while self._under_way:
            # A stream that has been asked to end says so after each write.
            with suppress(type(why)):
                await self._acknowledge()

    async def _let_go(self) -> None:
        """Gives up what is still awaited: the lane drops what it has not begun."""
        left = [*self._under_way, *([] if self._reading is None else [self._reading])]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
