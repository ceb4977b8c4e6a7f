"""The database of the read models and how rows get into it."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final, Literal, cast

from sqlalchemy import bindparam, create_engine, event, insert, make_url

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import URL, Connection, Dialect, Engine, Table
    from sqlalchemy.engine.default import DefaultDialect
    from sqlalchemy.engine.interfaces import DBAPIConnection
    from sqlalchemy.pool import ConnectionPoolEntry

    from projections.read_model import Row

ROWS_PER_STATEMENT: Final = 256
"""The most rows that one INSERT takes.

SQLite gives the interpreter lock back at each statement, and beside busy threads each return costs
up to a switch interval: row by row, a batch would take seconds.
"""

READERS: Final = 32
"""The most reads at a time; further ones wait for a connection."""

WAIT_SECONDS: Final = 5
"""How long a write waits for another process's write, a read for a connection."""

_WRITING: Final = (
    "PRAGMA journal_mode=WAL",
    # The tables can be built anew: a crash may cost the last batches, never their consistency.
    "PRAGMA synchronous=NORMAL",
    # Indexes are written all over: their hot pages stay at hand, and many batches share a
    # checkpoint.
    "PRAGMA cache_size=-16384",
    "PRAGMA wal_autocheckpoint=8000",
)
_READING: Final = ("PRAGMA query_only=ON", "PRAGMA cache_size=-8192")


def views_url(log_url: str) -> URL:
    """The database beside a log: of SQLite a file of its own, `x.db` → `x.views.db`, else the same.

    Raises:
        ValueError: a log in memory, which has no place beside it.
    """
    url = make_url(log_url)
    if url.get_backend_name() != "sqlite":
        return url
    if not url.database or url.database == ":memory:":
        raise ValueError("the read models need a log in a file")
    stem, dot, suffix = url.database.rpartition(".")
    if not dot or "/" in suffix:
        stem, suffix = url.database, "db"
    return url.set(database=f"{stem}.views.{suffix}")


def writer(url: URL) -> Engine:
    """An engine whose transactions hold the write lock from their start."""
    return _engine(url, _WRITING, "BEGIN IMMEDIATE", pool_size=1, max_overflow=2)


def reader(url: URL) -> Engine:
    """An engine whose transactions each see one state of the tables, from any thread."""
    if url.get_backend_name() != "sqlite":
        return create_engine(url, isolation_level="REPEATABLE READ", pool_size=READERS)
    return _engine(url, _READING, "BEGIN", pool_size=READERS // 4, max_overflow=READERS * 3 // 4)


def _engine(url: URL, pragmas: Sequence[str], begin: str, **pool: int) -> Engine:
    if url.get_backend_name() != "sqlite":
        return create_engine(url, **pool)
    engine = create_engine(
        url,
        pool_timeout=WAIT_SECONDS,
        # No transactions of the driver's own making: `begin` below starts each.
        connect_args={"isolation_level": None, "timeout": WAIT_SECONDS},
        **pool,
    )

    @event.listens_for(engine, "connect")
    def set_up(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
        cursor = connection.cursor()
        for pragma in pragmas:
            cursor.execute(pragma)
        cursor.close()

    @event.listens_for(engine, "begin")
    def start(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


def insert_rows(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Inserts rows in few statements.

    Their sizes are powers of two, so that a handful of statements serves every batch.
    """
    start = 0
    while start < len(rows):
        size = min(ROWS_PER_STATEMENT, 1 << ((len(rows) - start).bit_length() - 1))
        values = tuple(value for row in rows[start : start + size] for value in row)
        connection.exec_driver_sql(_insert(table, size, connection.dialect), values)
        start += size


@cache
def _insert(table: Table, size: int, dialect: Dialect) -> str:
    parameters: list[dict[str, Any]] = [
        {column.name: bindparam(f"{column.name}_{i}", type_=column.type) for column in table.c}
        for i in range(size)
    ]
    paramstyle: Literal["qmark", "format"] = "qmark" if dialect.paramstyle == "qmark" else "format"
    # A dialect of its own, because only one with positional parameters takes rows as they are.
    positional = cast("type[DefaultDialect]", type(dialect))(paramstyle=paramstyle)
    statement = insert(table).values(parameters)
    # A row that is refused ends the whole transaction. So SQLite need not keep a copy of each page
    # that a statement writes to undo the statement alone, which costs a third of the time.
    statement = statement.prefix_with("OR FAIL", dialect="sqlite")
    return str(statement.compile(dialect=positional))
