"""An issuer's keys as they are now: fetched, kept through outages, renewed when one is missing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import structlog

from service.identity.key_set import KeySet, KeySetError
from service.refusals import KeysUnavailable

if TYPE_CHECKING:
    from jwt import PyJWK

log = structlog.get_logger()

Fetch = Callable[[], bytes]
"""Reads a key set's text, in a thread of its own; raises OSError or KeySetError."""

PATIENCE_SECONDS: Final = 15.0
"""What a whole fetch gets."""
CALL_SECONDS: Final = 2.0
"""How long a call waits for one: who names keys that do not exist holds no places for longer."""


class Keys:
    """The keys of one issuer, for one event loop; fetched every `every_seconds`.

    After a fetch, good or bad, no call causes another one for `again_seconds`, whatever it names.
    While they cannot be fetched, the last ones serve until they are `max_age_seconds` old.
    `trouble` says why the last fetch failed, and is empty if it did not.
    """

    def __init__(
        self,
        fetch: Fetch,
        every_seconds: float,
        max_age_seconds: float,
        *,
        again_seconds: float,
        call_seconds: float = CALL_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._fetch = fetch
        self._every_seconds = every_seconds
        self._max_age_seconds = max_age_seconds
        self._again_seconds = again_seconds
        self._call_seconds = call_seconds
        self._clock = clock
        self._keys: KeySet | None = None
        self._fetched = self._tried = -float("inf")
        self.trouble = ""
        self._renewing: asyncio.Task[None] | None = None

    def current(self) -> KeySet:
        """The keys: the same object for as long as they are the same.

        Raises:
            KeysUnavailable: there are none yet, or they are too old.
        """
        if self._keys is None or self._clock() - self._fetched > self._max_age_seconds:
            raise KeysUnavailable
        return self._keys

    async def find(self, key_id: str | None, algorithm: str) -> PyJWK | None:
        """The key, None if the issuer has none such; one that is not known is fetched for.

        Raises:
            KeysUnavailable: as `current`, or the issuer is slow.
        """
        known = self.current().find(key_id, algorithm)
        if known is None and self._clock() - self._tried > self._again_seconds:
            try:
                async with asyncio.timeout(self._call_seconds):
                    await self.renew()
            except TimeoutError:
                raise KeysUnavailable from None
            known = self.current().find(key_id, algorithm)
        return known

    async def renew(self) -> None:
        """Fetches the keys now; whoever asks meanwhile waits for the same fetch."""
        if self._renewing is None:
            self._renewing = asyncio.create_task(self._renew())
        # A caller that goes away takes nobody else's fetch along.
        await asyncio.shield(self._renewing)

    async def _renew(self) -> None:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                found = await asyncio.to_thread(self._read)
            if found is not self._keys:
                self._keys, left_out = found, found.left_out
                tell = log.warning if left_out else log.info
                tell("keys of tokens", state="renewed", left_out=left_out)
            self._fetched, self.trouble = self._clock(), ""
        except (OSError, KeySetError) as error:
            trouble = str(error) or type(error).__name__
            if self.trouble != trouble:
                self.trouble = trouble
                # Where it was raised tells an operator nothing.
                log.error("keys of tokens", state="cannot be had", error=self.trouble)  # noqa: TRY400
        finally:
            self._tried = self._clock()
            self._renewing = None

    def _read(self) -> KeySet:
        """The keys as they are published now; reading many takes milliseconds."""
        text, known = self._fetch(), self._keys
        return known if known is not None and known.text == text else KeySet(text)

    async def run(self) -> None:
        """Keeps the keys fresh until it is cancelled."""
        while True:
            await asyncio.sleep(self._again_seconds if self.trouble else self._every_seconds)
            await self.renew()
