"""The tables of a log on SQLite, and the steps that lead an older file to them."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING
from uuid import uuid4

from ledger.log.errors import UNFINISHED, LogMismatch

if TYPE_CHECKING:
    from collections.abc import Callable

APPLICATION_ID = int.from_bytes(b"OKRL")
"""Marks the file as ours in its header."""

TABLES = ("schema_steps", "ledger", "streams", "events", "requests")

CREATE = (
    # A row for each step taken. The numbers in the file's header, which tools show, do not
    # survive a dump; this does.
    """
    CREATE TABLE schema_steps (
        version    INTEGER PRIMARY KEY,
        applied_us INTEGER NOT NULL
    ) STRICT
    """,
    # Which log this is: the row of the highest epoch counts.
    """
    CREATE TABLE ledger (
        log_id     TEXT    NOT NULL,
        epoch      INTEGER NOT NULL CHECK (epoch >= 1),
        created_us INTEGER NOT NULL
    ) STRICT
    """,
    # Keys for names: they make a file of check-ins a fifth smaller.
    """
    CREATE TABLE streams (
        key  INTEGER PRIMARY KEY,
        name TEXT    NOT NULL UNIQUE
    ) STRICT
    """,
    # The position is a column of its own, so that dump, restore and VACUUM keep it.
    """
    CREATE TABLE events (
        position       INTEGER PRIMARY KEY,
        stream         INTEGER NOT NULL REFERENCES streams (key),
        stream_version INTEGER NOT NULL,
        event_type     TEXT    NOT NULL,
        recorded_us    INTEGER NOT NULL,
        metadata       BLOB    NOT NULL,
        payload        BLOB    NOT NULL,
        UNIQUE (stream, stream_version)
    ) STRICT
    """,
    # Rare facts are asked for by type ("every plan commitment"). New entries of a type stand
    # side by side, so it costs an append next to nothing.
    """
    CREATE INDEX events_by_type ON events (event_type)
    """,
    # Rows in order of position with a slim unique index cost 40 % less to write than rows in
    # order of (principal, request id), which is random.
    """
    CREATE TABLE requests (
        first_position INTEGER PRIMARY KEY REFERENCES events (position),
        last_position  INTEGER NOT NULL,
        request_digest BLOB    NOT NULL UNIQUE,
        content_hash   BLOB    NOT NULL
    ) STRICT
    """,
    *(
        f"""
        CREATE TRIGGER {table}_refuse_{verb.lower()} BEFORE {verb} ON {table}
        BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END
        """
        for table in TABLES
        for verb in ("UPDATE", "DELETE")
    ),
)

STEPS: tuple[tuple[str, ...], ...] = (CREATE,)
"""Statements that lead from schema version 0, 1, 2 … to the next."""

VERSION = len(STEPS)


def check(connection: sqlite3.Connection, file: str) -> int:
    """The file's schema version, 0 for an empty file.

    Raises:
        LogMismatch: the file is something else, or was written by a newer version.
    """
    (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema")}
    if application_id not in {0, APPLICATION_ID} or (tables and "schema_steps" not in tables):
        raise LogMismatch(file, "it is another program's database")
    if not tables:
        return 0
    (version,) = connection.execute("SELECT max(version) FROM schema_steps").fetchone()
    if version > VERSION:
        raise LogMismatch(file, f"its schema is {version}, and this version knows {VERSION}")
    return int(version)


def lay_out(connection: sqlite3.Connection, file: str, clock: Callable[[], int]) -> int:
    """Bring the tables to the present form, in the transaction that the caller has begun.

    Returns the version that the schema had, 0 for an empty file: then the log is none yet, since
    nothing tells which it is.

    Raises:
        LogMismatch: the file is something else, or was written by a newer version.
    """
    version = check(connection, file)
    for number, step in enumerate(STEPS[version:], start=version + 1):
        for statement in step:
            connection.execute(statement)
        connection.execute("INSERT INTO schema_steps VALUES (?, ?)", (number, clock()))
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {VERSION}")
    return version


def migrate(connection: sqlite3.Connection, file: str, clock: Callable[[], int]) -> None:
    """Bring the file to the present form, and make it a log where it is empty; else as `lay_out`.

    Raises:
        LogMismatch: as `lay_out`; or an import has made the file and has not ended.
    """
    if lay_out(connection, file, clock) == 0:
        connection.execute("INSERT INTO ledger VALUES (?, 1, ?)", (str(uuid4()), clock()))
    require_complete(connection, file)


def require_present(connection: sqlite3.Connection, file: str) -> None:
    """Refuse a file that only a writer could bring to the present form.

    Raises:
        LogMismatch: the file is older, newer, or something else; or as `require_complete`.
    """
    if (version := check(connection, file)) != VERSION:
        raise LogMismatch(file, f"its schema is {version}, and this version reads {VERSION}")
    require_complete(connection, file)


def require_complete(connection: sqlite3.Connection, file: str) -> None:
    """Refuse a file that an import has made and not told yet which log it is.

    Raises:
        LogMismatch: it is one.
    """
    if connection.execute("SELECT 1 FROM ledger LIMIT 1").fetchone() is None:
        raise LogMismatch(file, UNFINISHED)
