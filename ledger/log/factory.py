"""The library's way to this log: `PERSISTENCE_MODULE=ledger.log.factory`, `SQLITE_DBNAME=<file>`.

It must name no other factory of the library, which looks for the only one in this module.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

from eventsourcing import sqlite
from eventsourcing.persistence import InfrastructureFactoryError

from ledger.log.datastore import LedgerDatastore
from ledger.log.mapper import LedgerMapper
from ledger.log.sqlite import LedgerRecorder

if TYPE_CHECKING:
    from eventsourcing.domain import TAggregateID
    from eventsourcing.persistence import AggregateRecorder, Mapper, ProcessRecorder, Transcoder
    from eventsourcing.utils import Environment, EnvType


class LedgerFactory(sqlite.SQLiteFactory):
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
        raise InfrastructureFactoryError("read models are kept in a file of their own")
