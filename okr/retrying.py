"""How a call that the service had no room for is made again, when it said and within its time."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

import grpc

from okr.errors import OkrError

SPREAD = 1.5
"""How much longer than it was told a client waits at most, so that not all come back at once."""


class Again:
    """One call across its attempts.

    Only what the service refused for want of room is made again, which no attempt has begun: it
    says so with RESOURCE_EXHAUSTED and a time. UNAVAILABLE is for gRPC itself to retry.
    """

    def __init__(
        self,
        timeout_seconds: float | None,
        *,
        now: Callable[[], float] = time.monotonic,
        jitter: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._now = now
        self._jitter = jitter
        self._until = None if timeout_seconds is None else now() + timeout_seconds

    def left(self) -> float | None:
        """What the next attempt may take, in seconds; None is without a limit."""
        return None if self._until is None else max(0.0, self._until - self._now())

    def pause(self, error: OkrError) -> float:
        """How long to wait, in seconds, before the next attempt.

        Raises:
            OkrError: the one given, where another attempt does not help or comes too late.
        """
        if error.code is not grpc.StatusCode.RESOURCE_EXHAUSTED or error.retry_after is None:
            raise error from None
        pause = self._jitter(error.retry_after, SPREAD * error.retry_after)
        left = self.left()
        if left is not None and pause >= left:
            raise error from None
        return pause
