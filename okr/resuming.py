"""How a stream goes on when it ends: a watch after the last answer that its caller was given."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Any, Final, Generic, Protocol, TypeVar

import grpc
from google.protobuf.message import Message

from okr.errors import OkrError
from okr.retrying import SPREAD

DEFAULT_PATIENCE_SECONDS: Final = 60.0
"""How long a client tries to open a stream again before it fails."""

FIRST_PAUSE_SECONDS: Final = 0.1
LONGEST_PAUSE_SECONDS: Final = 2.0

# What gRPC itself says of a connection that is gone; a server's own errors carry a reason.
_BROKEN: Final = (
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.UNKNOWN,
)


class Answer(Protocol):
    """An answer of a watch."""

    @property
    def token(self) -> str: ...


Request = TypeVar("Request", bound=Message)


class Patience:
    """How long to wait before a stream is opened again, and when that is given up.

    It is when no stream has brought an answer for `patience_seconds`, counted from the first
    failure. A stream that ends because its credential has expired is opened again once, with the
    credential that the client has by now.
    """

    def __init__(
        self,
        patience_seconds: float,
        *,
        now: Callable[[], float] = time.monotonic,
        jitter: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._patience_seconds = patience_seconds
        self._now = now
        self._jitter = jitter
        self._failing_since: float | None = None
        self._pause = FIRST_PAUSE_SECONDS
        self._was_known = False

    def worked(self) -> None:
        """The stream has brought an answer."""
        self._was_known = True
        self._failing_since = None
        self._pause = FIRST_PAUSE_SECONDS

    def pause(self, error: OkrError) -> float:
        """How long to wait, in seconds, before the stream is opened again.

        Raises:
            OkrError: the one given, where opening it again does not help or has failed too long.
        """
        expired = self._was_known and error.code is grpc.StatusCode.UNAUTHENTICATED
        if not (expired or _passes(error)):
            raise error
        self._was_known = self._was_known and not expired
        now = self._now()
        if self._failing_since is None:
            self._failing_since = now
        if now - self._failing_since >= self._patience_seconds:
            raise error
        pause = self._jitter(self._pause / 2, self._pause)
        self._pause = min(2 * self._pause, LONGEST_PAUSE_SECONDS)
        told = error.retry_after or 0.0
        return max(pause, self._jitter(told, SPREAD * told))


class Resuming(Patience, Generic[Request]):
    """One watch across its streams: what to ask next, and how long to wait before."""

    def __init__(self, request: Request, patience_seconds: float, **given: Any) -> None:
        super().__init__(patience_seconds, **given)
        self.request = type(request)()
        self.request.CopyFrom(request)

    def took(self, answer: Answer) -> None:
        """The caller is given an answer: the next stream begins after it."""
        self.request.resume_token = answer.token  # type: ignore[attr-defined]  # every watch has one
        self.worked()


def ended() -> OkrError:
    """What it means that a stream ended without an error before it should have."""
    return OkrError(grpc.StatusCode.UNAVAILABLE, "", "the stream was ended on its way")


def _passes(error: OkrError) -> bool:
    """Whether a stream that ended so may be opened again."""
    if error.reason:
        return error.retry_after is not None
    return error.code in _BROKEN
