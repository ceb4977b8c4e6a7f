"""Snapshots in an SQLite file of their own, beside that of the log.

Of their own, so that the log's file holds nothing but what is true, its writer never waits, and the
snapshots can be deleted like any cache.
"""

from __future__ import annotations

import sqlite3
import threading
from dataclasses import astuple
from typing import TYPE_CHECKING, Final

import structlog

from ledger.log.snapshots import Snapshot
from ledger.log.sqlite.datastore import LOCK_TIMEOUT_SECONDS, translated

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

FORM: Final = 1
"""The form of the table; a file of another is made anew."""

CREATE: Final = """
    CREATE TABLE snapshots (
        stream        TEXT    PRIMARY KEY,
        version       INTEGER NOT NULL,
        code          BLOB    NOT NULL,
        record_digest BLOB    NOT NULL,
        state         BLOB    NOT NULL,
        digest        BLOB    NOT NULL
    ) STRICT
"""
FIND: Final = (
    "SELECT stream, version, code, record_digest, state, digest FROM snapshots WHERE stream = ?"
)
KEEP: Final = "INSERT OR REPLACE INTO snapshots VALUES (?, ?, ?, ?, ?, ?)"

DAMAGED: Final = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)

log = structlog.get_logger(__name__)


def snapshots_file(log_file: Path) -> Path:
    """Where the snapshots of a log are: `x.db` → `x.snapshots.db`."""
    return log_file.with_name(f"{log_file.stem}.snapshots{log_file.suffix or '.db'}")


class SnapshotFile:
    """A `SnapshotStore` in a file, which the first snapshot makes.

    A damaged file is made anew. One process may have it open, the one that writes to the log.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = threading.Lock()
        """Held by who opens or reads; writing goes on beside."""
        self._writer: sqlite3.Connection | None = None
        self._reader: sqlite3.Connection | None = None

    def find(self, stream: str) -> Snapshot | None:
        with translated(str(self._file), "read"), self._lock:
            if self._reader is None and not self._file.exists():
                return None
            row = self._opened()[1].execute(FIND, (stream,)).fetchone()
        return Snapshot(*row) if row else None

    def keep(self, snapshots: Sequence[Snapshot]) -> None:
        rows = [astuple(snapshot) for snapshot in snapshots]
        with translated(str(self._file), "write"):
            try:
                self._write(rows)
            except sqlite3.DatabaseError as error:
                if not _damaged(error):
                    raise
                self._remove()
                self._write(rows)

    def close(self) -> None:
        """Closes the file. May be called again."""
        for connection in (self._reader, self._writer):
            if connection is not None:
                connection.close()
        self._reader = self._writer = None

    def _write(self, rows: Sequence[tuple[object, ...]]) -> None:
        with self._lock:
            writer, _ = self._opened()
        writer.execute("BEGIN IMMEDIATE")
        try:
            writer.executemany(KEEP, rows)
            writer.execute("COMMIT")
        except BaseException:
            if writer.in_transaction:
                writer.execute("ROLLBACK")
            raise

    def _opened(self) -> tuple[sqlite3.Connection, sqlite3.Connection]:
        """The writing and the reading connection."""
        if self._writer is None or self._reader is None:
            try:
                self._writer, self._reader = self._made(), self._connection()
            except BaseException:
                self.close()
                raise
        return self._writer, self._reader

    def _made(self) -> sqlite3.Connection:
        """A connection to the file, with the table in it."""
        self._writer = writer = self._connection()
        # What a power cut loses or damages can be made again.
        writer.execute("PRAGMA synchronous = OFF")
        writer.execute("PRAGMA journal_mode = WAL")
        (form,) = writer.execute("PRAGMA user_version").fetchone()
        if form != FORM:
            writer.execute("DROP TABLE IF EXISTS snapshots")
            writer.execute(CREATE)
            writer.execute(f"PRAGMA user_version = {FORM}")
        return writer

    def _connection(self) -> sqlite3.Connection:
        return sqlite3.connect(
            self._file,
            check_same_thread=False,
            isolation_level=None,
            timeout=LOCK_TIMEOUT_SECONDS,
        )

    def _remove(self) -> None:
        log.warning("snapshots are made anew", file=str(self._file), reason="the file is damaged")
        with self._lock:
            self.close()
            for suffix in ("", "-wal", "-shm"):
                self._file.with_name(self._file.name + suffix).unlink(missing_ok=True)


def _damaged(error: sqlite3.DatabaseError) -> bool:
    return (getattr(error, "sqlite_errorcode", 0) & 0xFF) in DAMAGED
