"""The way into a log on PostgreSQL for records from elsewhere, which keep all that they are."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from ledger.log.contract import Head
from ledger.log.fitting import check_records, missing_epochs
from ledger.log.postgres import schema
from ledger.log.postgres.datastore import LedgerDatastore
from ledger.log.postgres.reading import COLUMNS, HEAD, PostgresLogReader
from ledger.log.postgres.recorder import STREAM_VERSIONS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from psycopg import Connection

    from ledger.event import Record
    from ledger.log.contract import Epoch, StoredRequest
    from ledger.log.database import Database

COPY_EVENTS: Final = f"COPY events ({COLUMNS}) FROM STDIN (FORMAT binary)"
EVENT_TYPES: Final = ("int8", "text", "int8", "text", "int8", "bytea", "bytea")

COPY_REQUESTS: Final = (
    "COPY requests (first_position, last_position, request_digest, content_hash)"
    " FROM STDIN (FORMAT binary)"
)
REQUEST_TYPES: Final = ("int8", "int8", "bytea", "bytea")


class PostgresIntake(PostgresLogReader):
    """An `Intake` of a schema."""

    def __init__(self, datastore: LedgerDatastore) -> None:
        self.datastore = datastore

    def make_tables(self) -> None:
        """Make the tables, or bring those of an older schema to the present form."""
        self.datastore.check_server()
        with self.datastore.writing("open") as connection:
            schema.migrate(connection, self.datastore.database, make_log=False)

    def take(self, records: Sequence[Record], requests: Sequence[StoredRequest]) -> None:
        names = list(dict.fromkeys(record.stream for record in records))
        with self._writing() as connection:
            versions = dict(connection.execute(STREAM_VERSIONS, [names]).fetchall())
            row = connection.execute(HEAD).fetchone()
            head = Head(*row) if row else Head(0, 0)
            check_records(self.datastore.name, head, versions, records, requests)
            with connection.cursor() as cursor:
                with cursor.copy(COPY_EVENTS) as copied:
                    copied.set_types(EVENT_TYPES)
                    for record in records:
                        copied.write_row(record)
                with cursor.copy(COPY_REQUESTS) as copied:
                    copied.set_types(REQUEST_TYPES)
                    for request in requests:
                        copied.write_row(request)

    def complete(self, epochs: Sequence[Epoch]) -> None:
        there = self.epochs()
        with self._writing() as connection, connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO ledger (log_id, epoch, created_us) VALUES (%s, %s, %s)",
                missing_epochs(self.datastore.name, there, epochs),
            )

    def close(self) -> None:
        """Closes the connections. May be called again."""
        self.datastore.close()

    @contextmanager
    def _writing(self) -> Iterator[Connection[Any]]:
        """A transaction in which nobody else appends."""
        with (
            self.datastore.writing("import into") as connection,
            connection.transaction(),
        ):
            connection.execute("SET LOCAL statement_timeout = 0")
            connection.execute("SELECT lock_append()")
            yield connection


def open_intake(database: Database) -> PostgresIntake:
    """Open a log for records from elsewhere, making schema and tables where there are none.

    Raises:
        LogMismatch, LogUnavailable: as `recorder.open_log`.
    """
    intake = PostgresIntake(LedgerDatastore(database))
    try:
        intake.make_tables()
    except BaseException:
        intake.close()
        raise
    return intake
