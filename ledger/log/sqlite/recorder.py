"""The event log on SQLite, on the extension points of the library beneath."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eventsourcing.sqlite import SQLiteApplicationRecorder

from ledger.log.clock import now_us
from ledger.log.library import Notifications, stored_fact
from ledger.log.sqlite import schema
from ledger.log.sqlite.appending import STREAMS_AT, Appender
from ledger.log.sqlite.datastore import LedgerDatastore
from ledger.log.sqlite.reading import RECORDS, SQLiteLogReader, read_head
from ledger.log.sqlite.snapshots import SnapshotFile, snapshots_file
from ledger.log.sqlite.statements import insert_rows, select_matching
from ledger.log.stored import StoredFact

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Collection, Iterator, Sequence

    from eventsourcing.persistence import StoredEvent
    from eventsourcing.sqlite import SQLiteCursor

    from ledger.log.contract import Append, LogIdentity, Outcome
    from ledger.log.snapshots import SnapshotStore


class LedgerRecorder(SQLiteLogReader, Notifications, SQLiteApplicationRecorder):
    """A log in a file, an `EventLog`; for the library an application recorder with text ids.

    The library's way of writing, `insert_events`, takes the stream versions as given and is all or
    nothing; `append_batch` is the service's.
    """

    datastore: LedgerDatastore
    shared = False

    def __init__(
        self, datastore: LedgerDatastore, *, clock: Callable[[], int] = now_us, **_: Any
    ) -> None:
        super().__init__(datastore, "events")
        self.clock = clock
        self._appender = Appender()

    def append_batch(self, appends: Sequence[Append], recorded_us: int) -> list[Outcome]:
        with self._writing("append to") as connection:
            return self._appender.append(connection, appends, recorded_us)

    def stream_versions(self, streams: Collection[str]) -> dict[str, int]:
        with self.datastore.raw("read", writes=False) as connection:
            rows = select_matching(connection, STREAMS_AT, list(streams))
        return {name: version for name, _, version in rows}

    def snapshot_store(self) -> SnapshotStore:
        return SnapshotFile(snapshots_file(Path(self.datastore.file)))

    def begin_epoch(self) -> LogIdentity:
        before = self.identity()
        with self._writing("append to") as connection:
            now = self.clock()
            row = (before.log_id, max(before.epoch + 1, now // 1_000_000), now)
            connection.execute("INSERT INTO ledger VALUES (?, ?, ?)", row)
        return self.identity()

    def close(self) -> None:
        """Closes the file. May be called again."""
        self.datastore.close()

    @contextmanager
    def _writing(self, action: str) -> Iterator[sqlite3.Connection]:
        """The writing connection; whatever fails is rolled back, and nothing is remembered."""
        with self.datastore.raw(action, writes=True) as connection:
            try:
                yield connection
            except BaseException:
                self._appender.forget()
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    def construct_create_table_statements(self) -> list[str]:
        return []

    def create_table(self) -> None:
        """Make the tables, or bring those of an older file to the present form."""
        with self._writing("open") as connection:
            connection.execute("BEGIN IMMEDIATE")
            schema.migrate(connection, self.datastore.file, self.clock)
            connection.execute("COMMIT")

    def check_tables(self) -> None:
        """Refuse a file whose tables are not of the present form; for those who only read."""
        with self.datastore.raw("open", writes=False) as connection:
            schema.require_present(connection, self.datastore.file)

    def _insert_events(
        self, c: SQLiteCursor, stored_events: Sequence[StoredEvent], **kwargs: Any
    ) -> Sequence[int]:
        connection = c.sqlite_cursor.connection
        self._appender.forget()
        head = read_head(connection)
        recorded_us = max(head.recorded_us, self.clock())
        names = list(dict.fromkeys(str(event.originator_id) for event in stored_events))
        query = "SELECT name, key FROM wanted CROSS JOIN streams ON name = value"
        keys: dict[str, int] = dict(select_matching(connection, query, names))
        (last_key,) = connection.execute("SELECT ifnull(max(key), 0) FROM streams").fetchone()
        new = [name for name in names if name not in keys]
        keys.update((name, key) for key, name in enumerate(new, start=last_key + 1))
        insert_rows(connection, "streams", [(keys[name], name) for name in new])
        rows = [
            (
                position,
                keys[str(event.originator_id)],
                event.originator_version,
                event.topic,
                recorded_us,
                event.metadata if isinstance(event, StoredFact) else b"",
                event.state,
            )
            for position, event in enumerate(stored_events, start=head.position + 1)
        ]
        insert_rows(connection, "events", rows)
        return [row[0] for row in rows]

    def select_events(
        self,
        originator_id: object,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> list[StoredEvent]:
        query = f"{RECORDS} WHERE name = ?"
        parameters: list[str | int] = [str(originator_id)]
        if gt is not None:
            query += " AND stream_version > ?"
            parameters.append(gt)
        if lte is not None:
            query += " AND stream_version <= ?"
            parameters.append(lte)
        query += f" ORDER BY stream_version {'DESC' if desc else 'ASC'} LIMIT ?"
        parameters.append(-1 if limit is None else limit)
        return [stored_fact(record) for record in self._records(query, parameters)]

    def max_notification_id(self) -> int:
        # The library's contract is None for an empty log; its class for SQLite says int.
        return self.head().position or None  # type: ignore[return-value]


def open_log(
    file: Path,
    *,
    clock: Callable[[], int] = now_us,
    owner_pid: int = 0,
    read_only: bool = False,
) -> LedgerRecorder:
    """Open a log, making it where there is none, or an existing one for reading only.

    `clock` gives µs since 1970 UTC. One writer at a time may have the file, for as long as it is
    open; any number of readers may, in any process. Another one is told that the process
    `owner_pid` has it, this one if 0.

    Raises:
        LogLocked: another writer has the file.
        LogMismatch: the file is not a log that this version can use.
        LogUnavailable: the file cannot be opened.
    """
    log = LedgerRecorder(
        LedgerDatastore(file, owner_pid=owner_pid, read_only=read_only), clock=clock
    )
    try:
        if read_only:
            log.check_tables()
        else:
            log.create_table()
    except BaseException:
        log.close()
        raise
    return log
