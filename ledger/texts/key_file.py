"""Keys in an SQLite file of their own, beside that of the log, which only its owner can read.

There is no write-ahead log, and what is overwritten is overwritten with zeros: once a key is
destroyed, no file of the store holds it. What the file system keeps of freed blocks is beyond it.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Final

from ledger.durable import flush_names
from ledger.log.sqlite.datastore import LOCK_TIMEOUT_SECONDS, translated
from ledger.texts.store import Header, KeysMismatch, StoredKey

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

FORM: Final = 1
"""The form of the tables."""

APPLICATION_ID: Final = int.from_bytes(b"OKRK")
"""Marks the file as ours in its header."""

CREATE: Final = (
    """
    CREATE TABLE store (
        singleton   INTEGER PRIMARY KEY CHECK (singleton = 1),
        log_id      TEXT    NOT NULL,
        plain_until INTEGER NOT NULL,
        erasures    INTEGER NOT NULL,
        secret      BLOB    NOT NULL,
        snapshots   BLOB    NOT NULL
    ) STRICT
    """,
    # Whose a key is, is told by a keyed digest: the file names nobody.
    """
    CREATE TABLE keys (
        name      TEXT PRIMARY KEY,
        pseudonym BLOB NOT NULL UNIQUE,
        secret    BLOB
    ) STRICT
    """,
)


def keys_file(log_file: Path) -> Path:
    """Where the keys of a log are unless told otherwise: `x.db` → `x.keys.db`."""
    return log_file.with_name(f"{log_file.stem}.keys{log_file.suffix or '.db'}")


class KeyFile:
    """A `KeyStore` in a file that exists; `made` makes one."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = threading.Lock()
        with translated(str(file), "open"):
            self._connection = _connected(file)
            try:
                told = self._connection.execute("PRAGMA application_id").fetchone()
                form = self._connection.execute("PRAGMA user_version").fetchone()
            except BaseException:
                self._connection.close()
                raise
        if (told, form) != ((APPLICATION_ID,), (FORM,)):
            self._connection.close()
            raise KeysMismatch(str(file), "it is not a key store that this version knows")

    @classmethod
    def made(cls, file: Path, log_id: str, plain_until: int) -> KeyFile:
        """A new store, in a file that is not there or empty; one that is there stays as it is."""
        os.close(os.open(file, os.O_CREAT | os.O_WRONLY, 0o600))
        with translated(str(file), "make"), closing(_connected(file)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            if not _tables(connection):
                for statement in CREATE:
                    connection.execute(statement)
                row = (log_id, plain_until, os.urandom(32), os.urandom(32))
                connection.execute("INSERT INTO store VALUES (1, ?, ?, 0, ?, ?)", row)
                connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                connection.execute(f"PRAGMA user_version = {FORM}")
            connection.execute("COMMIT")
        flush_names(file)
        return cls(file)

    @staticmethod
    def is_there(file: Path) -> bool:
        """Whether there is a store, or something else; an empty file is what a crash has left.

        Raises:
            LogUnavailable: it cannot be opened.
        """
        if not file.exists():
            return False
        with translated(str(file), "open"), closing(_connected(file)) as connection:
            return bool(_tables(connection))

    def header(self) -> Header:
        with self._used("read") as connection:
            row = connection.execute(
                "SELECT log_id, plain_until, erasures, secret, snapshots FROM store"
            ).fetchone()
        return Header(*row)

    def of_person(self, pseudonym: bytes) -> StoredKey | None:
        with self._used("read") as connection:
            return _found(connection, "pseudonym", pseudonym)

    def named(self, name: str) -> StoredKey | None:
        with self._used("read") as connection:
            return _found(connection, "name", name)

    def make(self, pseudonym: bytes, key: StoredKey) -> StoredKey:
        with self._used("write") as connection:
            connection.execute(
                "INSERT INTO keys VALUES (?, ?, ?) ON CONFLICT (pseudonym) DO NOTHING",
                (key.name, pseudonym, key.secret),
            )
            kept = _found(connection, "pseudonym", pseudonym)
        assert kept is not None
        return kept

    def destroy(self, names: Collection[str]) -> int:
        destroyed = 0
        with self._used("write") as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                for name in names:
                    destroyed += connection.execute(
                        "UPDATE keys SET secret = NULL WHERE name = ? AND secret IS NOT NULL",
                        (name,),
                    ).rowcount
                if destroyed:
                    connection.execute(
                        "UPDATE store SET erasures = erasures + ?, snapshots = ?",
                        (destroyed, os.urandom(32)),
                    )
                connection.execute("COMMIT")
            except BaseException:
                connection.execute("ROLLBACK")
                raise
        return destroyed

    def close(self) -> None:
        """Closes the file. May be called again."""
        with self._lock:
            self._connection.close()

    @contextmanager
    def _used(self, action: str) -> Iterator[sqlite3.Connection]:
        with translated(str(self._file), action), self._lock:
            yield self._connection


def _found(connection: sqlite3.Connection, column: str, value: str | bytes) -> StoredKey | None:
    # The column's name is one of ours.
    query = f"SELECT name, secret FROM keys WHERE {column} = ?"  # noqa: S608
    row = connection.execute(query, (value,)).fetchone()
    return StoredKey(*row) if row else None


def _tables(connection: sqlite3.Connection) -> int:
    (number,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    return int(number)


def _connected(file: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"{file.absolute().as_uri()}?mode=rw",
        uri=True,
        check_same_thread=False,
        isolation_level=None,
        timeout=LOCK_TIMEOUT_SECONDS,
    )
    connection.execute("PRAGMA secure_delete = ON")
    # Emptied at each commit: what a page held before does not stay in the journal either.
    connection.execute("PRAGMA journal_mode = TRUNCATE")
    connection.execute("PRAGMA synchronous = FULL")
    return connection
