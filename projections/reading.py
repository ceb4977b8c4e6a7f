"""How a read is served: it waits to be fresh enough, knows one instant, and says which."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, TypedDict, TypeVar

import structlog
from sqlalchemy import Connection

from ledger.call import CALL, in_thread, sight
from ledger.log.contract import LogReader
from ledger.tokens import Page, PageTokenInvalid, TokenLost, Tokens
from okr.v1.values_pb2 import AsOf
from projections.as_of import Known, known, known_at, reached, requested
from projections.errors import PositionAhead, ReadModelsUnavailable
from projections.paging import Listed, Slice, filled, size
from projections.store.replica import Replica
from projections.store.views import Views

Answer = TypeVar("Answer")
Item = TypeVar("Item")

log = structlog.get_logger(__name__)

LONGEST_WAIT_SECONDS: Final = 30.0
"""How long a read without a deadline, or outside a call, waits to be fresh enough."""


class Served(TypedDict):
    """Where a read was served at."""

    position: int
    token: str


class ServedPage(Served):
    """The same of a page, and where the list goes on; empty on the last page."""

    next_page_token: str


@dataclass(frozen=True, slots=True)
class Reader:
    """Serves reads of one log from its read models, on a replica where that is fresh enough."""

    log: LogReader
    views: Views
    tokens: Tokens
    now: Callable[[], int]
    replica: Replica | None = None

    async def one(
        self, request: Any, answer: Callable[[Connection, Known], Answer]
    ) -> tuple[Answer, Served]:
        """Answers from what the request wants to be known.

        Raises:
            Refusal: the request's tokens or instants are not of this ledger, or the answer's own.
            ProjectionStopped, DeadlinePassed: the tables are not fresh enough.
        """
        at, _ = await self._instant(request)
        return await self.at(answer, at), self.served(at.position)

    async def page(
        self, request: Any, answer: Callable[[Connection, Known, Slice], Listed[Item]]
    ) -> tuple[Listed[Item], ServedPage]:
        """The same of one page of a list; later pages know what the first one knew.

        Raises:
            PageTokenInvalid: the list has no such place, so somebody made the token by themselves.
        """
        at, page = await self._instant(request)
        part = Slice(page.after if page else (), size(request.page_size))
        try:
            listed = await self._page(answer, part, at)
        except (TypeError, ValueError, OverflowError) as error:
            if page is None:
                raise
            log.warning("page token that names no place", reason=repr(error))
            raise PageTokenInvalid from None
        token = ""
        if listed.next is not None:
            token = self.tokens.page_token(request, Page(at.position, at.us, at.day, listed.next))
        return listed, {**self.served(at.position), "next_page_token": token}

    async def _page(
        self, answer: Callable[[Connection, Known, Slice], Listed[Item]], part: Slice, at: Known
    ) -> Listed[Item]:
        """A page, without what is hidden from the caller."""

        def read(of: Slice) -> Awaitable[Listed[Item]]:
            return self.at(lambda c, k: answer(c, k, of), at)

        own = sight()
        if own is None or not await own.reach(at.position):
            return await read(part)
        return await filled(read, part, own.shows)

    async def at_each(
        self,
        request: Any,
        instants: Mapping[str, AsOf],
        answer: Callable[[Connection, Sequence[Known]], Answer],
    ) -> Answer:
        """Answers from what is known at several pairs of instants, by their paths in the request.

        Errors as `one`.
        """
        head = (await asyncio.to_thread(self.log.head)).position
        wanted = self.tokens.position(request.at_least_as_fresh, head)
        wanted = max(wanted, *(reached(as_of, head) for as_of in instants.values()))
        served = await self._reached(wanted)
        found = [
            await asyncio.to_thread(known_at, as_of, path, served, self.log, self.now)
            for path, as_of in instants.items()
        ]
        latest = max(found, key=lambda each: each.position)
        return await self.at(lambda c, _: answer(c, found), latest)

    async def _instant(self, request: Any) -> tuple[Known, Page | None]:
        try:
            # The log is asked only for positions that are not known to be there.
            wanted, page = requested(request, self.views.progress.position, self.tokens)
        except (TokenLost, PositionAhead):
            head = (await asyncio.to_thread(self.log.head)).position
            wanted, page = requested(request, head, self.tokens)
        served = await self._reached(wanted)
        return await asyncio.to_thread(known, request, page, served, self.log, self.now), page

    async def _reached(self, wanted: int) -> int:
        """The position to answer at: a wanted one or a later one that is there by now."""
        if self.replica is not None and (there := self.replica.served(wanted)) is not None:
            return there
        await self.views.wait_for(wanted, _patience())
        return self.views.progress.position

    async def at(self, answer: Callable[[Connection, Known], Answer], at: Known) -> Answer:
        """Answers from what was known at an instant.

        Raises:
            Refusal: the answer's own.
            ProjectionStopped, DeadlinePassed: the tables have not come to that instant.
            LogUnavailable: what is hidden cannot be told.
        """
        if own := sight():
            await own.reach(at.position)
        if self.replica is not None and self.replica.position >= at.position:
            with suppress(ReadModelsUnavailable):
                found = await in_thread(_answer, self.replica, answer, at)
                if found is not None:
                    return found[0]
        while True:
            # They may have been thrown away since they were waited for, to be built again.
            await self.views.wait_for(at.position, _patience())
            found = await in_thread(_answer, self.views, answer, at)
            if found is not None:
                return found[0]

    def served(self, position: int) -> Served:
        """What an answer says that takes every event up to a position into account."""
        return {"position": position, "token": self.tokens.token(position)}


def _answer(
    place: Views | Replica, answer: Callable[[Connection, Known], Answer], at: Known
) -> tuple[Answer] | None:
    """The answer, or None where the tables do not hold the position.

    A read that meets a connection that was lost is done once more: it is the first to see that all
    of them were, when the database has started again.
    """
    try:
        return _answer_once(place, answer, at)
    except ReadModelsUnavailable as error:
        if not getattr(error.__cause__, "connection_invalidated", False):
            raise
    return _answer_once(place, answer, at)


def _answer_once(
    place: Views | Replica, answer: Callable[[Connection, Known], Answer], at: Known
) -> tuple[Answer] | None:
    with place.reading() as reading:
        if reading.position < at.position:
            return None
        return (answer(reading.connection, at),)


def _patience() -> float:
    call = CALL.get(None)
    return call.seconds_left(LONGEST_WAIT_SECONDS) if call else LONGEST_WAIT_SECONDS
