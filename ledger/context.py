"""What a decision may know besides state."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def instant(microseconds: int) -> datetime:
    """The UTC time of a count of microseconds since 1970."""
    return EPOCH + timedelta(microseconds=microseconds)


class Context(NamedTuple):
    """The circumstances of one command.

    `now_us` is the time at which the decision will be recorded, in µs since 1970 UTC. `new_id`
    gives an id that depends on nothing but the request, so that deciding twice gives the same.
    `reached` gives the position of the last event that the ledger has by now. `key_of` gives the
    name of the key that a person's texts are sealed with: empty if they have none, None where the
    ledger keeps texts in the clear.
    """

    now_us: int
    actor: str
    on_behalf_of: str
    request_id: str
    new_id: Callable[[], str]
    reached: Callable[[], int]
    key_of: Callable[[str], str | None] = lambda _: None

    def today(self, time_zone: str) -> date:
        """The calendar day of `now_us` in an IANA time zone."""
        return day_in(time_zone, self.now_us)


# All commands of a batch share their time.
@lru_cache(maxsize=64)
def day_in(time_zone: str, microseconds: int) -> date:
    """The calendar day of an instant, µs since 1970 UTC, in an IANA time zone."""
    return instant(microseconds).astimezone(ZoneInfo(time_zone)).date()
