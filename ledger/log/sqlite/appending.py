"""Group commit on SQLite: one transaction and one flush for many appends."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from ledger.log.contract import Conflict, Head
from ledger.log.sqlite.planning import Known, Plan, StreamAt, plan
from ledger.log.sqlite.reading import read_head, stored_requests
from ledger.log.sqlite.statements import insert_rows, select_matching

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ledger.log.contract import Append, Outcome, Repeated

STREAMS_KNOWN = 100_000
"""Streams whose version is remembered; at some 200 bytes each, beyond it all are forgotten."""

STREAMS_AT = (
    "SELECT name, key, (SELECT max(stream_version) FROM events WHERE stream = key)"
    " FROM wanted CROSS JOIN streams ON name = value"
)


class Appender:
    """Appends over one connection at a time, remembering the versions that it wrote.

    What it remembers holds as long as nobody else writes to the file, which SQLite tells by a
    number that changes when another connection has.
    """

    def __init__(self) -> None:
        self._seen: tuple[int, int] | None = None
        self._head = Head(0, 0)
        self._last_key = 0
        self._streams: dict[str, StreamAt] = {}

    def forget(self) -> None:
        """Read everything anew before the next append."""
        self._seen = None
        self._streams.clear()

    def append(
        self, connection: sqlite3.Connection, appends: Sequence[Append], recorded_us: int
    ) -> list[Outcome]:
        """See `EventLog.append_batch`; on an error the caller rolls back and forgets."""
        connection.execute("BEGIN IMMEDIATE")
        self._refresh(connection)
        planned = self._plan(connection, appends, recorded_us, {})
        if not _may_be_repeated(appends, planned.outcomes):
            try:
                self._write(connection, planned)
            except sqlite3.IntegrityError:
                # A request was accepted before. The lane has asked already, so that asking each
                # time would be a second query for nothing.
                connection.execute("ROLLBACK")
                self.forget()
                connection.execute("BEGIN IMMEDIATE")
                self._refresh(connection)
            else:
                return planned.outcomes
        digests = [append.request.digest for append in appends if append.request is not None]
        answered = stored_requests(connection, digests)
        planned = self._plan(connection, appends, recorded_us, answered)
        self._write(connection, planned)
        return planned.outcomes

    def _plan(
        self,
        connection: sqlite3.Connection,
        appends: Sequence[Append],
        recorded_us: int,
        answered: dict[bytes, Repeated],
    ) -> Plan:
        guarded = {stream for append in appends for stream in append.guards}
        unknown = [stream for stream in guarded if stream not in self._streams]
        for name, key, version in select_matching(connection, STREAMS_AT, unknown):
            self._streams[name] = (key, version)
        known = Known(self._head, self._last_key, self._streams, answered)
        return plan(appends, recorded_us, known)

    def _write(self, connection: sqlite3.Connection, planned: Plan) -> None:
        if not planned.events:
            connection.execute("ROLLBACK")
            return
        insert_rows(connection, "streams", planned.streams)
        insert_rows(connection, "events", planned.events)
        insert_rows(connection, "requests", planned.requests)
        connection.execute("COMMIT")
        self._remember(planned)

    def _remember(self, planned: Plan) -> None:
        self._head = planned.head
        self._last_key = planned.last_key
        self._streams.update(planned.changed)
        if len(self._streams) > STREAMS_KNOWN:
            self._streams.clear()

    def _refresh(self, connection: sqlite3.Connection) -> None:
        (data_version,) = connection.execute("PRAGMA data_version").fetchone()
        # The number is counted by each connection for itself.
        seen = (id(connection), data_version)
        if seen != self._seen:
            self._streams.clear()
            self._head = read_head(connection)
            (self._last_key,) = connection.execute(
                "SELECT ifnull(max(key), 0) FROM streams"
            ).fetchone()
            self._seen = seen


def _may_be_repeated(appends: Sequence[Append], outcomes: Sequence[Outcome]) -> bool:
    """Whether a conflict may hide a repetition, whose guards are those of the first time."""
    return any(
        isinstance(outcome, Conflict) and append.request is not None
        for append, outcome in zip(appends, outcomes, strict=True)
    )
