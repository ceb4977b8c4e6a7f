"""What a method may know about the call that it answers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Executor
from contextvars import ContextVar, copy_context
from dataclasses import dataclass
from functools import partial
from typing import Final, NamedTuple, ParamSpec, TypeVar

Given = ParamSpec("Given")
Result = TypeVar("Result")


class Caller(NamedTuple):
    """Who calls: `actor` and, unless empty, `on_behalf_of` are "people/{id}" or "services/{id}"."""

    actor: str
    on_behalf_of: str = ""


@dataclass(frozen=True, slots=True)
class Call:
    """One call in the server's hands.

    `method` is the full path, "/okr.v1.LedgerService/RecordCheckIn". `deadline` is an instant of
    `time.monotonic()`, None if the caller set none.
    """

    method: str
    caller: Caller
    deadline: float | None

    def seconds_left(self, at_most: float) -> float:
        """The time until the deadline, or `at_most` if that is less; never negative."""
        if self.deadline is None:
            return at_most
        return min(at_most, max(0.0, self.deadline - time.monotonic()))


CALL: Final[ContextVar[Call]] = ContextVar("okr_call")
"""The call of the running task, set before its method runs. Threads that a method starts with
`asyncio.to_thread` see it too."""

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
