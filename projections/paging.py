"""Pages of lists: how long they are and where they go on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
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
