"""The real server's side of a run: a committed plan, made through its API, and its own figures."""

import time
import uuid
from datetime import date, timedelta

import grpc
from google.type.date_pb2 import Date

from benchmarks.requests import PLACEHOLDER
from benchmarks.workload import BASELINE, TARGET, key_result_ids, objective_ids
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

CYCLE = "bench"
TEAM = "bench"
HALF_CYCLE = timedelta(days=45)
CALL_SECONDS = 30.0
SETTLE_SECONDS = 300.0
SETTLE_POLL_SECONDS = 0.01


def commit_quarter(channel: grpc.Channel, today: date) -> None:
    """Makes the workload's key results in one cycle with `today` in its middle, and commits it."""
    ledger = LedgerServiceStub(channel)
    cycle = CreateCycleRequest(cycle_id=CYCLE, request_id=_request_id())
    cycle.definition.title = "Benchmark"
    cycle.definition.first_day.CopyFrom(_date(today - HALF_CYCLE))
    cycle.definition.last_day.CopyFrom(_date(today + HALF_CYCLE))
    cycle.definition.time_zone = "UTC"
    cycle.definition.cadence = CADENCE_WEEKLY
    ledger.CreateCycle(cycle, timeout=CALL_SECONDS, wait_for_ready=True)

    team = CreateTeamRequest(team_id=TEAM, request_id=_request_id())
    team.definition.title = "Benchmark"
    ledger.CreateTeam(team, timeout=CALL_SECONDS)

    for objective_id in objective_ids():
        ledger.CreateObjective(_objective(objective_id), timeout=CALL_SECONDS)
    commit = CommitPlanRequest(name=f"cycles/{CYCLE}", request_id=_request_id())
    ledger.CommitPlan(commit, timeout=CALL_SECONDS)


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
    """How many events the slowest projection is behind the head."""
    return max((projection.lag_events for projection in answer.projections), default=0)


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


def _objective(objective_id: str) -> CreateObjectiveRequest:
    request = CreateObjectiveRequest(
        objective_id=objective_id, cycle=f"cycles/{CYCLE}", request_id=_request_id()
    )
    request.definition.title = f"Objective {objective_id}"
    request.definition.team = f"teams/{TEAM}"
    request.definition.commitment = COMMITMENT_COMMITTED
    for key_result_id in key_result_ids():
        definition = request.key_results.add(key_result_id=key_result_id).definition
        definition.title = f"Key result {key_result_id}"
        definition.metric = METRIC_NUMBER
        definition.aggregation = AGGREGATION_LAST
        definition.direction = DIRECTION_INCREASE
        definition.baseline = BASELINE
        definition.target = TARGET
    return request


def _date(day: date) -> Date:
    return Date(year=day.year, month=day.month, day=day.day)


def _request_id() -> str:
    return str(uuid.uuid4())
