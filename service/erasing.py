"""Erasing: the keys of those whom the log says were erased are destroyed, whatever happens."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

import structlog

from ledger.call import Caller
from ledger.event import sealed_fact_of
from ledger.log.contract import LogReader
from ledger.log.errors import LogError
from ledger.texts.keyring import Keyring
from ledger.texts.opening import AT_HAND
from okr.v1.events_pb2 import PersonErased
from service.exchange import Places, Write
from service.lane.link import Answer

LOOK_SECONDS: Final = 10.0
"""How often it is looked for erasures that another server recorded and did not come to finish."""
PAGE: Final = 1000

log = structlog.get_logger()


@asynccontextmanager
async def erasures_finished(
    ledger: LogReader,
    keyring: Keyring | None,
    ask: Callable[[str, bytes, Caller, float | None], Awaitable[Answer]],
) -> AsyncIterator[dict[str, Write]]:
    """What the server goes on with when the lane has recorded an erasure, by method.

    First all erasures are finished that the log tells of, and while the block runs those that
    others leave behind.

    Raises:
        LogUnavailable: the log or the keys cannot be reached now.
    """
    if keyring is None:
        yield {}
        return
    erasing = Erasing(ledger, keyring, ask)
    await asyncio.to_thread(erasing.finish)
    looking = asyncio.create_task(erasing.run())
    try:
        yield {"ErasePerson": erasing.erase}
    finally:
        looking.cancel()


class Erasing:
    """Finishes erasures: what the log says is all that it works from.

    So it can be interrupted at any instant and goes on when it runs again, and a key store that
    comes back from a backup is brought up to the log when a server starts. It does not matter how
    often, or where, an erasure is finished.
    """

    def __init__(
        self,
        ledger: LogReader,
        keyring: Keyring,
        ask: Callable[[str, bytes, Caller, float | None], Awaitable[Answer]],
    ) -> None:
        self._log = ledger
        self._keyring = keyring
        self._ask = ask
        self._finishing = threading.Lock()
        self._position = 0

    async def erase(
        self, raw: bytes, caller: Caller, deadline: float | None, _forbidden: Places = (), /
    ) -> Answer:
        """ErasePerson: has the lane record it, and answers when the key is destroyed.

        Raises:
            LogError: the key could not be destroyed yet. It will be; the same request may be sent
                again.
        """
        answer = await self._ask("ErasePerson", raw, caller, deadline)
        await asyncio.to_thread(self.finish)
        return answer

    def finish(self) -> int:
        """Destroys the keys that erasures since the last time name; tells how many there were.

        The first time it looks at all erasures ever, and costs their number.

        Raises:
            LogUnavailable: the log or the keys cannot be reached now.
        """
        with self._finishing:
            return finish(self._log, self._keyring, self._position, self._seen)

    def _seen(self, position: int) -> None:
        self._position = position

    async def run(self) -> None:
        """Looks for what is unfinished until it is cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                await asyncio.to_thread(self.finish)
            except LogError as error:
                log.warning("erasures are not finished yet", error=str(error))


def finish(
    ledger: LogReader,
    keyring: Keyring,
    after: int = 0,
    seen: Callable[[int], object] = lambda _: None,
) -> int:
    """Destroys the keys named by the erasures after a position; tells how many were there still.

    `seen` gets each position up to which they are destroyed.

    Raises:
        LogUnavailable: the log or the keys cannot be reached now.
    """
    kinds = [PersonErased.DESCRIPTOR.full_name]
    destroyed = 0
    while page := ledger.list_events(event_types=kinds, after=after, limit=PAGE):
        erasures: list[Any] = [sealed_fact_of(record) for record in page]
        destroyed += keyring.destroy([fact.key for fact in erasures if fact.key])
        after = page[-1].position
        seen(after)
    if destroyed:
        # In a process with several keyrings the others learn of it too.
        AT_HAND.look()
    return destroyed
