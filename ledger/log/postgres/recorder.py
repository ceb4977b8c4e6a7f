"""The event log on PostgreSQL, on the extension points of the library beneath."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import psycopg
from eventsourcing.postgres import PostgresApplicationRecorder
from psycopg.rows import dict_row

from ledger.log.errors import OutcomeUnknown
from ledger.log.library import Notifications, stored_fact
from ledger.log.postgres import schema
from ledger.log.postgres.appending import CALL, asked, outcomes
from ledger.log.postgres.clock import SampledClock
from ledger.log.postgres.datastore import LedgerDatastore
from ledger.log.postgres.failures import is_lost, reason_of
from ledger.log.postgres.notices import Notifier, channel
from ledger.log.postgres.reading import RECORDS, PostgresLogReader
from ledger.log.postgres.snapshots import SnapshotTable
from ledger.log.stored import StoredFact

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from eventsourcing.persistence import StoredEvent
    from psycopg import Connection

    from ledger.log.contract import Append, LogIdentity, Outcome
    from ledger.log.database import Database
    from ledger.log.snapshots import SnapshotStore

INSERT: Final = """
    INSERT INTO events
        (position, stream, stream_version, event_type, recorded_us, metadata, payload)
    SELECT coalesce(head.position, 0) + given.nth, given.stream, given.version, given.kind,
        greatest(head.recorded_us, clock_us()), given.metadata, given.payload
    FROM unnest(%b::text[], %b::bigint[], %b::text[], %b::bytea[], %b::bytea[]) WITH ORDINALITY
        AS given (stream, version, kind, metadata, payload, nth)
    LEFT JOIN (
        SELECT position, recorded_us FROM events ORDER BY position DESC LIMIT 1
    ) AS head ON true
    RETURNING position
"""


BEGIN_EPOCH: Final = """
    INSERT INTO ledger SELECT greatest(epoch + 1, clock_us() / 1000000), log_id, clock_us()
    FROM ledger ORDER BY epoch DESC LIMIT 1
"""

STREAM_VERSIONS: Final = """
    SELECT e.stream, e.stream_version
    FROM unnest(%s::text[]) AS w (name)
    CROSS JOIN LATERAL (
        SELECT * FROM events WHERE stream = w.name ORDER BY stream_version DESC LIMIT 1
    ) AS e
"""


class LedgerRecorder(PostgresLogReader, Notifications, PostgresApplicationRecorder):
    """A log in a schema, an `EventLog`; for the library an application recorder with text ids.

    The library's way of writing, `insert_events`, takes the stream versions as given and is all or
    nothing; `append_batch` is the service's.
    """

    datastore: LedgerDatastore
    shared = True

    def __init__(self, datastore: LedgerDatastore, **_: Any) -> None:
        super().__init__(datastore, events_table_name="events")
        self.channel_name = channel(datastore.database.schema)
        self.clock = SampledClock(self._clock_us)
        self._notifier = Notifier(datastore.database.schema, datastore.connect)

    def append_batch(self, appends: Sequence[Append], recorded_us: int) -> list[Outcome]:
        streams, parameters = asked(appends, recorded_us)
        with self.datastore.writing("append to") as connection:
            row = self._called(connection, parameters)
        self.clock.set(row["now_us"])
        if newest := max(last or 0 for last in row["last_positions"]):
            self._notifier.tell(newest)
        return outcomes(streams, row)

    def _called(self, connection: Connection[Any], parameters: list[Any]) -> dict[str, Any]:
        with connection.cursor(binary=True, row_factory=dict_row) as cursor:
            try:
                row = cursor.execute(CALL, parameters, prepare=True).fetchone()
            except psycopg.Error as error:
                if is_lost(error):
                    # The commit may have come before the end, its answer not.
                    reason = reason_of(error)
                    raise OutcomeUnknown(self.datastore.name, "append to", reason) from error
                raise
        assert row is not None
        return row

    def stream_versions(self, streams: Collection[str]) -> dict[str, int]:
        return dict(self.datastore.rows("read", STREAM_VERSIONS, [list(streams)]))

    def snapshot_store(self) -> SnapshotStore:
        return SnapshotTable(self.datastore)

    def begin_epoch(self) -> LogIdentity:
        with self.datastore.writing("append to") as connection:
            connection.execute(BEGIN_EPOCH)
        return self.identity()

    def close(self) -> None:
        """Closes the connections. May be called again."""
        self._notifier.close()
        self.datastore.close()

    def create_table(self) -> None:
        """Make the tables, or bring those of an older schema to the present form."""
        self.datastore.check_server()
        with self.datastore.writing("open") as connection:
            schema.migrate(connection, self.datastore.database)

    def check_tables(self) -> None:
        """Refuse a schema that is not of the present form; for those who only read."""
        self.datastore.check_server()
        with self.datastore.get_connection() as connection:
            schema.require_present(connection, self.datastore.database)

    def insert_events(
        self, stored_events: Sequence[StoredEvent], **kwargs: Any
    ) -> Sequence[int] | None:
        facts = [
            (
                str(event.originator_id),
                event.originator_version,
                event.topic,
                event.metadata if isinstance(event, StoredFact) else b"",
                event.state,
            )
            for event in stored_events
        ]
        if not facts:
            return []
        with self.datastore.get_connection() as connection, connection.transaction():
            connection.execute("SELECT lock_append()")
            rows = connection.execute(INSERT, [list(column) for column in zip(*facts, strict=True)])
            positions = [row[0] for row in rows]
        self._notifier.tell(positions[-1])
        return positions

    def select_events(
        self,
        originator_id: object,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> list[StoredEvent]:
        query = f"{RECORDS} WHERE stream = %s AND stream_version > %s"
        query += " AND stream_version <= coalesce(%s, stream_version)"
        query += " ORDER BY stream_version DESC LIMIT %s" if desc else " ORDER BY 3 LIMIT %s"
        return [
            stored_fact(record)
            for record in self._records(query, [str(originator_id), gt or 0, lte, limit])
        ]

    def max_notification_id(self) -> int | None:
        return self.head().position or None

    def _clock_us(self) -> int:
        ((us,),) = self.datastore.rows_before_writing("read", "SELECT clock_us()")
        return int(us)


def open_log(database: Database, *, read_only: bool = False) -> LedgerRecorder:
    """Open a log, making schema and tables where there are none, or one for reading only.

    Raises:
        LogMismatch: the database holds no log that this version can use.
        LogUnavailable: the database cannot be reached.
    """
    log = LedgerRecorder(LedgerDatastore(database, read_only=read_only))
    try:
        if read_only:
            log.check_tables()
        else:
            log.create_table()
    except BaseException:
        log.close()
        raise
    return log
