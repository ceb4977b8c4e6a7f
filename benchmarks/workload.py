"""What is sent: check-ins on 1 000 key results of 250 objectives, all of them active."""

from collections.abc import Iterator
from datetime import date, timedelta

from benchmarks.requests import PLACEHOLDER
from okr.v1.ledger_service_pb2 import RecordCheckInRequest

OBJECTIVES = 250
KEY_RESULTS_PER_OBJECTIVE = 4
VALUES_PER_KEY_RESULT = 8
"""Different check-ins of one key result, sent in turn; the last of them is a day late."""
BASELINE = "0"
TARGET = "100"


def objective_ids() -> Iterator[str]:
    """The ids of the objectives."""
    for number in range(OBJECTIVES):
        yield f"bench-{number:03}"


def key_result_ids() -> Iterator[str]:
    """The ids of one objective's key results."""
    for number in range(KEY_RESULTS_PER_OBJECTIVE):
        yield f"measure-{number}"


def key_result_names() -> Iterator[str]:
    """The names of all key results, objective by objective."""
    for objective in objective_ids():
        for key_result in key_result_ids():
            yield f"objectives/{objective}/keyResults/{key_result}"


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
