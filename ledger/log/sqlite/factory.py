"""The library's way to this log.

`PERSISTENCE_MODULE=ledger.log.sqlite.factory` and `SQLITE_DBNAME=<file>` lead to it.

It must name no other factory of the library, which looks for the only one in this module.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from eventsourcing import sqlite

from ledger.log.library import EventsAlone
from ledger.log.sqlite.datastore import LedgerDatastore
from ledger.log.sqlite.recorder import LedgerRecorder

if TYPE_CHECKING:
    from eventsourcing.utils import Environment, EnvType


class LedgerFactory(EventsAlone[sqlite.SQLiteTrackingRecorder], sqlite.SQLiteFactory):
    """Makes recorders, stores and applications whose events are the ledger's."""

    def __init__(self, env: Environment | EnvType | None) -> None:
        super().__init__(env)
        # The library's datastore has opened nothing yet.
        self._ledger = LedgerDatastore(Path(self.datastore.pool.db_name))
        self.datastore = self._ledger

    def application_recorder(self) -> LedgerRecorder:
        recorder = LedgerRecorder(self._ledger)
        recorder.create_table()
        return recorder
