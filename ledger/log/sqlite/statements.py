"""Statements over many rows.

Each step of a statement gives up the interpreter's lock and takes it again, which under load means
waiting for the thread that has it. So a batch is written and looked up in few steps, whatever its
size.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Sequence

ROWS_A_STATEMENT = 64
"""The most rows of one statement. Each number up to it is compiled once and kept."""


def insert_rows(
    connection: sqlite3.Connection, table: str, rows: Sequence[tuple[Any, ...]]
) -> None:
    """Insert rows, each with a value for every column, in ⌈rows / 64⌉ statements.

    An error leaves some of the rows: the caller has to roll its transaction back.
    """
    for chunk in chunks(rows):
        statement = _insert(table, len(chunk), len(chunk[0]))
        connection.execute(statement, tuple(chain.from_iterable(chunk)))


def select_matching(connection: sqlite3.Connection, query: str, values: Sequence[Any]) -> list[Any]:
    """The rows of a query over the values, which it calls `wanted(value)`.

    The list is filled up to a power of two with its last value, so that few statements are
    compiled; the query must not mind a value that comes twice.
    """
    found: list[Any] = []
    for chunk in chunks(values):
        size = 1 << (len(chunk) - 1).bit_length()
        padded = [*chunk, *repeat(chunk[-1], size - len(chunk))]
        found += connection.execute(_wanted(size) + query, padded).fetchall()
    return found


def chunks(rows: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(rows), ROWS_A_STATEMENT):
        yield rows[start : start + ROWS_A_STATEMENT]


@lru_cache(maxsize=4 * ROWS_A_STATEMENT)
def _insert(table: str, rows: int, columns: int) -> str:
    row = f"({','.join('?' * columns)})"
    # OR FAIL: the default would keep a copy of each page that the statement changes, to undo it
    # alone.
    # The table's name is one of ours.
    return f"INSERT OR FAIL INTO {table} VALUES {','.join([row] * rows)}"  # noqa: S608


@lru_cache(maxsize=ROWS_A_STATEMENT)
def _wanted(size: int) -> str:
    return f"WITH wanted (value) AS (VALUES {','.join(['(?)'] * size)}) "
