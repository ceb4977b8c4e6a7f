"""What the library asks of a log that is the same on either database."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from eventsourcing.persistence import (
    InfrastructureFactory,
    InfrastructureFactoryError,
    TTrackingRecorder,
)

from ledger.log.mapper import LedgerMapper
from ledger.log.stored import NotifiedFact, StoredFact

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eventsourcing.domain import TAggregateID
    from eventsourcing.persistence import (
        AggregateRecorder,
        Mapper,
        Notification,
        ProcessRecorder,
        Transcoder,
    )

    from ledger.event import Record
    from ledger.log.contract import LogReader


class Notifications:
    """The library's reads by position, from a log's own."""

    def select_notifications(
        self: LogReader,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> list[Notification]:
        after = (start or 0) - 1 if inclusive_of_start else (start or 0)
        records = self.list_events(
            event_types=topics, after=max(after, 0), limit=limit, up_to_position=stop
        )
        return [
            NotifiedFact(
                r.stream,
                r.stream_version,
                r.event_type,
                r.payload,
                id=r.position,
                metadata=r.metadata,
            )
            for r in records
        ]


class EventsAlone(InfrastructureFactory[TTrackingRecorder]):
    """A factory for logs that keep the ledger's events and nothing else."""

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


def stored_fact(record: Record) -> StoredFact:
    """A record as the library has events of a stream."""
    return StoredFact(
        record.stream, record.stream_version, record.event_type, record.payload, record.metadata
    )
