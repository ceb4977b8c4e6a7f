"""Reads of a log on SQLite, from any thread, each on a connection of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledger.event import Record
from ledger.log.contract import Epoch, Head, LogIdentity, Repeated, StoredRequest
from ledger.log.sqlite.statements import select_matching

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from ledger.log.contract import RequestKey
    from ledger.log.sqlite.datastore import LedgerDatastore

PAGE_BYTES = 4 << 20
"""The bytes of one read unless told otherwise."""

RECORDS = (
    "SELECT position, name, stream_version, event_type, recorded_us, metadata, payload"
    " FROM events JOIN streams ON key = stream"
)

IDENTITY = "SELECT log_id, epoch FROM ledger ORDER BY epoch DESC LIMIT 1"

EPOCHS = "SELECT log_id, epoch, created_us FROM ledger ORDER BY epoch"

HEAD = "SELECT position, recorded_us FROM events ORDER BY position DESC LIMIT 1"

# The last position of the wanted size: positions are dense and the recorded time never decreases
# with them, so halving the range needs no index on the time.
POSITION_AT = """
    WITH RECURSIVE halving (low, high) AS (
        SELECT 0, ifnull(max(position), 0) FROM events
        UNION ALL
        SELECT iif(recorded_us <= :us, position, low), iif(recorded_us <= :us, high, position - 1)
        FROM halving JOIN events ON position = (low + high + 1) / 2
        WHERE low < high
    )
    SELECT low FROM halving WHERE low = high
"""

FIND_REQUESTS = (
    "SELECT request_digest, first_position, last_position, content_hash"
    " FROM wanted CROSS JOIN requests ON request_digest = value"
)


REQUESTS = (
    "SELECT first_position, last_position, request_digest, content_hash FROM requests"
    " WHERE first_position > ? AND first_position <= ? ORDER BY first_position"
)


class SQLiteLogReader:
    """The reading half of a log on SQLite."""

    datastore: LedgerDatastore

    def identity(self) -> LogIdentity:
        with self.datastore.raw("read", writes=False) as connection:
            return LogIdentity(*connection.execute(IDENTITY).fetchone())

    def epochs(self) -> list[Epoch]:
        with self.datastore.raw("read", writes=False) as connection:
            return read_epochs(connection)

    def head(self) -> Head:
        with self.datastore.raw("read", writes=False) as connection:
            return read_head(connection)

    def read(self, after_position: int, limit: int, max_bytes: int = PAGE_BYTES) -> list[Record]:
        records: list[Record] = []
        size = 0
        with self.datastore.raw("read", writes=False) as connection:
            rows = connection.execute(
                f"{RECORDS} WHERE position > ? ORDER BY position LIMIT ?", (after_position, limit)
            )
            for row in rows:
                record = Record._make(row)
                size += len(record.metadata) + len(record.payload)
                if size > max_bytes and records:
                    break
                records.append(record)
            rows.close()
        return records

    def read_stream(
        self, stream: str, after_version: int = 0, up_to_version: int | None = None
    ) -> list[Record]:
        parameters: list[str | int] = [stream, after_version]
        query = f"{RECORDS} WHERE name = ? AND stream_version > ?"
        if up_to_version is not None:
            query += " AND stream_version <= ?"
            parameters.append(up_to_version)
        return self._records(query + " ORDER BY stream_version", parameters)

    def list_events(
        self,
        *,
        stream: str | None = None,
        event_types: Sequence[str] = (),
        after: int = 0,
        limit: int,
        newest_first: bool = False,
        up_to_position: int | None = None,
    ) -> list[Record]:
        direction = "DESC" if newest_first else "ASC"
        bounds = ""
        bound_to: list[str | int] = []
        if after:
            bounds += " AND position < ?" if newest_first else " AND position > ?"
            bound_to.append(after)
        if up_to_position is not None:
            bounds += " AND position <= ?"
            bound_to.append(up_to_position)
        parameters: list[str | int] = []
        if stream is not None:
            # Within a stream the orders by version and by position are one.
            query = f"{RECORDS} WHERE name = ?{bounds}"
            parameters += [stream, *bound_to]
            if event_types:
                query += f" AND event_type IN ({','.join('?' * len(event_types))})"
                parameters += event_types
            query += f" ORDER BY stream_version {direction} LIMIT ?"
        elif event_types:
            # A page of each type, then the first of them all: a type with millions of events
            # costs no more than a rare one. What is put in is made above, never given.
            page = (
                "SELECT * FROM (SELECT position FROM events"  # noqa: S608
                f" WHERE event_type = ?{bounds} ORDER BY position {direction} LIMIT ?)"
            )
            pages = " UNION ALL ".join([page] * len(event_types))
            for event_type in event_types:
                parameters += [event_type, *bound_to, limit]
            query = f"{RECORDS} WHERE position IN ({pages}) ORDER BY position {direction} LIMIT ?"
        else:
            query = f"{RECORDS} WHERE true{bounds} ORDER BY position {direction} LIMIT ?"
            parameters += bound_to
        return self._records(query, [*parameters, limit])

    def position_at(self, recorded_us: int) -> int:
        with self.datastore.raw("read", writes=False) as connection:
            (position,) = connection.execute(POSITION_AT, {"us": recorded_us}).fetchone()
            return int(position)

    def find_requests(self, keys: Sequence[RequestKey]) -> list[Repeated | None]:
        digests = [key.digest for key in keys]
        # A writer asks before each append, and its own connection has the pages at hand that it
        # wrote; a reader's would have to read them anew.
        with self.datastore.raw("read", writes=self.datastore.writable) as connection:
            found = stored_requests(connection, digests)
        return [found.get(digest) for digest in digests]

    def requests(self, after_position: int, up_to_position: int) -> list[StoredRequest]:
        with self.datastore.raw("read", writes=False) as connection:
            rows = connection.execute(REQUESTS, (after_position, up_to_position))
            return [StoredRequest._make(row) for row in rows.fetchall()]

    def _records(self, query: str, parameters: Sequence[str | int]) -> list[Record]:
        with self.datastore.raw("read", writes=False) as connection:
            return [Record._make(row) for row in connection.execute(query, parameters).fetchall()]


def read_head(connection: sqlite3.Connection) -> Head:
    row = connection.execute(HEAD).fetchone()
    return Head(*row) if row else Head(0, 0)


def read_epochs(connection: sqlite3.Connection) -> list[Epoch]:
    return [Epoch._make(row) for row in connection.execute(EPOCHS).fetchall()]


def stored_requests(
    connection: sqlite3.Connection, digests: Sequence[bytes]
) -> dict[bytes, Repeated]:
    """What is stored under each digest that is taken."""
    return {
        digest: Repeated(first, last, content_hash)
        for digest, first, last, content_hash in select_matching(connection, FIND_REQUESTS, digests)
    }
