"""Pages of what is asked for among candidates of which most may not be."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from projections.paging import Cursor, Listed, Slice, cut, filled, sifted


def candidates(wanted: list[bool], after: int = -1) -> Iterator[tuple[int | None, Cursor]]:
    """Numbers from a cursor on, those that are not asked for as None."""
    for i, is_wanted in enumerate(wanted):
        if i > after:
            yield i if is_wanted else None, (i,)


@settings(deadline=None)
@given(st.lists(st.booleans(), max_size=40), st.integers(1, 6), st.integers(1, 9))
def test_the_pages_hold_all_that_is_asked_for_once(
    wanted: list[bool], limit: int, at_most: int
) -> None:
    found: list[int] = []
    after, pages = -1, 0
    while True:
        page: Listed[int] = sifted(candidates(wanted, after), limit, at_most)
        assert len(page.items) <= limit
        found += page.items
        pages += 1
        if page.next is None:
            break
        assert int(page.next[0]) > after, "each page goes on"
        after = int(page.next[0])
    assert found == [i for i, is_wanted in enumerate(wanted) if is_wanted]
    assert pages <= 1 + len(wanted)


def test_a_page_looks_at_so_many_at_most() -> None:
    looked = 0

    def endless() -> Iterator[tuple[int | None, Cursor]]:
        nonlocal looked
        while True:
            looked += 1
            yield None, (looked,)

    page: Listed[int] = sifted(endless(), 10, 25)

    assert (list(page.items), page.next, looked) == ([], (25,), 26)


def test_a_full_page_says_that_more_follow_only_if_they_do() -> None:
    assert sifted(candidates([True, True, False]), 2).next is None
    assert sifted(candidates([True, True, False, True]), 2).next == (2,)


def pages_of(items: Sequence[int], part: Slice) -> list[Listed[int]]:
    """All pages of the even ones, as a caller asks for them."""

    async def read(of: Slice) -> Listed[int]:
        after = int(of.after[0]) if of.after else -1
        return cut(((n, (i,)) for i, n in enumerate(items) if i > after), of.limit)

    async def asked() -> list[Listed[int]]:
        found = [await filled(read, part, lambda n: n % 2 == 0)]
        while (after := found[-1].next) is not None:
            found.append(await filled(read, replace(part, after=after), lambda n: n % 2 == 0))
        return found

    return asyncio.run(asked())


@settings(deadline=None)
@given(st.lists(st.integers(0, 9), max_size=450), st.integers(1, 250))
def test_pages_are_as_if_there_were_only_what_is_shown(items: list[int], limit: int) -> None:
    pages = pages_of(items, Slice((), limit))

    shown = [n for n in items if n % 2 == 0]
    assert [list(page.items) for page in pages] == [
        shown[i : i + limit] for i in range(0, max(len(shown), 1), limit)
    ]
    ends = [int(page.next[0]) for page in pages if page.next is not None]
    assert [items[i] for i in ends] == [page.items[-1] for page in pages[:-1]]


def test_a_page_is_filled_past_many_that_are_not_shown() -> None:
    (page,) = pages_of([*[1] * 1000, 2, *[3] * 1000], Slice((), 1))

    assert (list(page.items), page.next) == ([2], None)


def test_a_bounded_look_may_leave_a_page_short() -> None:
    async def read(of: Slice) -> Listed[int]:
        return Listed([1, 2], (7,))

    page = asyncio.run(filled(read, Slice((), 5), lambda n: n == 2))

    assert (list(page.items), page.next) == ([2], (7,))
