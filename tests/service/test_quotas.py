"""No caller takes it all: what one may have, and that the others are served meanwhile."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import grpc
import pytest
from grpc import StatusCode
from hypothesis import given
from hypothesis import strategies as st

from ledger.call import Caller as Name
from okr.v1.ledger_service_pb2 import CreateTeamRequest, CreateTeamResponse, StreamCheckInsRequest
from service.exchange import Gate
from service.identity.principal import Credential, Metadata, Peer, Principal
from service.lane.link import Answer
from service.limits import BURST_SECONDS
from service.quotas import Quota, Quotas
from service.refusals import QuotaExceeded
from tests.support.serving import LoopThread, Refused, refused, served
from tests.support.whole import Caller, path_of

WRITE = CreateTeamRequest()
FEED = path_of(StreamCheckInsRequest())


@dataclass
class Clock:
    seconds: float = 100.0

    def __call__(self) -> float:
        return self.seconds


def high(_low: float, high: float) -> float:
    return high


class Ledger:
    """Answers at once, or, once `held`, when it is let go."""

    def __init__(self) -> None:
        self.held: asyncio.Event | None = None
        self.begun = threading.Semaphore(0)

    async def write(self, *_: object) -> Answer:
        self.begun.release()
        if self.held is not None:
            await self.held.wait()
        return Answer(1, CreateTeamResponse(position=1).SerializeToString(), "", 1)


@contextmanager
def service(
    loop: LoopThread, quotas: Quotas, ledger: Ledger, credential: Credential = "token"
) -> Iterator[Caller]:
    """A service that takes everybody for who they say, and takes that for vouched for."""

    async def identify(metadata: Metadata, _peer: Peer) -> Principal:
        return Principal(Name(str(dict(metadata)["okr-actor"])), (), credential)

    gate = Gate(identify=identify, quotas=quotas)
    with (
        served(loop, writes=ledger.write, gate=gate) as address,
        grpc.insecure_channel(address) as channel,
    ):
        yield Caller(channel)


def by(actor: str) -> Any:
    return (("okr-actor", f"people/{actor}"),)


def assert_exceeded(error: Refused, quota: str, limit: str, seconds: float) -> None:
    assert (error.code, error.reason) == (StatusCode.RESOURCE_EXHAUSTED, "QUOTA_EXCEEDED")
    assert dict(error.info.metadata) == {"quota": quota, "limit": limit}
    assert error.retry.retry_delay.ToTimedelta().total_seconds() == pytest.approx(seconds)


def test_calls_per_second_are_counted_for_each_caller(loop: LoopThread) -> None:
    clock = Clock()
    quotas = Quotas(Quota(calls_per_second=0.5), now=clock, jitter=high)
    with service(loop, quotas, Ledger()) as me:
        me.ask(WRITE, by("anna"))
        clock.seconds += 0.5
        assert_exceeded(me.refused(WRITE, by("anna")), "calls_per_second", "0.5", 2 * 1.5)
        me.ask(WRITE, by("bela"))
        clock.seconds += 1.5
        me.ask(WRITE, by("anna"))
        me.refused(WRITE, by("anna"))


def test_calls_at_a_time_are_counted_for_each_caller(loop: LoopThread) -> None:
    ledger = Ledger()
    ledger.held = held = asyncio.Event()
    with service(loop, Quotas(Quota(calls=2), jitter=high), ledger) as me:
        method: Any = me.channel.unary_unary(path_of(WRITE))
        calls = [method.future(WRITE.SerializeToString(), metadata=by("anna")) for _ in "ab"]
        for _ in calls:
            assert ledger.begun.acquire(timeout=5)
        assert_exceeded(me.refused(WRITE, by("anna")), "calls", "2", 0.2)
        loop.loop.call_soon_threadsafe(held.set)
        for call in calls:
            call.result(5)
        me.ask(WRITE, by("bela"))
        me.ask(WRITE, by("anna"))


def test_streams_are_counted_for_each_caller(loop: LoopThread) -> None:
    with service(loop, Quotas(Quota(streams=1), jitter=high), Ledger()) as me:
        raw = StreamCheckInsRequest().SerializeToString()
        fed: Any = me.channel.stream_stream(FEED)
        with Open(fed, raw, "anna") as first:
            next(first)
            with Open(fed, raw, "anna") as second:
                assert_exceeded(refused(lambda: next(second)), "streams", "1", 0.2)
            with Open(fed, raw, "bela") as others:
                next(others)
            me.ask(WRITE, by("anna"))


class Open:
    """A stream that has sent one message and sends no other."""

    def __init__(self, method: Any, raw: bytes, actor: str) -> None:
        self._answers = method(self._messages(raw), metadata=by(actor), timeout=10)
        self._open = True

    def _messages(self, raw: bytes) -> Iterator[bytes]:
        yield raw
        while self._open:
            time.sleep(0.01)

    def __enter__(self) -> Any:
        return self._answers

    def __exit__(self, *_: object) -> None:
        self._open = False
        self._answers.cancel()


def test_who_names_themselves_has_no_quota(loop: LoopThread) -> None:
    quotas = Quotas(Quota(calls_per_second=0.001))
    with service(loop, quotas, Ledger(), "none") as me:
        for _ in range(3):
            me.ask(WRITE, by("anna"))
    assert len(quotas) == 0


def test_a_quota_of_nothing_is_without_a_limit() -> None:
    quotas = Quotas(Quota())
    for number in range(5000):
        quotas.begin("people/a", streams=bool(number % 2))


@given(
    rate=st.floats(0.1, 1e5),
    pauses=st.lists(st.floats(0, 10), min_size=1, max_size=60),
)
def test_no_span_of_time_has_more_calls_than_its_share_and_a_burst(
    rate: float, pauses: list[float]
) -> None:
    clock = Clock()
    quotas = Quotas(Quota(calls_per_second=rate), now=clock)
    began, passed = clock.seconds, 0
    for pause in pauses:
        clock.seconds += pause
        try:
            account = quotas.begin("people/a", streams=False)
        except QuotaExceeded as error:
            # Who comes back then is served.
            clock.seconds += error.retry_seconds
            account = quotas.begin("people/a", streams=False)
        quotas.end(account, streams=False)
        passed += 1
    most = max(1.0, rate * BURST_SECONDS) + rate * (clock.seconds - began)
    assert passed <= most + 1e-6


def test_what_is_remembered_of_callers_is_bounded_and_who_is_served_is_not_forgotten() -> None:
    quotas = Quotas(Quota(calls=1), remembered=10)
    held = quotas.begin("people/held", streams=False)
    for number in range(1000):
        quotas.end(quotas.begin(f"people/p{number}", streams=False), streams=False)
        assert len(quotas) <= 10
    with pytest.raises(QuotaExceeded):
        quotas.begin("people/held", streams=False)
    quotas.end(held, streams=False)
    quotas.begin("people/held", streams=False)
