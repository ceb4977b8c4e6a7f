"""The pair of instants that a read answers for: what was known then, of which day."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Protocol

from ledger.context import day_in, instant
from ledger.cycles import Cycle
from ledger.event import Record
from ledger.log.contract import Head
from ledger.refusals import DayInFuture, DayOutsideCycle
from ledger.tokens import Page, Tokens
from ledger.values import day as calendar_day
from ledger.values import moment
from okr.v1.values_pb2 import AsOf
from projections.errors import InstantOutOfRange, PositionAhead


class Log(Protocol):
    """What resolving an instant asks of the log."""

    def head(self) -> Head: ...

    def read(self, after_position: int, limit: int) -> list[Record]: ...

    def position_at(self, recorded_us: int) -> int: ...


@dataclass(frozen=True, slots=True)
class Known:
    """What was known: every event up to `position`, at the time `us` (µs since 1970 UTC).

    `day` is the effective day asked for, None for that of the time. `field` is the path of the
    request's field that says so. `asked_us` is the time of the read itself, if that is later: what
    was known then may be asked about any day that has come since.
    """

    position: int
    us: int
    day: date | None
    field: str = "as_of"
    asked_us: int = 0

    def today(self, cycle: Cycle) -> date:
        """The day of the time, in the cycle's zone."""
        return day_in(cycle.definition.time_zone, self.us)

    def day_of(self, cycle: Cycle) -> date:
        """The day that the answer is about: the one asked for, else today within the cycle.

        Raises:
            DayOutsideCycle, DayInFuture: the day asked for is not one of the cycle's, or has not
                come yet.
        """
        today = max(self.today(cycle), cycle.first_day)
        if self.day is None:
            return min(today, cycle.last_check_in_day)
        field = f"{self.field}.effective_at"
        if not cycle.first_day <= self.day <= cycle.last_check_in_day:
            raise DayOutsideCycle(
                field,
                self.day.isoformat(),
                cycle.first_day.isoformat(),
                cycle.last_check_in_day.isoformat(),
            )
        present = max(today, day_in(cycle.definition.time_zone, self.asked_us))
        if self.day > present:
            raise DayInFuture(field, self.day.isoformat(), present.isoformat())
        return self.day


def requested(request: Any, head: int, tokens: Tokens) -> tuple[int, Page | None]:
    """The position that an answer has to wait for, and the page that a list goes on after.

    Raises:
        TokenForeign, TokenLost, PageTokenInvalid: a token of another ledger, future or query.
        PositionAhead: the ledger has not reached the position asked for.
    """
    wanted = tokens.position(request.at_least_as_fresh, head)
    fields = request.DESCRIPTOR.fields_by_name
    page = tokens.page(request, request.page_token, head) if "page_token" in fields else None
    if page is not None:
        wanted = max(wanted, page.position)
    elif "as_of" in fields:
        wanted = max(wanted, reached(request.as_of, head))
    return wanted, page


def reached(as_of: AsOf, head: int) -> int:
    """The position that is asked for, 0 where none is.

    Raises:
        PositionAhead: the ledger has not reached it.
    """
    if as_of.position > head:
        raise PositionAhead(as_of.position, head)
    return as_of.position if as_of.HasField("position") else 0


def known(request: Any, page: Page | None, served: int, log: Log, now: Callable[[], int]) -> Known:
    """What a read knows; `served` is the position that the read models have reached.

    A later page knows what its first page knew.

    Raises:
        InstantOutOfRange: the time lies in the future or before the ledger's first event.
        FieldInvalid: the effective day is not in the calendar, or the time not one of the clock.
    """
    as_of = request.as_of if "as_of" in request.DESCRIPTOR.fields_by_name else AsOf()
    if page is not None:
        day = page.effective_day or _day(as_of, "as_of")
        return Known(page.position, page.us, day, asked_us=now())
    return known_at(as_of, "as_of", served, log, now)


def known_at(as_of: AsOf, field: str, served: int, log: Log, now: Callable[[], int]) -> Known:
    """What is known at a pair of instants; `field` is its path in the request. Else as `known`."""
    day = _day(as_of, field)
    if as_of.HasField("position"):
        return Known(as_of.position, _recorded_us(log, as_of.position, now), day, field, now())
    if as_of.HasField("time"):
        time = moment(as_of.time, f"{field}.time")
        us = time.seconds * 1_000_000 + time.nanos // 1000
        position = 0 if us > now() else log.position_at(us)
        if not position:
            raise InstantOutOfRange(instant(us).isoformat())
        return Known(position, us, day, field, now())
    return Known(served, now(), day, field)


def earlier(since: AsOf, at: Known, log: Log, now: Callable[[], int]) -> Known:
    """The earlier pair of instants of a request that has two; `at` is the later one.

    What was known is what `at` knows where `since` does not say it. Else as `known`.

    Raises:
        PositionAhead: the ledger has not reached the position asked for.
    """
    reached(since, log.head().position)
    found = known_at(since, "since", at.position, log, now)
    return found if since.WhichOneof("known_at") else replace(found, us=at.us)


def _day(as_of: AsOf, field: str) -> date | None:
    if not as_of.HasField("effective_at"):
        return None
    return calendar_day(as_of.effective_at, f"{field}.effective_at")


def _recorded_us(log: Log, position: int, now: Callable[[], int]) -> int:
    records = log.read(position - 1, 1) if position else []
    return records[0].recorded_us if records else now()
