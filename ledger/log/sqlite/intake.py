"""The way into a log on SQLite for records from elsewhere, which keep all that they are."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from ledger.log.clock import now_us
from ledger.log.fitting import check_records, missing_epochs
from ledger.log.sqlite import schema
from ledger.log.sqlite.appending import STREAMS_AT
from ledger.log.sqlite.datastore import LedgerDatastore
from ledger.log.sqlite.reading import SQLiteLogReader, read_epochs, read_head
from ledger.log.sqlite.statements import insert_rows, select_matching

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from ledger.event import Record
    from ledger.log.contract import Epoch, StoredRequest


class SQLiteIntake(SQLiteLogReader):
    """An `Intake` of a file."""

    def __init__(self, datastore: LedgerDatastore) -> None:
        self.datastore = datastore

    def make_tables(self) -> None:
        """Make the tables, or bring those of an older file to the present form."""
        with self._writing("open") as connection:
            schema.lay_out(connection, self.datastore.file, now_us)

    def take(self, records: Sequence[Record], requests: Sequence[StoredRequest]) -> None:
        names = list(dict.fromkeys(record.stream for record in records))
        with self._writing("import into") as connection:
            found = select_matching(connection, STREAMS_AT, names)
            versions = {name: version for name, _, version in found}
            head = read_head(connection)
            check_records(self.datastore.file, head, versions, records, requests)
            keys = {name: key for name, key, _ in found}
            (last_key,) = connection.execute("SELECT ifnull(max(key), 0) FROM streams").fetchone()
            new = [name for name in names if name not in keys]
            keys.update((name, key) for key, name in enumerate(new, start=last_key + 1))
            insert_rows(connection, "streams", [(keys[name], name) for name in new])
            insert_rows(connection, "events", [(r[0], keys[r.stream], *r[2:]) for r in records])
            insert_rows(connection, "requests", requests)

    def complete(self, epochs: Sequence[Epoch]) -> None:
        with self._writing("import into") as connection:
            there = read_epochs(connection)
            insert_rows(connection, "ledger", missing_epochs(self.datastore.file, there, epochs))

    def close(self) -> None:
        """Closes the file. May be called again."""
        self.datastore.close()

    @contextmanager
    def _writing(self, action: str) -> Iterator[sqlite3.Connection]:
        """A transaction on the writing connection; whatever fails is rolled back."""
        with self.datastore.raw(action, writes=True) as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise


def open_intake(file: Path) -> SQLiteIntake:
    """Open a log for records from elsewhere, making it where there is none; it has no other writer.

    Raises:
        LogLocked, LogMismatch, LogUnavailable: as `recorder.open_log`.
    """
    intake = SQLiteIntake(LedgerDatastore(file))
    try:
        intake.make_tables()
    except BaseException:
        intake.close()
        raise
    return intake
