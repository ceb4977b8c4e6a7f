"""The library's way to a log on PostgreSQL: `PERSISTENCE_MODULE=ledger.log.postgres.factory`.

The database is named as the library has it, with `POSTGRES_HOST`, `POSTGRES_DBNAME` and so on. This
module must name no other factory of the library, which looks for the only one in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from eventsourcing import postgres

from ledger.log.database import SCHEMA, Database
from ledger.log.library import EventsAlone
from ledger.log.postgres.datastore import LedgerDatastore
from ledger.log.postgres.recorder import LedgerRecorder

if TYPE_CHECKING:
    from eventsourcing.utils import Environment, EnvType


class LedgerFactory(EventsAlone[postgres.PostgresTrackingRecorder], postgres.PostgresFactory):
    """Makes recorders, stores and applications whose events are the ledger's."""

    def __init__(self, env: Environment | EnvType | None) -> None:
        super().__init__(env)
        # The library's datastore has opened nothing yet.
        assert isinstance(self.datastore.pool.kwargs, dict)
        parts = {
            name: str(self.datastore.pool.kwargs[name])
            for name in ("host", "port", "user", "password")
        }
        url = f"postgresql:///{quote(self.datastore.pool.kwargs['dbname'])}?{urlencode(parts)}"
        schema = self.env.get(self.POSTGRES_SCHEMA) or SCHEMA
        self._ledger = LedgerDatastore(Database(url, schema))
        self.datastore = self._ledger

    def application_recorder(self) -> LedgerRecorder:
        recorder = LedgerRecorder(self._ledger)
        recorder.create_table()
        return recorder
