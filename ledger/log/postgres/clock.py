"""The database's clock as a writer far from it knows it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

TRUSTED_SECONDS: Final = 5.0
"""How long a sample is gone by: two machines' clocks hardly drift apart meanwhile."""


class SampledClock:
    """Goes on from the last sample by this machine's monotonic clock.

    What this machine takes the time of day to be plays no part, so a server whose clock is wrong
    does no harm. A sample is taken before it arrives here: the clock lags behind the database's by
    the way back and is, but for drift, never ahead of it.
    """

    def __init__(
        self, sample_us: Callable[[], int], monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._sample_us = sample_us
        self._monotonic = monotonic
        self._at: float | None = None
        self._us = 0

    def set(self, us: int) -> None:
        """Takes what the database's clock showed a moment ago."""
        self._us, self._at = us, self._monotonic()

    def __call__(self) -> int:
        """µs since 1970 UTC; asks the database when the last sample is too old."""
        elapsed = None if self._at is None else self._monotonic() - self._at
        if elapsed is None or elapsed > TRUSTED_SECONDS:
            self.set(self._sample_us())
            return self._us
        return self._us + round(elapsed * 1_000_000)
