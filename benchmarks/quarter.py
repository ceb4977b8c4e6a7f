"""The real server's side of a run: a committed plan, made through its API, and its own figures."""

import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

import grpc
from google.protobuf.message import Message
from google.type.date_pb2 import Date

from benchmarks.requests import PLACEHOLDER
from benchmarks.workload import (
    BASELINE,
    CYCLE,
    KEY_RESULTS_PER_OBJECTIVE,
    OBJECTIVES,
    TARGET,
    key_result_id,
    key_result_name,
    objective_name,
)
from okr.v1.ledger_service_pb2 import (
    CommitPlanRequest,
    CreateCycleRequest,
    CreateObjectiveRequest,
    CreateTeamRequest,
    RecordCheckInRequest,
    RecordCheckInResponse,
)
from okr.v1.ledger_service_pb2_grpc import LedgerServiceStub
from okr.v1.operations_service_pb2 import GetStatusRequest, GetStatusResponse
from okr.v1.operations_service_pb2_grpc import OperationsServiceStub
from okr.v1.values_pb2 import (
    AGGREGATION_LAST,
    CADENCE_WEEKLY,
    COMMITMENT_COMMITTED,
    DIRECTION_INCREASE,
    METRIC_NUMBER,
)

HALF_CYCLE = timedelta(days=45)
CALL_SECONDS = 30.0
SETTLE_SECONDS = 300.0
SETTLE_POLL_SECONDS = 0.01


@dataclass(frozen=True, slots=True)
class Plan:
    """A cycle of one team: its first and last day, its objectives, and how many key results each.

    `name` is the id of both, and the beginning of every objective's.
    """

    name: str
    first_day: date
    last_day: date
    objectives: int = OBJECTIVES
    key_results: int = KEY_RESULTS_PER_OBJECTIVE

    def key_result_names(self) -> Iterator[str]:
        """The names of all key results, objective by objective."""
        for objective in range(self.objectives):
            for key_result in range(self.key_results):
                yield key_result_name(self.name, objective, key_result)

    def requests(self) -> Iterator[Message]:
        """Makes it and commits it, in this order."""
        cycle = CreateCycleRequest(cycle_id=self.name, request_id=_request_id())
        cycle.definition.title = "Benchmark"
        cycle.definition.first_day.CopyFrom(_date(self.first_day))
        cycle.definition.last_day.CopyFrom(_date(self.last_day))
        cycle.definition.time_zone = "UTC"
        cycle.definition.cadence = CADENCE_WEEKLY
        yield cycle

        team = CreateTeamRequest(team_id=self.name, request_id=_request_id())
        team.definition.title = "Benchmark"
        yield team

        for number in range(self.objectives):
            yield self._objective(objective_name(self.name, number).removeprefix("objectives/"))
        yield CommitPlanRequest(name=f"cycles/{self.name}", request_id=_request_id())

    def _objective(self, objective_id: str) -> CreateObjectiveRequest:
        request = CreateObjectiveRequest(
            objective_id=objective_id, cycle=f"cycles/{self.name}", request_id=_request_id()
        )
        request.definition.title = f"Objective {objective_id}"
        request.definition.team = f"teams/{self.name}"
        request.definition.commitment = COMMITMENT_COMMITTED
        for number in range(self.key_results):
            added = request.key_results.add(key_result_id=key_result_id(number))
            added.definition.title = f"Key result {number}"
            added.definition.metric = METRIC_NUMBER
            added.definition.aggregation = AGGREGATION_LAST
            added.definition.direction = DIRECTION_INCREASE
            added.definition.baseline = BASELINE
            added.definition.target = TARGET
        return request


def commit_quarter(channel: grpc.Channel, today: date) -> None:
    """Makes the workload's key results in one cycle with `today` in its middle, and commits it."""
    ledger = LedgerServiceStub(channel)
    for request in Plan(CYCLE, today - HALF_CYCLE, today + HALF_CYCLE).requests():
        method = request.DESCRIPTOR.name.removesuffix("Request")
        getattr(ledger, method)(request, timeout=CALL_SECONDS, wait_for_ready=True)


def sample_response(channel: grpc.Channel, request: bytes) -> RecordCheckInResponse:
    """What the server answers to one of the workload's requests."""
    message = request.replace(PLACEHOLDER, _request_id().encode())
    check_in = RecordCheckInRequest.FromString(message)
    answer: RecordCheckInResponse = LedgerServiceStub(channel).RecordCheckIn(
        check_in, timeout=CALL_SECONDS
    )
    return answer


def status(channel: grpc.Channel) -> GetStatusResponse:
    """The server's own figures: head, lane, projections."""
    answer: GetStatusResponse = OperationsServiceStub(channel).GetStatus(
        GetStatusRequest(), timeout=CALL_SECONDS
    )
    return answer


def lag_events(answer: GetStatusResponse) -> int:
    """How many events the read models are behind the head; proofs gather for longer by design."""
    lags = (p.lag_events for p in answer.projections if p.projection.startswith("views/"))
    return max(lags, default=0)


def settle(channel: grpc.Channel) -> float:
    """Waits until every projection has reached the head; returns the seconds that took.

    Raises:
        TimeoutError: a projection stopped or did not arrive within `SETTLE_SECONDS`.
    """
    began = time.monotonic()
    while True:
        answer = status(channel)
        waited = time.monotonic() - began
        if lag_events(answer) == 0:
            return waited
        stopped = [each.projection for each in answer.projections if each.stopped_position]
        if stopped or waited > SETTLE_SECONDS:
            raise TimeoutError(f"projections behind the head after {waited:.1f} s: {answer}")
        time.sleep(SETTLE_POLL_SECONDS)


def _date(day: date) -> Date:
    return Date(year=day.year, month=day.month, day=day.day)


def _request_id() -> str:
    return str(uuid.uuid4())
