"""A watch of the client: one sequence of events, however often its connection drops."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import NoReturn

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2 as details

from okr import AsyncOkrClient, OkrClient, OkrError
from okr.resuming import LONGEST_PAUSE_SECONDS, Resuming
from okr.v1.replay_service_pb2 import (
    GetRetrospectiveRequest,
    GetRetrospectiveResponse,
    WatchEventsRequest,
    WatchEventsResponse,
)
from okr.v1.replay_service_pb2_grpc import (
    ReplayServiceServicer,
    add_ReplayServiceServicer_to_server,
)
from tests.okr.fake_service import Failure, abort

BEGINNING = WatchEventsRequest(after_position=0, stream="teams/t")
BROKEN = Failure(grpc.StatusCode.UNAVAILABLE, "Socket closed")
GONE = Failure(
    grpc.StatusCode.UNAVAILABLE,
    "the server is shutting down",
    (
        details.ErrorInfo(reason="SHUTTING_DOWN", domain="okr.v1"),
        details.RetryInfo(retry_delay=Duration(nanos=1_000_000)),
    ),
)
LOST = Failure(
    grpc.StatusCode.FAILED_PRECONDITION,
    "lost",
    (details.ErrorInfo(reason="TOKEN_LOST", domain="okr.v1"),),
)


@dataclass
class FakeReplay(ReplayServiceServicer):
    """Streams positions in pairs, and breaks off as the test tells it; then it ends without one."""

    ends: list[Failure | None]
    pairs: int = 1
    requests: list[WatchEventsRequest] = field(default_factory=list)
    metadata: list[dict[str, str]] = field(default_factory=list)
    unbounded: list[bool] = field(default_factory=list)

    def WatchEvents(
        self, request: WatchEventsRequest, context: grpc.ServicerContext
    ) -> Iterator[WatchEventsResponse]:
        self.requests.append(request)
        self.metadata.append({str(k): str(v) for k, v in context.invocation_metadata()})
        self.unbounded.append(context.time_remaining() is None or context.time_remaining() > 1e6)
        position = int(request.resume_token or 0)
        for _ in range(self.pairs):
            answer = WatchEventsResponse(position=position + 2, token=str(position + 2))
            for each in (position + 1, position + 2):
                answer.events.add().header.position = each
            position += 2
            yield answer
        if self.ends:
            end = self.ends.pop(0)
            if end is not None:
                abort(context, end)

    def GetRetrospective(
        self, request: GetRetrospectiveRequest, context: grpc.ServicerContext
    ) -> GetRetrospectiveResponse:
        raise AssertionError("nobody looks back here")

    def WatchScores(self, request: object, context: object) -> NoReturn:
        raise NotImplementedError

    def ReplayCycle(self, request: object, context: object) -> NoReturn:
        raise NotImplementedError


@contextmanager
def replaying(fake: FakeReplay) -> Iterator[str]:
    server = grpc.server(ThreadPoolExecutor(4), options=(("grpc.so_reuseport", 0),))
    add_ReplayServiceServicer_to_server(fake, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(None).wait()


def taken(answers: Iterator[WatchEventsResponse], count: int) -> list[int]:
    found: list[int] = []
    for answer in answers:
        found += [event.header.position for event in answer.events]
        if len(found) >= count:
            break
    return found


def test_a_watch_goes_on_after_the_last_answer_whatever_ends_its_stream() -> None:
    fake = FakeReplay([BROKEN, GONE, None, Failure(grpc.StatusCode.INTERNAL, "RST_STREAM"), BROKEN])
    with (
        replaying(fake) as address,
        OkrClient(address, actor="people/p-1") as okr,
        closing(okr.watch_events(BEGINNING)) as answers,
    ):
        assert taken(answers, 12) == [*range(1, 13)]
    assert [request.resume_token for request in fake.requests] == ["", *"2468", "10"]
    assert {request.stream for request in fake.requests} == {"teams/t"}
    assert all(seen["okr-actor"] == "people/p-1" for seen in fake.metadata)
    assert all(fake.unbounded), "a watch has no deadline"
    assert not BEGINNING.resume_token, "the caller's message is not touched"


def test_the_asyncio_client_does_the_same() -> None:
    fake = FakeReplay([BROKEN, GONE, None])

    async def play(address: str) -> list[int]:
        found: list[int] = []
        async with AsyncOkrClient(address, actor="services/crm") as okr:
            async for answer in okr.watch_events(BEGINNING):
                found += [event.header.position for event in answer.events]
                if len(found) >= 8:
                    break
        return found

    with replaying(fake) as address:
        assert asyncio.run(play(address)) == [*range(1, 9)]
    assert fake.metadata[-1]["okr-actor"] == "services/crm"


def test_what_is_refused_is_not_asked_again() -> None:
    fake = FakeReplay([LOST], pairs=0)
    with (
        replaying(fake) as address,
        OkrClient(address) as okr,
        pytest.raises(OkrError, match="TOKEN_LOST"),
    ):
        next(okr.watch_events(BEGINNING))
    assert len(fake.requests) == 1


def test_a_stream_of_the_stub_fails_with_the_clients_error_and_can_be_cancelled() -> None:
    fake = FakeReplay([LOST], pairs=2)
    with replaying(fake) as address, OkrClient(address) as okr:
        answers = okr.replay.WatchEvents(BEGINNING)
        assert [next(answers).position, next(answers).position] == [2, 4]
        with pytest.raises(OkrError) as caught:
            next(answers)
        assert caught.value.reason == "TOKEN_LOST"
        again = okr.replay.WatchEvents(BEGINNING)
        next(again)
        again.cancel()


def test_nobody_there_ends_a_watch_after_its_patience() -> None:
    with OkrClient("127.0.0.1:1") as okr, pytest.raises(OkrError) as caught:
        next(okr.watch_events(BEGINNING, patience_seconds=0.3))
    assert caught.value.code is grpc.StatusCode.UNAVAILABLE


def test_a_closed_client_ends_its_watches() -> None:
    fake = FakeReplay([])
    with replaying(fake) as address:
        okr = OkrClient(address)
        answers = okr.watch_events(BEGINNING)
        next(answers)
        okr.close()
        with pytest.raises((OkrError, ValueError)):
            taken(answers, 100)


def test_pauses_grow_and_begin_anew_after_an_answer() -> None:
    now = 0.0
    watch = Resuming(BEGINNING, 10.0, now=lambda: now, jitter=lambda least, most: most)
    broken = OkrError(grpc.StatusCode.UNAVAILABLE, "", "gone")
    pauses = [watch.pause(broken) for _ in range(7)]
    assert pauses == [0.1, 0.2, 0.4, 0.8, 1.6, LONGEST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS]
    now = 9.0
    watch.took(WatchEventsResponse(token="t"))
    now = 100.0
    assert watch.pause(broken) == 0.1, "patience is counted from the first failure"
    busy = OkrError(grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED", "busy", retry_after=3.0)
    assert watch.pause(busy) == 4.5
    now = 110.0
    with pytest.raises(OkrError, match="gone"):
        watch.pause(broken)
