"""Connections to a log on SQLite: one that writes, and a pool of those that only read."""

from __future__ import annotations

import os
import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING

from eventsourcing import persistence, sqlite

from ledger.log.errors import LogUnavailable
from ledger.log.sqlite.lock import WriterLock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CHECKPOINT_PAGES = 8_000
"""Pages of 4 KiB in the write-ahead log at which a commit copies them into the file.

A batch of 64 touches some 120 pages, most of them again and again: at the default of 1 000 each of
them would be copied, and flushed, every eighth batch.
"""

WRITER_CACHE_KIB = 16_384
LOCK_TIMEOUT_SECONDS = 5
READERS = 8
READERS_AT_MOST = 40

REASONS = {
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_BUSY: "another program has locked it",
    sqlite3.SQLITE_LOCKED: "another program has locked it",
    sqlite3.SQLITE_IOERR: "reading or writing failed",
    sqlite3.SQLITE_READONLY: "it may not be written",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened",
    sqlite3.SQLITE_PERM: "access is denied",
    sqlite3.SQLITE_CORRUPT: "it is damaged",
    sqlite3.SQLITE_NOTADB: "it is not a database",
}


@contextmanager
def translated(file: str, action: str) -> Iterator[None]:
    """Turn the errors of the database and of the pool into `LogUnavailable`."""
    try:
        yield
    except sqlite3.Error as error:
        raise LogUnavailable(file, action, reason_of(error)) from error
    except (persistence.PersistenceError, persistence.ConnectionPoolClosedError) as error:
        cause = error.__cause__
        reason = reason_of(cause) if isinstance(cause, sqlite3.Error) else "no connection is free"
        raise LogUnavailable(file, action, reason) from error


def reason_of(error: sqlite3.Error) -> str:
    """A phrase for the primary part of an error's code."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return REASONS.get(code, "the database failed")


class LedgerTransaction(sqlite.SQLiteTransaction):
    """Takes the write lock at its start, so that what it reads cannot change before it writes."""

    def __enter__(self) -> sqlite.SQLiteCursor:
        cursor = self.connection.cursor()
        try:
            cursor.execute("BEGIN IMMEDIATE" if self.commit else "BEGIN")
        except sqlite3.OperationalError as error:
            raise persistence.OperationalError(error) from error
        return cursor


class LedgerConnection(sqlite.SQLiteConnection):
    """Gives plain tuples, which cost half of rows with names."""

    def __init__(self, raw: sqlite3.Connection, max_age: float | None) -> None:
        super().__init__(raw, max_age)
        self.raw = raw

    @contextmanager
    def transaction(self, *, commit: bool) -> Iterator[sqlite.SQLiteCursor]:
        with LedgerTransaction(self, commit=commit) as cursor, cursor:
            yield cursor


class LedgerConnectionPool(sqlite.SQLiteConnectionPool):
    """Connections for writing, durable at each commit, or for reading only."""

    def __init__(self, file: Path, *, writes: bool) -> None:
        super().__init__(
            # Readers never make the file.
            db_name=f"{file.absolute().as_uri()}?mode={'rwc' if writes else 'rw'}",
            lock_timeout=LOCK_TIMEOUT_SECONDS,
            pool_size=1 if writes else READERS,
            max_overflow=0 if writes else READERS_AT_MOST - READERS,
            pool_timeout=30.0,
        )
        self.writes = writes

    def _create_connection(self) -> LedgerConnection:
        try:
            raw = sqlite3.connect(
                self.db_name,
                uri=True,
                check_same_thread=False,
                isolation_level=None,
                # An insert of each number of rows is a statement of its own.
                cached_statements=512,
                timeout=LOCK_TIMEOUT_SECONDS,
            )
            raw.execute("PRAGMA trusted_schema = OFF")
            if self.writes:
                raw.execute("PRAGMA journal_mode = WAL")
                raw.execute("PRAGMA synchronous = FULL")
                raw.execute("PRAGMA foreign_keys = ON")
                # Without it INSERT OR REPLACE would delete and no trigger would see it.
                raw.execute("PRAGMA recursive_triggers = ON")
                raw.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
                raw.execute(f"PRAGMA cache_size = -{WRITER_CACHE_KIB}")
            else:
                raw.execute("PRAGMA query_only = ON")
        except sqlite3.Error as error:
            raise persistence.OperationalError(error) from error
        return LedgerConnection(raw, self.max_age)

    def put_connection(self, conn: sqlite.SQLiteConnection) -> None:
        if self.closed:
            conn.close()
        else:
            super().put_connection(conn)

    def close(self) -> None:
        """Close what is idle; what is in use is closed by its user, whose query would crash."""
        with self._put_condition:
            self._in_use.clear()
            super().close()


class LedgerDatastore(sqlite.SQLiteDatastore):
    """One file: a single writing connection, behind the file's lock, and a pool of readers.

    The library's own pool lets readers queue behind a waiting writer; two pools do not.

    Raises:
        LogLocked: another writer has the file.
    """

    def __init__(self, file: Path, *, owner_pid: int = 0, read_only: bool = False) -> None:
        super().__init__(str(file), originator_id_type="text")
        self.file = str(file)
        self._lock: WriterLock | None = None
        self._opened: tuple[int, int] | None = None
        self.readers = self.pool = LedgerConnectionPool(file, writes=False)
        self.writer = LedgerConnectionPool(file, writes=True)
        if not read_only:
            self._lock = WriterLock(file, owner_pid)

    @property
    def writable(self) -> bool:
        """Whether it was opened for writing, and is not closed yet."""
        return self._lock is not None

    @contextmanager
    def get_connection(self, *, commit: bool) -> Iterator[LedgerConnection]:
        if commit and not self.writable:
            raise LogUnavailable(self.file, "write", "it was opened for reading only")
        pool = self.writer if commit else self.readers
        connection = pool.get_connection()
        assert isinstance(connection, LedgerConnection)
        try:
            self._require_same_file()
            yield connection
        finally:
            if connection.raw.in_transaction:
                # Its rollback failed too; a new connection starts clean.
                connection.close()
            pool.put_connection(connection)

    @contextmanager
    def raw(self, action: str, *, writes: bool) -> Iterator[sqlite3.Connection]:
        """A connection of the database module itself, for statements that are counted.

        Raises:
            LogUnavailable: whatever the database refused.
        """
        with (
            translated(self.file, action),
            self.get_connection(commit=writes) as connection,
        ):
            yield connection.raw

    def _require_same_file(self) -> None:
        """Refuses to go on where somebody has put another file in the place of the one in use.

        Connections of before would read and write what nobody else sees, and later ones would mix
        the two. About a microsecond.
        """
        try:
            there = os.stat(self.file)  # noqa: PTH116 - each access comes here
        except OSError:
            raise LogUnavailable(self.file, "use", "it is gone from its place") from None
        found = (there.st_dev, there.st_ino)
        if self._opened is None:
            self._opened = found
        elif found != self._opened:
            reason = "another file is in its place; stop the server and start it again"
            raise LogUnavailable(self.file, "use", reason)

    def close(self) -> None:
        """Closes the connections and gives the lock back. May be called again."""
        self.readers.close()
        self.writer.close()
        if self._lock is not None:
            self._lock.release()
            self._lock = None
