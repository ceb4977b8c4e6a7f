"""What a method may know about the call that it answers."""

from __future__ import annotations

import time
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final, NamedTuple


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
