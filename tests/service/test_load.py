"""Each class of calls is bounded by itself, and no class takes what another needs."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc
import pytest
from grpc import StatusCode, aio

from ledger.call import in_thread
from okr.v1 import audit_service_pb2 as audit
from okr.v1 import ledger_service_pb2 as ledger
from okr.v1 import replay_service_pb2 as replay
from okr.v1 import score_service_pb2 as scores
from okr.v1.operations_service_pb2 import GetStatusRequest, GetStatusResponse
from service import limits
from service.exchange import Gate
from service.load import Loads
from tests.support.serving import LoopThread, Refused, served
from tests.support.whole import METHODS, Caller, path_of

HEAVY = audit.ComparePlansRequest(cycle="cycles/q")
CHEAP = scores.GetTeamRequest(name="teams/a")
WRITE = ledger.CreateTeamRequest()
OPERATION = GetStatusRequest()
REPLAY = replay.ReplayCycleRequest(cycle="cycles/q", step=replay.REPLAY_STEP_DAY)


class Service:
    """Heavy reads hold a thread until `go`; so do cheap ones while `slow` is set."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.heavy_begun = threading.Semaphore(0)
        self.slow = False

    async def ComparePlans(self, request: Any, context: Any) -> audit.ComparePlansResponse:
        await in_thread(self._wait)
        return audit.ComparePlansResponse()

    def _wait(self) -> None:
        self.heavy_begun.release()
        assert self.go.wait(20)

    async def GetTeam(self, request: Any, context: Any) -> scores.GetTeamResponse:
        await in_thread(self.go.wait if self.slow else time.monotonic)
        return scores.GetTeamResponse()

    async def ReplayCycle(
        self, request: Any, context: Any
    ) -> AsyncIterator[replay.ReplayCycleResponse]:
        """Frames of 1 MiB without an end."""
        while True:
            yield replay.ReplayCycleResponse(token="x" * 2**20)

    async def GetStatus(self, request: Any, context: Any) -> GetStatusResponse:
        return await in_thread(GetStatusResponse)

    async def write(self, *_: object) -> Any:
        """Never decides."""
        await asyncio.Event().wait()

    def add_to(self, server: aio.Server) -> None:
        for request in (HEAVY, CHEAP, REPLAY, OPERATION):
            _, service, method = path_of(request).split("/")
            kind = (
                grpc.unary_stream_rpc_method_handler
                if method == "ReplayCycle"
                else grpc.unary_unary_rpc_method_handler
            )
            handler = kind(getattr(self, method), type(request).FromString, serialised)
            server.add_generic_rpc_handlers(
                (grpc.method_handlers_generic_handler(service, {method: handler}),)
            )


def serialised(message: Any) -> bytes:
    raw: bytes = message.SerializeToString()
    return raw


@pytest.fixture
def service() -> Iterator[Service]:
    made = Service()
    yield made
    made.go.set()


@contextmanager
def caller(loop: LoopThread, service: Service, gate: Gate) -> Iterator[Caller]:
    with (
        served(loop, service.add_to, writes=service.write, gate=gate) as address,
        grpc.insecure_channel(address) as channel,
    ):
        try:
            yield Caller(channel, address)
        finally:
            service.go.set()


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def assert_overloaded(error: Refused, least_seconds: float) -> None:
    assert (error.code, error.reason) == (StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED")
    seconds = error.retry.retry_delay.ToTimedelta().total_seconds()
    assert least_seconds <= seconds <= 2 * least_seconds


def test_heavy_reads_have_a_number_and_threads_of_their_own(
    loop: LoopThread, service: Service
) -> None:
    gate = Gate(loads=Loads(heavy_reads=4))
    with caller(loop, service, gate) as me, ThreadPoolExecutor(4) as callers:
        waiting = [callers.submit(me.ask, HEAVY) for _ in range(4)]
        until(lambda: gate.loads.heavy_reads.calls == 4)
        for _ in range(limits.HEAVY_THREADS):
            assert service.heavy_begun.acquire(timeout=5)
        assert not service.heavy_begun.acquire(timeout=0.1), "the others wait for their turn"
        assert_overloaded(me.refused(HEAVY), 2.0)
        for _ in range(20):
            me.ask(CHEAP)
        me.ask(OPERATION)
        service.go.set()
        for each in waiting:
            each.result()
        me.ask(HEAVY)
    assert gate.loads.heavy_reads.calls == 0


def test_operations_get_through_when_reads_and_writes_do_not(
    loop: LoopThread, service: Service
) -> None:
    service.slow = True
    gate = Gate(loads=Loads(reads=50, writes=5))
    with caller(loop, service, gate) as me:
        calls = [start(me, CHEAP) for _ in range(50)] + [start(me, WRITE) for _ in range(5)]
        until(lambda: gate.loads.reads.calls == 50 and gate.loads.writes.calls == 5)
        assert_overloaded(me.refused(CHEAP), 0.5)
        assert_overloaded(me.refused(WRITE), 0.5)
        me.ask(OPERATION)
        for call in calls:
            call.cancel()
        until(lambda: gate.calls == 0)


def start(me: Caller, request: Any) -> Any:
    method: Any = me.channel.unary_unary(path_of(request))
    return method.future(request.SerializeToString(), timeout=20)


def test_operations_are_bounded_too(loop: LoopThread, service: Service) -> None:
    gate = Gate(loads=Loads(operations=0))
    with caller(loop, service, gate) as me:
        assert_overloaded(me.refused(OPERATION), 0.5)


def test_a_read_that_takes_too_long_ends_although_its_caller_would_wait(
    loop: LoopThread, service: Service
) -> None:
    gate = Gate(call_seconds=0.2)
    with caller(loop, service, gate) as me:
        for timeout in (None, 20.0):
            error = me.refused(HEAVY, timeout=timeout)  # type: ignore[arg-type]  # without a deadline
            assert (error.code, error.reason) == (
                StatusCode.DEADLINE_EXCEEDED,
                "DEADLINE_PASSED",
            )
        service.go.set()
        me.ask(HEAVY)


def test_what_became_of_a_write_that_takes_too_long_is_not_known(
    loop: LoopThread, service: Service
) -> None:
    with caller(loop, service, Gate(call_seconds=0.2)) as me:
        error = me.refused(WRITE)
    assert (error.code, error.reason) == (StatusCode.UNAVAILABLE, "OUTCOME_UNKNOWN")


def test_a_replay_that_nobody_reads_gives_its_place_back(
    loop: LoopThread, service: Service
) -> None:
    gate = Gate(loads=Loads(replays=1, frame_seconds=0.3))
    path, raw = path_of(REPLAY), REPLAY.SerializeToString()
    with caller(loop, service, gate) as me, me.stream(path, raw) as answers:
        next(answers)
        with me.stream(path, raw) as others:
            try:
                next(others)
            except grpc.RpcError as error:
                assert_overloaded(Refused(error), 5.0)
            else:
                raise AssertionError("a second replay was begun")
        until(lambda: gate.loads.replays.calls == 0)
        with me.stream(path, raw) as others:
            next(others)


def test_every_class_is_of_some_method_of_the_api() -> None:
    loads = Loads()
    classes = {
        loads.of(f"/{method.containing_service.full_name}/{method.name}", streams=streams)
        for method in METHODS.values()
        for streams in (method.server_streaming,)
    }
    assert classes == {
        *(loads.writes, loads.reads, loads.heavy_reads, loads.operations),
        *(loads.streams, loads.score_watches, loads.replays),
    }
    loads.close()
