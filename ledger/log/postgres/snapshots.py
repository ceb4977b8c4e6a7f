"""Snapshots in a table beside the events; see steps/1/11-snapshots.sql."""

from __future__ import annotations

from dataclasses import astuple
from typing import TYPE_CHECKING, Final

from ledger.log.postgres.failures import translated
from ledger.log.snapshots import Snapshot

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ledger.log.postgres.datastore import LedgerDatastore

FIND: Final = (
    "SELECT stream, version, code, record_digest, state, digest FROM snapshots WHERE stream = %s"
)
KEEP: Final = """
    INSERT INTO snapshots (stream, version, code, record_digest, state, digest)
    VALUES (%s, %s, %s, %s, %s, %s)
    ON CONFLICT (stream) DO UPDATE SET
        version = excluded.version,
        code = excluded.code,
        record_digest = excluded.record_digest,
        state = excluded.state,
        digest = excluded.digest
"""


class SnapshotTable:
    """A `SnapshotStore` over the connections that read, so that the writing one is left alone.

    Servers that share a log share it; the last one to write has its way.
    """

    def __init__(self, datastore: LedgerDatastore) -> None:
        self._datastore = datastore

    def find(self, stream: str) -> Snapshot | None:
        rows = self._datastore.rows("read snapshots of", FIND, [stream])
        return Snapshot(*rows[0]) if rows else None

    def keep(self, snapshots: Sequence[Snapshot]) -> None:
        # In one order everywhere, or two servers could wait for each other's rows.
        rows = sorted(astuple(snapshot) for snapshot in snapshots)
        with (
            translated(str(self._datastore.database), "write snapshots of"),
            self._datastore.get_connection() as connection,
            connection.transaction(),
        ):
            connection.execute("SET LOCAL synchronous_commit = off")
            connection.cursor().executemany(KEEP, rows)

    def close(self) -> None:
        """Nothing: the connections are the log's."""
