"""Two generations of the read models, compared row by row at one position."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import MetaData, and_, func, or_, select

from projections.store.database import both

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import ColumnElement, Connection, Table

    from ledger.log.database import Database


@dataclass(frozen=True, slots=True)
class Difference:
    """A table that is not the same on both sides, and the first key at which it is not.

    `differing` counts keys that one side alone has or whose rows are not the same.
    """

    table: str
    serving_rows: int
    built_rows: int
    differing: int
    first_key: tuple[Any, ...]

    def __str__(self) -> str:
        key = ", ".join(map(str, self.first_key))
        return (
            f"{self.table}: {self.differing} rows differ, the first at {key};"
            f" {self.serving_rows} rows serve, {self.built_rows} were built"
        )


def compare(
    log: Database, serving: int, built: int, tables: Iterable[Table], position: int
) -> tuple[int, list[Difference]]:
    """How many rows up to a position were compared, every column of each, and what differs.

    The databases do it in one pass by key over each table of either side. Both sides may be
    written to meanwhile: later positions are left out.
    """
    compared, differences = 0, []
    with both(log, serving, built) as (connection, *schemas):
        for table in tables:
            one, other = (_of(table, schema) for schema in schemas)
            serving_rows, built_rows = (_rows(connection, each, position) for each in (one, other))
            compared += built_rows
            keys = [
                *_differing(connection, one, other, position),
                *_differing(connection, other, one, position, missing=True),
            ]
            if keys:
                differing, first = sum(count for count, _ in keys), min(key for _, key in keys)
                differences.append(
                    Difference(table.name, serving_rows, built_rows, differing, first)
                )
    return compared, differences


def _of(table: Table, schema: str) -> Table:
    return table.to_metadata(MetaData(), schema=schema)


def _rows(connection: Connection, table: Table, position: int) -> int:
    """How many rows a table has up to a position."""
    counted = select(func.count()).select_from(table).where(table.c.position <= position)
    return connection.execute(counted).scalar_one()


def _differing(
    connection: Connection, one: Table, other: Table, position: int, *, missing: bool = False
) -> list[tuple[int, tuple[Any, ...]]]:
    """How many rows of a side the other does not have, and the first key; [] if it has all.

    Where only what is `missing` is asked for, a row of the same key counts as had.
    """
    key = list(one.primary_key.columns)
    same_key = and_(*(column == other.c[column.name] for column in key))
    absent: ColumnElement[bool] = other.c.position.is_(None)
    if not missing:
        unequal = (
            column.is_distinct_from(other.c[column.name])
            for column in one.c
            if not column.primary_key
        )
        absent = or_(absent, *unequal)
    rows = one.outerjoin(other, same_key)
    unlike = (one.c.position <= position, absent)
    count = connection.execute(select(func.count()).select_from(rows).where(*unlike)).scalar_one()
    if not count:
        return []
    first = select(*key).select_from(rows).where(*unlike).order_by(*key).limit(1)
    return [(count, tuple(connection.execute(first).one()))]
