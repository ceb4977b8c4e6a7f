"""The database of the read models and how rows get into it."""

from __future__ import annotations

from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, Final, Literal, cast

from sqlalchemy import URL, bindparam, create_engine, event, insert
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from projections import postgres
from projections.errors import ReadModelsUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from sqlalchemy import Connection, Dialect, Engine, Table
    from sqlalchemy.engine.default import DefaultDialect
    from sqlalchemy.engine.interfaces import DBAPIConnection
    from sqlalchemy.pool import ConnectionPoolEntry

    from ledger.log.database import Database
    from projections.read_model import Row

ROWS_PER_STATEMENT: Final = 256
"""The most rows that one INSERT takes.

SQLite gives the interpreter lock back at each statement, and beside busy threads each return costs
up to a switch interval: row by row, a batch would take seconds.
"""

READERS: Final = 32
"""The most reads at a time on SQLite; further ones wait for a connection."""

WAIT_SECONDS: Final = 5
"""How long a write waits for another process's write, a read for a connection."""

UNAVAILABLE: Final = (OperationalError, InterfaceError, PoolTimeout)
"""What says that a database cannot be used now; it may pass by itself."""

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


def views_file(log_file: Path) -> Path:
    """The read models' file beside a log's on SQLite: `x.db` → `x.views.db`."""
    return log_file.with_name(f"{log_file.stem}.views{log_file.suffix or '.db'}")


def writer(log: Database) -> Engine:
    """An engine for the read models beside a log, whose transactions write.

    On SQLite they hold the write lock from their start.
    """
    pool = {"pool_size": 1, "max_overflow": 2, "pool_timeout": WAIT_SECONDS}
    if log.is_postgres:
        return postgres.engine(log, read_only=False, **pool)
    return _engine(log, _WRITING, "BEGIN IMMEDIATE", pool)


def reader(log: Database) -> Engine:
    """The same for reading: each transaction sees one state of the tables, from any thread."""
    most = log.readers if log.is_postgres else READERS
    pool = {
        "pool_size": most // 4,
        "max_overflow": most - most // 4,
        "pool_timeout": WAIT_SECONDS,
    }
    if log.is_postgres:
        return postgres.engine(log, read_only=True, **pool)
    return _engine(log, _READING, "BEGIN", pool)


def _engine(log: Database, pragmas: Sequence[str], begin: str, pool: Mapping[str, int]) -> Engine:
    engine = create_engine(
        URL.create("sqlite", database=str(views_file(log.file))),
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


@contextmanager
def reads_told() -> Iterator[None]:
    """Tells reads that fail for the database's sake by an error of the read models.

    Raises:
        ReadModelsUnavailable: they cannot be read now.
    """
    try:
        yield
    except UNAVAILABLE as error:
        raise ReadModelsUnavailable(str(getattr(error, "orig", error)).strip()) from error


def begin_alone(connection: Connection) -> None:
    """Lets no other transaction that lays tables out be open beside this one."""
    if connection.dialect.name == "postgresql":
        postgres.take_turns(connection)


def insert_rows(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Inserts rows in few statements.

    Their sizes are powers of two, so that a handful of statements serves every batch.
    """
    if connection.dialect.name == "postgresql" and len(rows) >= postgres.WITH_COPY:
        postgres.copy_rows(connection, table, rows)
        return
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
