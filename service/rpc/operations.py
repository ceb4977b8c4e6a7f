"""OperationsService: how far the log and its projections are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, Final

from ledger.call import in_thread
from ledger.values import timestamp
from okr.v1.operations_service_pb2 import (
    GetStatusRequest,
    GetStatusResponse,
    LaneStatus,
    ProjectionStatus,
    RebuildStatus,
    ReplicaStatus,
)
from okr.v1.operations_service_pb2_grpc import OperationsServiceServicer

if TYPE_CHECKING:
    from grpc.aio import ServicerContext

    from ledger.log.contract import LogReader
    from ledger.log.lane import LaneCounts
    from projections.store.replica import Replica
    from projections.store.views import Unfinished


def server_version() -> str:
    """The version of the installed package, "0+checkout" where it runs from its folder alone."""
    try:
        return version("okr-ledger")
    except PackageNotFoundError:
        return "0+checkout"


VERSION: Final = server_version()


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a projection is: the last position taken in, and the one it stopped at or 0.

    `leader` is the process that follows the log for it, empty where that is not known;
    `generation` the tables that reads are answered from, 0 if none, and `unfinished` those that are
    being built.
    """

    projection: str
    position: int
    stopped_position: int = 0
    leader: str = ""
    generation: int = 0
    unfinished: Unfinished | None = None


class OperationsRpc(OperationsServiceServicer):
    """Answers operators."""

    def __init__(
        self,
        log: LogReader,
        lane: Callable[[], LaneCounts],
        projections: Callable[[], Sequence[Progress]],
        replica: Replica | None = None,
    ) -> None:
        self._log = log
        self._lane = lane
        self._projections = projections
        self._replica = replica

    async def GetStatus(
        self, request: GetStatusRequest, context: ServicerContext[Any, Any]
    ) -> GetStatusResponse:
        """Reads both databases; a few indexed look-ups."""
        return await in_thread(self._status)

    def _status(self) -> GetStatusResponse:
        # Projections first: they cannot be ahead of a head that is read after them.
        projections = self._projections()
        head = self._log.head()
        identity = self._log.identity()
        lane = self._lane()
        return GetStatusResponse(
            server_version=VERSION,
            log_id=identity.log_id,
            epoch=identity.epoch,
            head_position=head.position,
            head_time=timestamp(head.recorded_us) if head.position else None,
            projections=[
                ProjectionStatus(
                    projection=each.projection,
                    position=each.position,
                    lag_events=head.position - each.position,
                    stopped_position=each.stopped_position,
                    leader=each.leader,
                    generation=each.generation,
                    rebuild=_rebuild(each.unfinished),
                )
                for each in projections
            ],
            replica=self._replica_status(head.position),
            lane=LaneStatus(
                events=lane.events,
                flushes=lane.flushes,
                refusals=lane.refusals,
                waiting=lane.waiting,
            ),
        )

    def _replica_status(self, head: int) -> ReplicaStatus | None:
        if self._replica is None:
            return None
        position = self._replica.position
        if position < 0:
            return ReplicaStatus(is_left_alone=True)
        return ReplicaStatus(position=position, lag_events=max(0, head - position))


def _rebuild(unfinished: Unfinished | None) -> RebuildStatus | None:
    if unfinished is None:
        return None
    return RebuildStatus(
        generation=unfinished.entry.number,
        position=unfinished.position,
        builder=unfinished.entry.builder,
        begin_time=timestamp(unfinished.entry.begun_us),
    )
