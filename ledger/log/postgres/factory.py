"""The library's way to a log on PostgreSQL: `PERSISTENCE_MODULE=ledger.log.postgres.factory`.

The database is named as the library has it, with `POSTGRES_HOST`, `POSTGRES_DBNAME` and so on. This
module must name no other factory of the library, which looks for the only one in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast
from urllib.parse import quote, urlencode

from eventsourcing import postgres
from eventsourcing.persistence import InfrastructureFactoryError

from ledger.log.database import SCHEMA, Database
from ledger.log.mapper import LedgerMapper
from ledger.log.postgres.datastore import LedgerDatastore
from ledger.log.postgres.recorder import LedgerRecorder

if TYPE_CHECKING:
    from eventsourcing.domain import TAggregateID
    from eventsourcing.persistence import AggregateRecorder, Mapper, ProcessRecorder, Transcoder
    from eventsourcing.utils import Environment, EnvType


class LedgerFactory(postgres.PostgresFactory):
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

    def mapper(
        self,
        transcoder: Transcoder | None = None,
        mapper_class: type[Mapper[TAggregateID]] | None = None,
    ) -> Mapper[TAggregateID]:
        """The ledger's mapper, unless another class is asked for."""
        ours = cast("type[Mapper[TAggregateID]]", LedgerMapper)
        return super().mapper(transcoder, mapper_class or ours)

    def aggregate_recorder(self, purpose: str = "events") -> AggregateRecorder:
        raise InfrastructureFactoryError(f"the ledger keeps no {purpose} beside its events")

    def process_recorder(self) -> ProcessRecorder:
        raise InfrastructureFactoryError("read models are kept apart from the log")
