"""What one caller may take of the service, so that none takes it all.

A quota binds callers whom somebody vouches for. Where callers name themselves it would bind nobody:
they would take another name.
"""

from __future__ import annotations

import random
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import Final

from service.limits import BURST_SECONDS, CALLERS, QUOTA_SECONDS
from service.load import Jitter
from service.refusals import QuotaExceeded

ROUNDING: Final = 1e-6
"""What a caller who comes back just when the next call is due may lack of it."""


@dataclass(frozen=True, slots=True)
class Quota:
    """What a caller may take; 0 is without a limit.

    Of calls per second it may save up those of `BURST_SECONDS`, to have them at once.
    """

    calls_per_second: float = 0.0
    calls: int = 0
    streams: int = 0


class Account:
    """What one caller has now: calls and streams in the server's hands, and calls saved up."""

    __slots__ = ("calls", "filled_at", "saved", "streams")

    def __init__(self, saved: float, filled_at: float) -> None:
        self.calls = 0
        self.streams = 0
        self.saved = saved
        self.filled_at = filled_at


class Quotas:
    """The accounts of the callers, the latest of them in memory. Used on one event loop.

    A call costs about a microsecond.
    """

    def __init__(
        self,
        quota: Quota,
        *,
        remembered: int = CALLERS,
        now: Callable[[], float] = time.monotonic,
        jitter: Jitter = random.uniform,
    ) -> None:
        self._calls = quota.calls or inf
        self._streams = quota.streams or inf
        self._rate = quota.calls_per_second or inf
        self._most = max(1.0, self._rate * BURST_SECONDS)
        self._remembered = remembered
        self._now = now
        self._jitter = jitter
        self._accounts: OrderedDict[str, Account] = OrderedDict()

    def __len__(self) -> int:
        return len(self._accounts)

    def begin(self, actor: str, *, streams: bool) -> Account:
        """Counts a call, or a stream, of a caller; `end` it with the account.

        Raises:
            QuotaExceeded: it would be one too many.
        """
        account = self._account(actor)
        if streams:
            if account.streams >= self._streams:
                raise self._refusal("streams", self._streams, QUOTA_SECONDS)
        elif account.calls >= self._calls:
            raise self._refusal("calls", self._calls, QUOTA_SECONDS)
        if account.saved < 1 - ROUNDING:
            due_seconds = (1 - account.saved) / self._rate
            raise self._refusal("calls_per_second", self._rate, max(QUOTA_SECONDS, due_seconds))
        account.saved -= 1
        if streams:
            account.streams += 1
        else:
            account.calls += 1
        return account

    def end(self, account: Account, *, streams: bool) -> None:
        """The call, or the stream, is over."""
        if streams:
            account.streams -= 1
        else:
            account.calls -= 1

    def _account(self, actor: str) -> Account:
        """The account with what has been saved up by now."""
        now = self._now()
        account = self._accounts.get(actor)
        if account is None:
            self._forget()
            account = self._accounts[actor] = Account(self._most, now)
            return account
        self._accounts.move_to_end(actor)
        if self._rate != inf:
            saved = account.saved + (now - account.filled_at) * self._rate
            account.saved = min(self._most, saved)
            account.filled_at = now
        return account

    def _forget(self) -> None:
        """Makes room; who has a call under way stays, so that it is not counted anew."""
        for _ in range(len(self._accounts)):
            if len(self._accounts) < self._remembered:
                return
            actor, account = self._accounts.popitem(last=False)
            if account.calls or account.streams:
                self._accounts[actor] = account

    def _refusal(self, of: str, limit: float, seconds: float) -> QuotaExceeded:
        return QuotaExceeded(of, f"{limit:g}", self._jitter(seconds, 2 * seconds))
