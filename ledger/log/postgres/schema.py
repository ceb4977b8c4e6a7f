"""The objects of a log on PostgreSQL, and the steps that lead an older schema to them."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from psycopg.sql import SQL, Identifier

from ledger.log.errors import UNFINISHED, LogMismatch

if TYPE_CHECKING:
    from psycopg import Connection

    from ledger.log.database import Database

TABLES: Final = ("schema_steps", "ledger", "events", "requests")

VERSION: Final = 1
"""The number of folders under `steps`.

A step, once released, is never edited, nor is what a function does under its name: servers of the
version before may still run while a newer one starts.
"""

LOCK: Final = "SELECT pg_advisory_xact_lock(hashtextextended('okr-ledger schema ' || %s, 0))"

EXISTS: Final = "SELECT to_regnamespace(%s) IS NOT NULL"

PRESENT: Final = """
    SELECT c.relname FROM pg_class AS c
    WHERE c.relnamespace = to_regnamespace(%s) AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
"""


def statements(number: int) -> list[str]:
    """The text of each file of a step, in order."""
    folder = files(__package__) / "steps" / str(number)
    named = sorted(
        (file for file in folder.iterdir() if file.name.endswith(".sql")), key=lambda f: f.name
    )
    return [file.read_text("utf-8") for file in named]


def check(connection: Connection[Any], database: Database) -> int:
    """The version of the schema, 0 where there is nothing yet.

    Raises:
        LogMismatch: it holds something else, or was made by a newer version.
    """
    tables = {name for (name,) in connection.execute(PRESENT, [database.schema])}
    if not tables:
        return 0
    if "schema_steps" not in tables:
        reason = f"its schema {database.schema} holds another program's tables; name another schema"
        raise LogMismatch(str(database), reason)
    row = connection.execute("SELECT coalesce(max(version), 0) FROM schema_steps").fetchone()
    assert row is not None
    version = int(row[0])
    if version > VERSION:
        reason = (
            f"a newer version of the program made its schema, {version}, and this one knows"
            f" {VERSION}; install the newer one"
        )
        raise LogMismatch(str(database), reason)
    return version


def migrate(connection: Connection[Any], database: Database, *, make_log: bool = True) -> None:
    """Bring the schema to its present form, in one transaction, and make a log where it is empty.

    Without `make_log` nothing tells yet which log it is. Servers that start at the same time wait
    for each other here, and all but the first find nothing left to do.

    Raises:
        LogMismatch: it holds something else, or was made by a newer version; or, where a log is to
            be made, an import has made it and has not ended.
    """
    with connection.transaction():
        # A step over a long log takes its time, and so does waiting for another server's.
        connection.execute("SET LOCAL statement_timeout = 0")
        connection.execute(LOCK, [database.schema])
        if connection.execute(EXISTS, [database.schema]).fetchone() != (True,):
            connection.execute(SQL("CREATE SCHEMA {}").format(Identifier(database.schema)))
        version = check(connection, database)
        for number in range(version + 1, VERSION + 1):
            for statement in statements(number):
                connection.execute(statement)
            connection.execute("INSERT INTO schema_steps VALUES (%s, clock_us())", [number])
        if make_log:
            if version == 0:
                connection.execute("INSERT INTO ledger VALUES (1, %s, clock_us())", [str(uuid4())])
            require_complete(connection, database)


def require_present(connection: Connection[Any], database: Database) -> None:
    """Refuse a schema that only a writer could bring to its present form.

    Raises:
        LogMismatch: it is missing, older, newer, or something else; or as `require_complete`.
    """
    if (version := check(connection, database)) != VERSION:
        held = f"its schema is {version}" if version else f"there is no log in {database.schema}"
        reason = f"{held}, and this version reads {VERSION}; start a server on it first"
        raise LogMismatch(str(database), reason)
    require_complete(connection, database)


def require_complete(connection: Connection[Any], database: Database) -> None:
    """Refuse a schema that an import has made and not told yet which log it is.

    Raises:
        LogMismatch: it is one.
    """
    if connection.execute("SELECT 1 FROM ledger LIMIT 1").fetchone() is None:
        raise LogMismatch(str(database), UNFINISHED)
