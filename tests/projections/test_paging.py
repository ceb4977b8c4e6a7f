"""Pages of what is asked for among candidates of which most may not be."""

from __future__ import annotations

from collections.abc import Iterator

from hypothesis import given, settings
from hypothesis import strategies as st

from projections.paging import Cursor, Listed, sifted


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
