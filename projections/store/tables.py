"""What the read models' tables have in common.

Every table is insert-only and every row carries the position of its event. So what was known at a
position is found by leaving later rows out, and two reads at one position see the same.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

from sqlalchemy import BigInteger, Column, Integer, MetaData, Text, bindparam, select, union_all

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import CTE

TABLES: Final = MetaData()

WHOLE: Final = BigInteger().with_variant(Integer, "sqlite")
"""A 64-bit integer; SQLite keys a table by its position only where the type says INTEGER."""

TEXT: Final = Text().with_variant(Text(collation="C"), "postgresql")
"""Text in the order of its code points, on both databases and whatever the machine's language is.

An update of the machine's collation would leave indexes in another order than the new one.
"""

WIDTHS: Final = (1, 16, 128)
"""How many names a statement asks for; a statement of each width is compiled once."""


def position_key() -> Column[int]:
    """The primary key of a table with one row for each event; new rows come last."""
    return Column("position", WHOLE, primary_key=True, autoincrement=False)


@cache
def wanted(width: int) -> CTE:
    """A column `name` of `width` parameters, so that one statement asks for many names."""
    return union_all(
        *(select(bindparam(f"name_{i}", type_=TEXT).label("name")) for i in range(width))
    ).cte("wanted")


def pages(names: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """The names in statements: the width of each and its parameters, each name once.

    Places left over ask for the empty name, which no row has.
    """
    left = list(dict.fromkeys(names))
    while left:
        width = next((w for w in WIDTHS if w >= len(left)), WIDTHS[-1])
        page, left = left[:width], left[width:]
        page += [""] * (width - len(page))
        yield width, {f"name_{i}": name for i, name in enumerate(page)}
