"""The read models on PostgreSQL: a schema for each generation beside the log's, `okr_views_3`.

Their catalogue is in `okr_views`. A connection from here sees one of these schemas and no other, so
that no statement names it.
"""

from __future__ import annotations

from functools import cache
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from psycopg import Connection as Session
    from sqlalchemy import Connection, Dialect, Engine, Table

    from ledger.log.database import Database
    from projections.read_model import Row

WITH_COPY: Final = 64
"""Rows from which COPY is cheaper than INSERT: it takes three round trips instead of one."""

_READING: Final = {
    # A plan for any values takes ten times as long as one for those at hand, where a statement
    # asks for 128 names, and to plan takes less than a millisecond. No statement is long enough to
    # be worth compiling.
    "plan_cache_mode": "force_custom_plan",
    "jit": "off",
}
GONE_SECONDS: Final = 10
"""After how long PostgreSQL ends the session of a process that is silent, hung or unreachable."""

LASTING: Final = {
    # A process that is frozen in a transaction keeps no row from whoever relieves it.
    "idle_in_transaction_session_timeout": f"{GONE_SECONDS}s",
}
"""What a session writes with whose rows cannot be made anew."""

_WRITING: Final = LASTING | {
    # They can be built anew: a crash may cost the last batches, never their consistency.
    "synchronous_commit": "off",
}


def views_schema(database: Database, number: int) -> str:
    """The schema of a generation of the read models, of their catalogue for 0."""
    return f"{database.schema}_views_{number}" if number else f"{database.schema}_views"


def views_channel(database: Database) -> str:
    """Where followers tell of the position that they have taken the read models to."""
    return f"{database.schema}_views"


def connect(database: Database, schema: str = "") -> Session[Any]:
    """A session that sees a schema alone, the catalogue's by default.

    Each statement is its own transaction.

    Raises:
        LogUnavailable: the URL cannot be understood.
        psycopg.OperationalError: there is no connection to be had now.
    """
    import psycopg

    from ledger.log.postgres.datastore import connection_arguments

    arguments = connection_arguments(database, schema or views_schema(database, 0))
    return psycopg.connect(database.url, autocommit=True, **arguments)


def engine(database: Database, number: int, *, read_only: bool, **pool: int) -> Engine:
    """Sessions for transactions on a generation, or the catalogue, of the read models."""
    changes = None if read_only else _WRITING if number else LASTING
    return engine_on(database, views_schema(database, number), changes, pool)


def engine_on(
    database: Database, schema: str, changes: Mapping[str, str] | None, pool: Mapping[str, int]
) -> Engine:
    """Sessions for transactions: each reading one sees one state, a writing one the newest.

    `changes` are the settings that sessions write with, None where they only read.
    """
    read_only = changes is None

    def session() -> Session[Any]:
        made = connect(database, schema)
        for name, value in (_READING if changes is None else changes).items():
            made.execute("SELECT set_config(%s, %s, false)", (name, value))
        made.autocommit = False
        made.read_only = read_only
        return made

    return create_engine(
        "postgresql+psycopg://",
        creator=session,
        isolation_level="REPEATABLE READ" if read_only else "READ COMMITTED",
        use_native_hstore=False,
        **pool,
    )


def take_turns(connection: Connection) -> None:
    """Waits until no other transaction that takes turns is open in the schema."""
    number = lock_key(schema_of(connection), "turn")
    connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": number})


def take_time(connection: Connection) -> None:
    """Lifts the limit on how long a statement takes for the rest of the transaction."""
    connection.exec_driver_sql("SET LOCAL statement_timeout = 0")


def count_rows(connection: Connection, tables: Iterable[Table]) -> None:
    """Has the planner know the tables at once, not only when they are next looked after."""
    connection.exec_driver_sql(f"ANALYZE {', '.join(table.name for table in tables)}")


def make_schema(connection: Connection) -> None:
    """Makes the schema that the connection sees, if it is missing."""
    connection.exec_driver_sql(f"CREATE SCHEMA IF NOT EXISTS {schema_of(connection)}")


def drop_schema(connection: Connection, schema: str) -> None:
    """Removes a schema and all that is in it; it is no error if there is none."""
    connection.exec_driver_sql(f"DROP SCHEMA IF EXISTS {schema} CASCADE")


def notify(connection: Connection, channel: str, position: int) -> None:
    """Has listeners told of a position once the transaction has ended."""
    connection.execute(
        text("SELECT pg_notify(:channel, :position)"),
        {"channel": channel, "position": str(position)},
    )


def schema_of(connection: Connection) -> str:
    """The schema that the connection sees, whether or not it is there."""
    schema: str = connection.exec_driver_sql("SHOW search_path").scalar_one()
    return schema


def lock_key(schema: str, purpose: str) -> int:
    """The number of an advisory lock, 64 bits with a sign: a schema has its own for a purpose."""
    digest = blake2b(f"okr-ledger {schema} {purpose}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


def copy_rows(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Adds rows by COPY, in the transaction of the connection; fails as its statements do."""
    import psycopg

    session: Any = connection.connection.driver_connection
    statement, types = _copy(table, connection.dialect)
    try:
        with session.cursor() as cursor, cursor.copy(statement) as copy:
            copy.set_types(types)
            for row in rows:
                copy.write_row(row)
    except psycopg.Error as error:
        raise DBAPIError.instance(
            statement, None, error, psycopg.Error, dialect=connection.dialect
        ) from error


@cache
def _copy(table: Table, dialect: Dialect) -> tuple[str, list[str]]:
    """The statement for a table and the types that its values are sent as."""
    names = ", ".join(column.name for column in table.c)
    types = [column.type.compile(dialect=dialect) for column in table.c]
    statement = f"COPY {table.name} ({names}) FROM STDIN (FORMAT BINARY)"
    return statement, [name.partition(" ")[0].lower() for name in types]
