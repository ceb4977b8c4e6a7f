from __future__ import annotations

import asyncio
from uuid import UUID

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2 as details

from okr import AsyncOkrClient, OkrClient, OkrError, Violation
from okr.pages import pages
from okr.request_ids import new_request_id
from okr.v1.audit_service_pb2 import ListEventsRequest
from okr.v1.ledger_service_pb2 import RecordCheckInRequest
from okr.v1.score_service_pb2 import GetCycleRequest
from okr.v1.values_pb2 import Measurement
from tests.okr.fake_service import Failure, Fake, serving

CHECK_IN = RecordCheckInRequest(
    parent="objectives/brand/keyResults/followers", measurement=Measurement(value="12")
)
BUSY = Failure(grpc.StatusCode.UNAVAILABLE, "come back")


def ids(fake: Fake) -> list[str]:
    return [str(getattr(request, "request_id", "")) for request in fake.requests]


def test_a_write_gets_a_request_id_a_deadline_and_an_actor(okr: OkrClient, fake: Fake) -> None:
    okr.ledger.RecordCheckIn(CHECK_IN)

    assert UUID(ids(fake)[0]).version == 7
    assert CHECK_IN.request_id == "", "the caller's message is not touched"
    assert fake.metadata[0]["okr-actor"] == "people/p-1"
    assert "okr-on-behalf-of" not in fake.metadata[0]
    assert 3 < fake.deadlines[0] < 11


def test_what_the_caller_says_stays(okr: OkrClient, fake: Fake) -> None:
    mine = "0b8e2f5c-6a7b-4c1d-9e3f-5a6b7c8d9e0f"
    request = RecordCheckInRequest(request_id=mine)
    request.MergeFrom(CHECK_IN)

    okr.ledger.RecordCheckIn(request, timeout=2, metadata=(("okr-actor", "services/crm"),))

    assert ids(fake) == [mine]
    assert fake.metadata[0]["okr-actor"] == "services/crm"
    assert 0 < fake.deadlines[0] < 3


def test_a_retry_carries_the_same_request_id(okr: OkrClient, fake: Fake) -> None:
    fake.failures = [BUSY, BUSY]

    okr.ledger.RecordCheckIn(CHECK_IN)

    assert len(fake.requests) == 3
    assert len(set(ids(fake))) == 1


@pytest.mark.parametrize("code", ["ABORTED", "RESOURCE_EXHAUSTED", "INTERNAL", "NOT_FOUND"])
def test_only_unavailable_is_retried(okr: OkrClient, fake: Fake, code: str) -> None:
    fake.failures = [Failure(grpc.StatusCode[code])]

    with pytest.raises(OkrError) as caught:
        okr.ledger.RecordCheckIn(CHECK_IN)

    assert caught.value.code.name == code
    assert caught.value.request_id == ids(fake)[0], "so that the caller can repeat it"
    assert len(fake.requests) == 1


def test_a_read_waits_for_the_clients_own_latest_write(okr: OkrClient, fake: Fake) -> None:
    read = GetCycleRequest(name="cycles/q3")
    okr.scores.GetCycle(read)
    fake.positions = [7, 5]
    okr.ledger.RecordCheckIn(CHECK_IN)
    okr.ledger.RecordCheckIn(CHECK_IN)
    okr.scores.GetCycle(read)
    okr.scores.GetCycle(GetCycleRequest(name="cycles/q3", at_least_as_fresh="another"))

    asked = [r.at_least_as_fresh for r in fake.requests if isinstance(r, GetCycleRequest)]
    assert asked == ["", "token-7", "another"], "the latest by position, not by arrival"
    assert okr.token == "token-7"


def test_a_token_of_a_lost_future_is_forgotten(okr: OkrClient, fake: Fake) -> None:
    okr.ledger.RecordCheckIn(CHECK_IN)
    lost = details.ErrorInfo(reason="TOKEN_LOST", domain="okr.v1")
    fake.failures = [Failure(grpc.StatusCode.FAILED_PRECONDITION, "lost", (lost,))]

    with pytest.raises(OkrError, match="TOKEN_LOST"):
        okr.scores.GetCycle(GetCycleRequest(name="cycles/q3"))

    okr.scores.GetCycle(GetCycleRequest(name="cycles/q3"))
    assert okr.token == ""


def test_an_error_carries_its_facts(okr: OkrClient, fake: Fake) -> None:
    violation = details.BadRequest.FieldViolation(
        field="measurement.value", reason="string.pattern", description="is no decimal"
    )
    fake.failures = [
        Failure(
            grpc.StatusCode.INVALID_ARGUMENT,
            "a field is wrong",
            (
                details.ErrorInfo(
                    reason="FIELD_INVALID", domain="okr.v1", metadata={"resource": "cycles/q3"}
                ),
                details.BadRequest(field_violations=[violation]),
                details.RetryInfo(retry_delay=Duration(seconds=2)),
            ),
        )
    ]

    with pytest.raises(OkrError) as caught:
        okr.ledger.RecordCheckIn(CHECK_IN)

    error = caught.value
    assert error.code is grpc.StatusCode.INVALID_ARGUMENT
    assert str(error) == "FIELD_INVALID: a field is wrong"
    assert error.metadata == {"resource": "cycles/q3"}
    assert error.violations == (Violation("measurement.value", "string.pattern", "is no decimal"),)
    assert error.retry_after == 2


def test_details_that_cannot_be_read_are_left_out(okr: OkrClient, fake: Fake) -> None:
    foreign = details.ErrorInfo(reason="QUOTA", domain="elsewhere.example")
    fake.failures = [Failure(grpc.StatusCode.NOT_FOUND, "gone", (foreign,))]

    with pytest.raises(OkrError) as caught:
        okr.ledger.RecordCheckIn(CHECK_IN)

    assert (caught.value.reason, caught.value.message) == ("", "gone")


def test_nobody_there_is_unavailable_without_a_reason() -> None:
    with OkrClient("127.0.0.1:1", timeout_seconds=5) as okr, pytest.raises(OkrError) as caught:
        okr.scores.GetCycle(GetCycleRequest(name="cycles/q3"))

    assert caught.value.code is grpc.StatusCode.UNAVAILABLE
    assert caught.value.reason == ""


def test_pages_are_walked_to_the_end(okr: OkrClient) -> None:
    found = [
        event.name
        for page in pages(okr.audit.ListEvents, ListEventsRequest(page_size=1))
        for event in page.events
    ]

    assert found == ["events/0", "events/1", "events/2"]


def test_the_asyncio_client_does_the_same(fake: Fake) -> None:
    fake.failures = [BUSY]

    async def play(address: str) -> OkrError:
        async with AsyncOkrClient(address, actor="services/crm") as okr:
            await okr.ledger.RecordCheckIn(CHECK_IN)
            await okr.scores.GetCycle(GetCycleRequest(name="cycles/q3"))
            fake.failures = [Failure(grpc.StatusCode.NOT_FOUND, "gone")]
            try:
                await okr.ledger.RecordCheckIn(CHECK_IN, timeout=2)
            except OkrError as error:
                return error
        raise AssertionError("it was answered")

    with serving(fake) as address:
        error = asyncio.run(play(address))

    assert len(set(ids(fake)[:2])) == 1, "retried with the same id"
    read = fake.requests[2]
    assert isinstance(read, GetCycleRequest)
    assert read.at_least_as_fresh == "token-2"
    assert fake.metadata[0]["okr-actor"] == "services/crm"
    assert (error.code, error.message) == (grpc.StatusCode.NOT_FOUND, "gone")
    assert error.request_id


def test_request_ids_are_in_order_of_time() -> None:
    made = [UUID(new_request_id()) for _ in range(50)]

    assert all(each.version == 7 and each.variant == "specified in RFC 4122" for each in made)
    milliseconds = [each.int >> 80 for each in made]
    assert milliseconds == sorted(milliseconds)
    assert len(set(made)) == 50
