"""The open streams, and their end when the server drains."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from grpc import aio

from ledger.log.errors import ShuttingDown

WRITE_SECONDS: Final = 1.0
"""How long a draining server waits for callers that do not take what was sent to them."""


class Stream:
    """A task that answers a stream; `why` says why, once the server has asked it to end."""

    def __init__(
        self,
        context: aio.ServicerContext[Any, Any],
        task: asyncio.Task[Any],
        write_seconds: float | None,
    ) -> None:
        self._context = context
        self._write_seconds = write_seconds
        self.task = task
        self.writing = False
        self.why: Exception | None = None

    async def write(self, raw: bytes) -> None:
        """Sends an answer; returns when the transport has taken it.

        So who reads slowly is sent slowly, and nothing is made ahead.

        Raises:
            ShuttingDown: the server drains; or whatever else the stream was ended with.
            CancelledError: the caller is gone, or has not taken it within the stream's time.
        """
        self.writing = True
        try:
            async with asyncio.timeout(self._write_seconds):
                await self._context.write(raw)
        except TimeoutError:
            # gRPC takes no status while a write is under way: the call ends without one.
            raise asyncio.CancelledError from None
        except aio.InternalError:
            # A write fails when its connection does, a moment before the task is cancelled for it.
            raise asyncio.CancelledError from None
        self.writing = False
        if self.why is not None:
            raise self.why

    def end(self, why: Exception) -> None:
        """Asks the task to end with an error: wherever it waits, but after a write under way.

        gRPC takes no status while a write is. The first error stays.
        """
        if self.why is not None:
            return
        self.why = why
        if not self.writing:
            self.task.cancel()


class Streams:
    """The open streams of a server, in one event loop."""

    def __init__(self) -> None:
        self._open: set[Stream] = set()
        self._ending = False

    def __len__(self) -> int:
        return len(self._open)

    @asynccontextmanager
    async def open(
        self, context: aio.ServicerContext[Any, Any], write_seconds: float | None = None
    ) -> AsyncIterator[Stream]:
        """Counts the running task as a stream while the block runs.

        Its caller gets `write_seconds` to take an answer, any time where that is None.

        Raises:
            ShuttingDown: the server drains; also out of the block, wherever that waits, as is
                whatever else the stream was ended with.
        """
        if self._ending:
            raise ShuttingDown
        task = asyncio.current_task()
        assert task is not None
        stream = Stream(context, task, write_seconds)
        self._open.add(stream)
        try:
            yield stream
        except asyncio.CancelledError:
            if stream.why is None or stream.writing or context.done():
                raise
            # Cancelled by `end` and by nobody else: the caller still listens, and is told why.
            task.uncancel()
            raise stream.why from None
        finally:
            self._open.discard(stream)

    async def end(self) -> bool:
        """Ends every stream and takes no new ones; returns when they have ended.

        False where callers did not take within `WRITE_SECONDS` what was sent to them: their
        streams' tasks are cancelled, but gRPC ends their calls only with the server.
        """
        self._ending = True
        tasks = [stream.task for stream in self._open]
        for stream in self._open:
            stream.end(ShuttingDown())
        if not tasks:
            return True
        _, stuck = await asyncio.wait(tasks, timeout=WRITE_SECONDS)
        for task in stuck:
            task.cancel()
        return not stuck
