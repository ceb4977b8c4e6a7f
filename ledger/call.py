"""What a method may know about the call that it answers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Executor
from contextvars import ContextVar, copy_context
from dataclasses import dataclass
from functools import partial
from typing import Final, NamedTuple, ParamSpec, Protocol, TypeVar

Given = ParamSpec("Given")
Result = TypeVar("Result")


class Caller(NamedTuple):
    """Who calls: `actor` and, unless empty, `on_behalf_of` are "people/{id}" or "services/{id}"."""

    actor: str
    on_behalf_of: str = ""


class Sight(Protocol):
    """What a caller may see of a ledger some objectives of which are private."""

    async def reach(self, position: int) -> bool:
        """Returns when it is known what is private up to a position; whether anything is.

        Raises:
            LogUnavailable: that cannot be told now.
        """

    def hides(self, name: str) -> bool:
        """Whether a resource is hidden from the caller."""

    def shows(self, item: object) -> bool:
        """Whether a message, or a record of the log, is about something that is shown.

        Takes what else is hidden out of a message, in place.
        """


@dataclass(frozen=True, slots=True)
class Call:
    """One call in the server's hands.

    `method` is the full path, "/okr.v1.LedgerService/RecordCheckIn". `deadline` is an instant of
    `time.monotonic()`, None if the caller set none. `sight` is None where everybody sees all.
    """

    method: str
    caller: Caller
    deadline: float | None
    sight: Sight | None = None

    def seconds_left(self, at_most: float) -> float:
        """The time until the deadline, or `at_most` if that is less; never negative."""
        if self.deadline is None:
            return at_most
        return min(at_most, max(0.0, self.deadline - time.monotonic()))


CALL: Final[ContextVar[Call]] = ContextVar("okr_call")
"""The call of the running task, set before its method runs. Threads that a method starts with
`asyncio.to_thread` see it too."""


def sight() -> Sight | None:
    """What the caller of the running call may see; None where that is everything."""
    call = CALL.get(None)
    return None if call is None else call.sight


def shows(item: object) -> bool:
    """Whether the caller of the running call is shown a message or a record; see `Sight`."""
    own = sight()
    return own is None or own.shows(item)


def hides(name: str) -> bool:
    """Whether a resource is hidden from the caller of the running call."""
    own = sight()
    return own is not None and own.hides(name)


THREADS: Final[ContextVar[Executor | None]] = ContextVar("okr_threads", default=None)
"""What the running task's call works on; None for the threads that all share."""


async def in_thread(
    work: Callable[Given, Result], *args: Given.args, **kwargs: Given.kwargs
) -> Result:
    """As `asyncio.to_thread`, on the threads that the call's class has."""
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(
        THREADS.get(), partial(copy_context().run, work, *args, **kwargs)
    )
