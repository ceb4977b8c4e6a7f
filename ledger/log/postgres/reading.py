"""Reads of a log on PostgreSQL, from any thread, each on a connection of the pool."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, LiteralString

from ledger.event import Record
from ledger.log.contract import Epoch, Head, LogIdentity, Repeated, StoredRequest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ledger.log.contract import RequestKey
    from ledger.log.postgres.datastore import LedgerDatastore

PAGE_BYTES: Final = 4 << 20
"""The bytes of one read unless told otherwise."""

COLUMNS: Final = "position, stream, stream_version, event_type, recorded_us, metadata, payload"

RECORDS: Final = f"SELECT {COLUMNS} FROM events"  # noqa: S608 - nothing in it is given

IDENTITY: Final = "SELECT log_id, epoch FROM ledger ORDER BY epoch DESC LIMIT 1"

EPOCHS: Final = "SELECT log_id, epoch, created_us FROM ledger ORDER BY epoch"

HEAD: Final = "SELECT position, recorded_us FROM events ORDER BY position DESC LIMIT 1"

# The size that a page would have with each record is summed up where the records are, so that
# nothing is sent that the page has no room for.
PAGE: Final = f"""
    SELECT {COLUMNS} FROM (
        SELECT *, sum(octet_length(metadata) + octet_length(payload)) OVER (ORDER BY position)
            AS bytes
        FROM events WHERE position > %(after)s ORDER BY position LIMIT %(limit)s
    ) AS page
    WHERE bytes <= %(max_bytes)s OR position = %(after)s + 1
    ORDER BY position
"""  # noqa: S608 - nothing in it is given

# The last position of the wanted size: positions are dense and the recorded time never decreases
# with them, so halving the range needs no index on the time.
POSITION_AT: Final = """
    WITH RECURSIVE halving (low, high) AS (
        SELECT 0::bigint, coalesce(max(position), 0) FROM events
        UNION ALL
        SELECT
            CASE WHEN recorded_us <= %(us)s THEN position ELSE low END,
            CASE WHEN recorded_us <= %(us)s THEN high ELSE position - 1 END
        FROM halving JOIN events ON position = (low + high + 1) / 2
        WHERE low < high
    )
    SELECT low FROM halving WHERE low = high
"""

FIND_REQUESTS: Final = """
    SELECT w.nth, r.first_position, r.last_position, r.content_hash
    FROM unnest(%b::bytea[]) WITH ORDINALITY AS w (digest, nth)
    JOIN LATERAL (SELECT * FROM requests WHERE request_digest = w.digest LIMIT 1) AS r ON true
"""


REQUESTS: Final = """
    SELECT first_position, last_position, request_digest, content_hash FROM requests
    WHERE first_position > %s AND first_position <= %s ORDER BY first_position
"""


class PostgresLogReader:
    """The reading half of a log on PostgreSQL."""

    datastore: LedgerDatastore

    def identity(self) -> LogIdentity:
        ((log_id, epoch),) = self.datastore.rows("read", IDENTITY)
        return LogIdentity(log_id, epoch)

    def epochs(self) -> list[Epoch]:
        return [Epoch._make(row) for row in self.datastore.rows("read", EPOCHS)]

    def head(self) -> Head:
        rows = self.datastore.rows("read", HEAD)
        return Head(*rows[0]) if rows else Head(0, 0)

    def read(self, after_position: int, limit: int, max_bytes: int = PAGE_BYTES) -> list[Record]:
        asked = {"after": after_position, "limit": limit, "max_bytes": max_bytes}
        return self._records(PAGE, asked)

    def read_stream(
        self, stream: str, after_version: int = 0, up_to_version: int | None = None
    ) -> list[Record]:
        query: LiteralString = f"{RECORDS} WHERE stream = %s AND stream_version > %s"
        parameters: list[Any] = [stream, after_version]
        if up_to_version is not None:
            query += " AND stream_version <= %s"
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
        direction: LiteralString = "DESC" if newest_first else "ASC"
        bounds: LiteralString = ""
        bound_to: list[Any] = []
        if after:
            bounds += " AND position < %s" if newest_first else " AND position > %s"
            bound_to.append(after)
        if up_to_position is not None:
            bounds += " AND position <= %s"
            bound_to.append(up_to_position)
        order: LiteralString = f"ORDER BY position {direction} LIMIT %s"
        if stream is not None:
            # Within a stream the orders by version and by position are one.
            query: LiteralString = f"{RECORDS} WHERE stream = %s{bounds}"
            parameters: list[Any] = [stream, *bound_to]
            if event_types:
                query += " AND event_type = ANY(%s)"
                parameters.append(list(event_types))
            query += f" ORDER BY stream_version {direction} LIMIT %s"
        elif event_types:
            # A page of each type, then the first of them all: a type with millions of events
            # costs no more than a rare one.
            page: LiteralString = f"{RECORDS} WHERE event_type = kind{bounds} {order}"
            query = (
                "SELECT page.* FROM unnest(%s::text[]) AS wanted (kind)"  # noqa: S608 - the same
                f" CROSS JOIN LATERAL ({page}) AS page {order}"
            )
            parameters = [list(dict.fromkeys(event_types)), *bound_to, limit]
        else:
            query = f"{RECORDS} WHERE true{bounds} {order}"
            parameters = bound_to
        return self._records(query, [*parameters, limit])

    def position_at(self, recorded_us: int) -> int:
        ((position,),) = self.datastore.rows("read", POSITION_AT, {"us": recorded_us})
        return int(position)

    def find_requests(self, keys: Sequence[RequestKey]) -> list[Repeated | None]:
        found: list[Repeated | None] = [None] * len(keys)
        if keys:
            digests = [key.digest for key in keys]
            for nth, *stored in self.datastore.rows_before_writing(
                "read", FIND_REQUESTS, [digests]
            ):
                found[nth - 1] = Repeated(*stored)
        return found

    def requests(self, after_position: int, up_to_position: int) -> list[StoredRequest]:
        rows = self.datastore.rows("read", REQUESTS, [after_position, up_to_position])
        return [StoredRequest._make(row) for row in rows]

    def _records(
        self, query: LiteralString, parameters: Sequence[Any] | dict[str, Any]
    ) -> list[Record]:
        return [Record._make(row) for row in self.datastore.rows("read", query, parameters)]
