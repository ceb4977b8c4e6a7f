"""The database of the read models and how rows get into it."""

from __future__ import annotations

import re
from contextlib import closing, contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, Final, Literal, cast

from sqlalchemy import URL, bindparam, create_engine, event, insert
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from projections.errors import ReadModelsUnavailable
from projections.store import postgres

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
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

CATALOGUE: Final = 0
"""In the place of a generation's number: the catalogue of them all."""

RECORDING: Final = ("PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL")
"""What a connection is set up with whose commits are durable."""
_WRITING: Final = (
    "PRAGMA journal_mode=WAL",
    # The tables can be built anew: a crash may cost the last batches, never their consistency.
    "PRAGMA synchronous=NORMAL",
    # Indexes are written all over: their hot pages stay at hand, and many batches share a
    # checkpoint.
    "PRAGMA cache_size=-16384",
    "PRAGMA wal_autocheckpoint=8000",
)
READING: Final = ("PRAGMA query_only=ON", "PRAGMA cache_size=-8192")
"""What a connection is set up with that only reads."""


def views_file(log_file: Path, number: int = CATALOGUE) -> Path:
    """The file of a generation beside a log on SQLite, `x.views-3.db`, or their catalogue's."""
    which = f"-{number}" if number else ""
    return log_file.with_name(f"{log_file.stem}.views{which}{log_file.suffix or '.db'}")


def numbers_there(log: Database) -> set[int]:
    """The generations of which there are files, on SQLite; a schema goes with its catalogue row."""
    if log.is_postgres:
        return set()
    beside = views_file(log.file)
    named = re.compile(re.escape(beside.stem) + r"-(\d+)\..*")
    found = (named.fullmatch(file.name) for file in beside.parent.iterdir())
    return {int(match[1]) for match in found if match}


def dialect_of(log: Database) -> Dialect:
    """How the database of a log is spoken to; asks nobody."""
    return URL.create("postgresql" if log.is_postgres else "sqlite").get_dialect()()


def recorder(log: Database) -> Engine:
    """An engine for the catalogue, each of whose commits is durable."""
    return _writer(log, CATALOGUE, RECORDING)


def writer(log: Database, number: int) -> Engine:
    """An engine for a generation of the read models, whose transactions write.

    On SQLite they hold the write lock from their start.
    """
    return _writer(log, number, _WRITING)


def reader(log: Database, number: int) -> Engine:
    """The same for reading: each transaction sees one state of the tables, from any thread."""
    most = log.readers if log.is_postgres else READERS
    pool = {
        "pool_size": most // 4,
        "max_overflow": most - most // 4,
        "pool_timeout": WAIT_SECONDS,
    }
    if log.is_postgres:
        return postgres.engine(log, number, read_only=True, **pool)
    return file_engine(views_file(log.file, number), READING, "BEGIN", pool)


def _writer(log: Database, number: int, pragmas: Sequence[str]) -> Engine:
    pool = {"pool_size": 1, "max_overflow": 2, "pool_timeout": WAIT_SECONDS}
    if log.is_postgres:
        return postgres.engine(log, number, read_only=False, **pool)
    return file_engine(views_file(log.file, number), pragmas, "BEGIN IMMEDIATE", pool)


def file_engine(file: Path, pragmas: Sequence[str], begin: str, pool: Mapping[str, int]) -> Engine:
    """An engine for a file of SQLite, whose transactions start with `begin`."""
    engine = create_engine(
        URL.create("sqlite", database=str(file)),
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


@contextmanager
def both(log: Database, one: int, other: int) -> Iterator[tuple[Connection, str, str]]:
    """A connection that reads the tables of two generations, and the schema of each there."""
    engine = reader(log, one)
    try:
        with engine.connect() as connection:
            if log.is_postgres:
                postgres.take_time(connection)
                yield (
                    connection,
                    postgres.views_schema(log, one),
                    postgres.views_schema(log, other),
                )
            else:
                with closing(connection.connection.cursor()) as cursor:
                    file = str(views_file(log.file, other))
                    cursor.execute("ATTACH DATABASE ? AS other", (file,))
                yield connection, "main", "other"
    finally:
        engine.dispose()


def begin_alone(connection: Connection) -> None:
    """Lets no other transaction that begins so be open beside this one."""
    if connection.dialect.name == "postgresql":
        postgres.take_turns(connection)


def make_room(connection: Connection) -> None:
    """Makes the schema where the database has schemas and this one is missing."""
    if connection.dialect.name == "postgresql":
        postgres.make_schema(connection)


def take_time(connection: Connection) -> None:
    """Lets each statement of the transaction take as long as it takes."""
    if connection.dialect.name == "postgresql":
        postgres.take_time(connection)


def tell(connection: Connection, log: Database, position: int) -> None:
    """Tells other processes of a position when the transaction ends.

    They hear of it through `projections.following.notices`.
    """
    if log.is_postgres:
        postgres.notify(connection, postgres.views_channel(log), position)


def settle(engine: Engine, tables: Iterable[Table]) -> None:
    """Has full tables ready to serve: durable on SQLite, known to the planner on PostgreSQL."""
    if engine.dialect.name == "postgresql":
        with engine.begin() as connection:
            postgres.take_time(connection)
            postgres.count_rows(connection, tables)
    else:
        with engine.connect() as connection, closing(connection.connection.cursor()) as cursor:
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def drop(connection: Connection, log: Database, number: int) -> None:
    """Removes a generation's tables, which nobody may use; it is no error if there are none."""
    if log.is_postgres:
        postgres.drop_schema(connection, postgres.views_schema(log, number))
        return
    file = views_file(log.file, number)
    for ending in ("", "-wal", "-shm"):
        file.with_name(file.name + ending).unlink(missing_ok=True)


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
