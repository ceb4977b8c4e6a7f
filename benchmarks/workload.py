"""What is sent: check-ins on 1 000 key results of 250 objectives, all of them active."""

from collections.abc import Iterator
from datetime import date, timedelta

from benchmarks.requests import PLACEHOLDER
from okr.v1.ledger_service_pb2 import RecordCheckInRequest

CYCLE = "bench"
OBJECTIVES = 250
KEY_RESULTS_PER_OBJECTIVE = 4
VALUES_PER_KEY_RESULT = 8
"""Different check-ins of one key result, sent in turn; the last of them is a day late."""
BASELINE = "0"
TARGET = "100"


def objective_name(cycle: str, number: int) -> str:
    """The name of one of a cycle's objectives."""
    return f"objectives/{cycle}-{number:03}"


def key_result_id(number: int) -> str:
    """The id of one of an objective's key results."""
    return f"measure-{number}"


def key_result_name(cycle: str, objective: int, number: int) -> str:
    """The name of one of an objective's key results."""
    return f"{objective_name(cycle, objective)}/keyResults/{key_result_id(number)}"


def key_result_names() -> Iterator[str]:
    """The names of all key results, objective by objective."""
    for objective in range(OBJECTIVES):
        for key_result in range(KEY_RESULTS_PER_OBJECTIVE):
            yield key_result_name(CYCLE, objective, key_result)


def check_ins(today: date) -> Iterator[bytes]:
    """Serialised requests with the request-id placeholder; neighbours differ in key result."""
    for turn in range(VALUES_PER_KEY_RESULT):
        late = turn == VALUES_PER_KEY_RESULT - 1
        for index, name in enumerate(key_result_names()):
            yield _check_in(
                name,
                value=f"{10 * turn + index % 10}.{index % 4}",
                day=today - timedelta(days=late),
                confidence=turn % 11,
            )


def _check_in(name: str, value: str, day: date, confidence: int) -> bytes:
    request = RecordCheckInRequest(
        parent=name,
        confidence=confidence,
        note="weekly figures from the dashboard",
        request_id=PLACEHOLDER.decode(),
    )
    request.measurement.value = value
    request.effective_date.year = day.year
    request.effective_date.month = day.month
    request.effective_date.day = day.day
    return request.SerializeToString()
