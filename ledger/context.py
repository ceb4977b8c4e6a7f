"""What a decision may know besides state."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def instant(microseconds: int) -> datetime:
    """The UTC time of a count of microseconds since 1970."""
    return EPOCH + timedelta(microseconds=microseconds)


@dataclass(frozen=True, slots=True)
class Context:
    """The circumstances of one command.

    `now_us` is the time at which the decision will be recorded, in µs since 1970 UTC. `new_id`
    gives an id that depends on nothing but the request, so that deciding twice gives the same.
    """

    now_us: int
    actor: str
    on_behalf_of: str
    request_id: str
    new_id: Callable[[], str]

    def today(self, time_zone: str) -> date:
        """The calendar day of `now_us` in an IANA time zone."""
        return _day(self.now_us, time_zone)


# All commands of a batch share their time.
@lru_cache(maxsize=64)
def _day(microseconds: int, time_zone: str) -> date:
    return instant(microseconds).astimezone(ZoneInfo(time_zone)).date()
