"""Queries of the read side about a scenario: at any clock, without a server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final

from ledger.context import EPOCH
from projections.as_of import Known
from projections.following.follower import Follower
from projections.paging import Listed, Slice
from tests.projections.feed import Feed, views_beside
from tests.support.scenario import Scenario

Query = Callable[..., Listed[Any]]
WHOLE: Final = Slice((), 1000)


class Asked:
    """The read models of what a scenario has recorded so far."""

    def __init__(self, connection: Any, head: int) -> None:
        self._connection = connection
        self.head = head

    def one(
        self, query: Callable[[Any, Known], Any], clock: str, *, known: int = 0, on: str = ""
    ) -> Any:
        """The answer of a query at an instant (ISO, with its offset)."""
        us = (datetime.fromisoformat(clock) - EPOCH) // EPOCH.resolution
        at = Known(known or self.head, us, date.fromisoformat(on) if on else None)
        return query(self._connection, at)

    def page(
        self, query: Query, request: Any, clock: str, *, part: Slice = WHOLE, **instants: Any
    ) -> Listed[Any]:
        """A page of a list at an instant."""
        found: Listed[Any] = self.one(lambda c, at: query(c, request, at, part), clock, **instants)
        return found

    def all_of(self, query: Query, request: Any, clock: str, **instants: Any) -> list[Any]:
        """The whole list."""
        return list(self.page(query, request, clock, **instants).items)


@contextmanager
def read_models(folder: Path, scenario: Scenario) -> Iterator[Asked]:
    """The read models of a scenario, built in a folder."""
    feed = Feed(records=scenario.records)
    views = views_beside(folder, feed)
    Follower(feed, views).catch_up()
    with views.reading() as reading:
        yield Asked(reading.connection, len(scenario.records))
    views.close()
