"""What the service has no room for now is sent again when it says, and within the call's time."""

from __future__ import annotations

import time
from collections.abc import Iterator

import grpc
import pytest

from ledger.call import Caller as Name
from okr import AsyncOkrClient, OkrClient, OkrError
from okr.retrying import Again
from okr.v1.ledger_service_pb2 import CreateTeamRequest, CreateTeamResponse
from service.exchange import Gate
from service.identity.principal import Metadata, Peer, Principal
from service.lane.link import Answer
from service.quotas import Quota, Quotas
from tests.support.serving import LoopThread, served, shared_loop

PER_SECOND = 5.0
BURST = 10


class Ledger:
    """Counts the requests that come to it."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def write(self, _method: str, raw: bytes, *_: object) -> Answer:
        self.asked.append(CreateTeamRequest.FromString(raw).request_id)
        return Answer(1, CreateTeamResponse(position=len(self.asked)).SerializeToString(), "", 1)


async def vouched(_metadata: Metadata, _peer: Peer) -> Principal:
    return Principal(Name("people/anna"), (), "token")


@pytest.fixture
def loop() -> LoopThread:
    return shared_loop()


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


@pytest.fixture
def address(loop: LoopThread, ledger: Ledger) -> Iterator[str]:
    """A service that takes ten calls of a caller at once, and five a second after these."""
    gate = Gate(identify=vouched, quotas=Quotas(Quota(calls_per_second=PER_SECOND)))
    with served(loop, writes=ledger.write, gate=gate) as bound:
        yield bound


def test_calls_beyond_a_quota_wait_and_are_made(address: str, ledger: Ledger) -> None:
    with OkrClient(address) as okr:
        for number in range(BURST + 2):
            assert okr.ledger.CreateTeam(CreateTeamRequest()).position == number + 1
    assert len(set(ledger.asked)) == BURST + 2


def test_a_call_that_has_no_time_to_wait_says_why(address: str) -> None:
    with OkrClient(address) as okr:
        for _ in range(BURST):
            okr.ledger.CreateTeam(CreateTeamRequest())
        with pytest.raises(OkrError) as told:
            okr.ledger.CreateTeam(CreateTeamRequest(), timeout=0.05)
    assert told.value.reason == "QUOTA_EXCEEDED"
    assert told.value.retry_after
    assert told.value.request_id


def test_the_asynchronous_client_does_the_same(
    loop: LoopThread, address: str, ledger: Ledger
) -> None:
    async def calls() -> str:
        async with AsyncOkrClient(address) as okr:
            for _ in range(BURST + 2):
                await okr.ledger.CreateTeam(CreateTeamRequest())
            try:
                # Who waited a little longer than told may have saved up a call or two.
                for _ in range(BURST):
                    await okr.ledger.CreateTeam(CreateTeamRequest(), timeout=0.05)
            except OkrError as error:
                return error.reason
        return ""

    assert loop.run(calls()) == "QUOTA_EXCEEDED"
    assert len(set(ledger.asked)) == len(ledger.asked) >= BURST + 2


@pytest.mark.parametrize(
    "error",
    [
        OkrError(grpc.StatusCode.RESOURCE_EXHAUSTED, "REQUEST_TOO_LARGE", ""),
        OkrError(grpc.StatusCode.UNAVAILABLE, "LOG_UNAVAILABLE", "", retry_after=0.1),
        OkrError(grpc.StatusCode.INVALID_ARGUMENT, "FIELD_INVALID", ""),
    ],
    ids=lambda error: error.reason,
)
def test_nothing_else_is_made_again(error: OkrError) -> None:
    with pytest.raises(OkrError):
        Again(10.0).pause(error)


def test_a_pause_is_as_told_and_a_little_more() -> None:
    error = OkrError(grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED", "", retry_after=2.0)
    pauses = {Again(None).pause(error) for _ in range(50)}
    assert len(pauses) > 1
    assert all(2.0 <= pause <= 3.0 for pause in pauses)
    assert Again(None).left() is None
    assert 0 < (Again(1.0, now=time.monotonic).left() or 0) <= 1
