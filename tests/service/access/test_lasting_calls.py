"""Calls that last: what was permitted when they began may not be any more."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import grpc
import pytest
from grpc import aio

from ledger.call import Caller as Name
from okr.v1.ledger_service_pb2 import StreamCheckInsRequest, StreamCheckInsResponse
from okr.v1.replay_service_pb2 import WatchEventsRequest, WatchEventsResponse
from okr.v1.score_service_pb2 import GetObjectiveRequest, GetObjectiveResponse
from service.access.roles import Grants, Role
from service.exchange import Gate
from service.identity.principal import Metadata, Peer, Principal
from service.lane.link import Answer, Many
from service.refusals import Unauthenticated
from tests.support.ask import AWARENESS, WHY, check_in, update_objective
from tests.support.deciding import ANNA, EU, authority, company, directory_of, events_of
from tests.support.serving import LoopThread, Refused, refused, served, shared_loop

WATCH = "/okr.v1.ReplayService/WatchEvents"
READ = "/okr.v1.ScoreService/GetObjective"
FEED = "/okr.v1.LedgerService/StreamCheckIns"


@pytest.fixture
def loop() -> LoopThread:
    return shared_loop()


class Issuer:
    """Vouches for Anna until told otherwise."""

    def __init__(self) -> None:
        self.refusal: Exception | None = None

    async def identify(self, _metadata: Metadata, _peer: Peer) -> Principal:
        if self.refusal is not None:
            raise self.refusal
        return Principal(Name(ANNA), (), "token")


async def endless(
    request: WatchEventsRequest, context: aio.ServicerContext[Any, Any]
) -> AsyncIterator[WatchEventsResponse]:
    """A watch that says something once and then waits."""
    yield WatchEventsResponse(position=1)
    await asyncio.Event().wait()


class Held:
    """Grants that a test replaces."""

    def __init__(self, value: Grants) -> None:
        self.value = value


class Shop:
    """A service whose roles, and whose objectives, can be taken away."""

    def __init__(self) -> None:
        self.told = company()
        self.issuer = Issuer()
        self.roles = Held(Grants({ANNA: (Role("contributor"),)}))
        decides = authority(directory_of(self.told))
        self.directory = decides.directory
        decides._grants = self.roles
        self.gate = Gate(identify=self.issuer.identify, authority=decides, recheck_seconds=0.02)

    def move(self) -> None:
        """Another server has moved awareness to sales, and this one learns of it now."""
        before = len(self.told.records)
        self.told.given(update_objective(team="teams/sales", because=WHY))
        self.directory.take_in(events_of(self.told.records[before:]), len(self.told.records))

    async def read(
        self, request: GetObjectiveRequest, context: aio.ServicerContext[Any, Any]
    ) -> GetObjectiveResponse:
        """Answers a read of awareness that was moved meanwhile."""
        if request.name == AWARENESS:
            self.move()
        return GetObjectiveResponse()


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.fixture
def channel(loop: LoopThread, shop: Shop) -> Iterator[grpc.Channel]:
    def add(server: aio.Server) -> None:
        handler = grpc.unary_stream_rpc_method_handler(
            endless, WatchEventsRequest.FromString, WatchEventsResponse.SerializeToString
        )
        reads = grpc.unary_unary_rpc_method_handler(
            shop.read, GetObjectiveRequest.FromString, GetObjectiveResponse.SerializeToString
        )
        for path, answered in ((WATCH, handler), (READ, reads)):
            _, service, method = path.split("/")
            handlers = grpc.method_handlers_generic_handler(service, {method: answered})
            server.add_generic_rpc_handlers((handlers,))

    async def write(_method: str, raw: bytes, *_: object) -> Answer:
        count = len(StreamCheckInsRequest.FromString(raw).requests)
        answer = StreamCheckInsResponse(position=7).SerializeToString()
        return Answer(1, answer, "", 7, many=Many(count, 0))

    with (
        served(loop, add, writes=write, gate=shop.gate) as address,
        grpc.insecure_channel(address) as opened,
    ):
        yield opened


def ended(answers: Any) -> Refused:
    """How a stream ends that goes on for ever otherwise."""
    with pytest.raises(grpc.RpcError) as error:
        list(answers)
    return Refused(error.value)


def watched(channel: grpc.Channel) -> Any:
    method: Any = channel.unary_stream(WATCH)
    answers = method(WatchEventsRequest(from_now=True).SerializeToString(), timeout=20)
    assert WatchEventsResponse.FromString(next(answers)).position == 1
    return answers


def test_a_watch_ends_when_its_callers_role_does(channel: grpc.Channel, shop: Shop) -> None:
    answers = watched(channel)
    shop.roles.value = Grants()
    error = ended(answers)
    assert (error.code, error.reason) == (grpc.StatusCode.PERMISSION_DENIED, "NOT_PERMITTED")


def test_a_watch_ends_when_its_callers_credential_expires(
    channel: grpc.Channel, shop: Shop
) -> None:
    answers = watched(channel)
    shop.issuer.refusal = Unauthenticated("token.expired", "the token has expired")
    error = ended(answers)
    assert (error.code, error.reason) == (grpc.StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED")


def test_a_watch_goes_on_while_nothing_changes(channel: grpc.Channel, shop: Shop) -> None:
    answers = watched(channel)
    threading.Event().wait(0.2)
    answers.cancel()
    assert answers.code() is grpc.StatusCode.CANCELLED


def test_a_feed_ends_with_its_credential_after_what_it_had_taken(
    channel: grpc.Channel, shop: Shop
) -> None:
    go_on = threading.Event()

    def messages() -> Iterator[bytes]:
        yield StreamCheckInsRequest(requests=[check_in()]).SerializeToString()
        go_on.wait(20)

    method: Any = channel.stream_stream(FEED)
    answers = method(messages(), timeout=20)
    assert StreamCheckInsResponse.FromString(next(answers)).position == 7
    shop.issuer.refusal = Unauthenticated("token.expired", "the token has expired")
    error = ended(answers)
    go_on.set()
    assert error.code is grpc.StatusCode.UNAUTHENTICATED


def test_a_read_is_permitted_by_what_the_ledger_says_where_it_is_answered(
    channel: grpc.Channel, shop: Shop
) -> None:
    shop.roles.value = Grants({ANNA: (Role("viewer", "teams/marketing"),)})
    read: Any = channel.unary_unary(READ)
    assert read(GetObjectiveRequest(name=EU).SerializeToString(), timeout=20) == b""
    error = refused(
        lambda: read(GetObjectiveRequest(name=AWARENESS).SerializeToString(), timeout=20)
    )
    assert (error.code, error.reason) == (grpc.StatusCode.PERMISSION_DENIED, "NOT_PERMITTED")
