"""Pages of lists: how long they are and where they go on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final, Generic, TypeVar

DEFAULT_SIZE: Final = 100
LARGEST_SIZE: Final = 1000

Item = TypeVar("Item")

Cursor = tuple[str | int, ...]
"""The sort key of a page's last item; () before the first page."""


@dataclass(frozen=True, slots=True)
class Slice:
    """Which page is asked for: at most `limit` items after a cursor."""

    after: Cursor
    limit: int


@dataclass(frozen=True, slots=True)
class Listed(Generic[Item]):
    """A page: its items, and the cursor that the next one goes on after, None on the last."""

    items: Sequence[Item]
    next: Cursor | None


def size(asked: int) -> int:
    """The length of a page for the size that a request gives."""
    return min(asked, LARGEST_SIZE) or DEFAULT_SIZE


SCANNED_AT_MOST: Final = 5000
"""How many items a page looks at to find those that are asked for."""


def sifted(
    candidates: Iterable[tuple[Item | None, Cursor]],
    limit: int,
    scanned_at_most: int = SCANNED_AT_MOST,
) -> Listed[Item]:
    """The first `limit` items that are asked for; the others are None.

    Ends early after so many candidates: the page may then be short or empty, and more may follow.
    """
    found: list[Item] = []
    last: Cursor | None = None
    for scanned, (item, cursor) in enumerate(candidates):
        if scanned == scanned_at_most or (item is not None and len(found) == limit):
            return Listed(found, last)
        if item is not None:
            found.append(item)
        last = cursor
    return Listed(found, None)


FILLED_AT_A_TIME: Final = 200
"""How many items are read to fill a page up in place of some that are not shown."""


async def filled(
    read: Callable[[Slice], Awaitable[Listed[Item]]], part: Slice, shows: Callable[[Item], bool]
) -> Listed[Item]:
    """A page of the items that are shown: as long, and ending, as if there were no others.

    Its cursor is that of an item that is shown, or of one at which a bounded scan has ended.
    """
    found: list[Item] = []
    last: Cursor | None = None
    after = part.after
    asked = part.limit
    while True:
        listed = await read(Slice(after, asked))
        places = [i for i, item in enumerate(listed.items) if shows(item)]
        room = part.limit - len(found)
        if places and not room:
            return Listed(found, last)
        found += [listed.items[i] for i in places[:room]]
        if room and len(found) == part.limit and places[room - 1] < len(listed.items) - 1:
            # Read up to the page's last item, for the cursor of that.
            last = (await read(Slice(after, places[room - 1] + 1))).next
            if len(places) > room:
                return Listed(found, last)
        elif places:
            last = listed.next
        if listed.next is None or len(listed.items) < asked:
            return Listed(found, listed.next)
        after = listed.next
        asked = max(FILLED_AT_A_TIME, part.limit - len(found))


def whole(page: Callable[[Slice], Listed[Item]]) -> Iterator[Item]:
    """All items of a list, page after page."""
    after: Cursor | None = ()
    while after is not None:
        listed = page(Slice(after, LARGEST_SIZE))
        yield from listed.items
        after = listed.next


def cut(items: Iterable[tuple[Item, Cursor]], limit: int) -> Listed[Item]:
    """The first `limit` items; takes one more to see whether there are more."""
    taken = list(islice(items, limit + 1))
    more = len(taken) > limit
    return Listed([item for item, _ in taken[:limit]], taken[limit - 1][1] if more else None)
