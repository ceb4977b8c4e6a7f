"""What one connection may take, and that one which is ended takes nothing with it."""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import grpc
import pytest
from grpc import StatusCode
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

from okr.v1.ledger_service_pb2 import CreateTeamRequest, CreateTeamResponse
from service.connections import OTHER_DESCRIPTORS, Connections, room_for
from service.exchange import Gate
from service.lane.link import Answer
from service.limits import METADATA_BYTES
from service.load import Loads
from tests.hostile.wire import Wire, call, message
from tests.support.serving import LoopThread, Refused, refused, served
from tests.support.whole import Caller, path_of

WRITE = CreateTeamRequest()
PATH = path_of(WRITE)
TOLD = HealthCheckResponse.NOT_SERVING
"""What health says of the whole server here: nobody has said that it serves."""


async def write(*_: object) -> Answer:
    return Answer(1, CreateTeamResponse(position=1).SerializeToString(), "", 1)


@contextmanager
def service(
    loop: LoopThread, gate: Gate | None = None, **connections: Any
) -> Iterator[tuple[str, Caller]]:
    with (
        served(loop, writes=write, gate=gate, connections=Connections(**connections)) as address,
        grpc.insecure_channel(address) as channel,
    ):
        yield address, Caller(channel)


def test_connections_are_bounded_and_the_others_served(loop: LoopThread) -> None:
    with service(loop, at_most=5) as (address, me), ExitStack() as opened:
        me.ask(WRITE)
        wires = [opened.enter_context(Wire(address)) for _ in range(20)]
        assert sum(wire.hung_up(0.2) for wire in wires) >= 16
        me.ask(WRITE)


def test_calls_of_a_connection_are_bounded(loop: LoopThread) -> None:
    with service(loop, calls=3) as (address, me), Wire(address) as wire:
        for stream in (1, 3, 5, 7):
            wire.open(stream, call(PATH))
        assert wire.ended(7, 5) is not None
        me.ask(WRITE)


@pytest.mark.parametrize("greeting", [b"", b"PRI * HTTP", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"])
def test_a_handshake_that_is_not_finished_is_given_up(loop: LoopThread, greeting: bytes) -> None:
    with (
        service(loop, handshake_seconds=0.3) as (address, me),
        Wire(address, greeting=greeting) as wire,
    ):
        assert wire.hung_up(5)
        me.ask(WRITE)


def test_a_connection_without_calls_ends_and_its_client_makes_another(loop: LoopThread) -> None:
    with service(loop, idle_seconds=0.5) as (address, me), Wire(address) as wire:
        me.ask(WRITE)
        assert wire.hung_up(10)
        me.ask(WRITE)


def test_calls_whose_requests_never_come_are_bounded_and_health_is_told(loop: LoopThread) -> None:
    gate = Gate(loads=Loads(opened=10))
    with service(loop, gate) as (address, me), Wire(address) as wire:
        for number in range(10):
            wire.open(2 * number + 1, call(PATH))
        until_overloaded(me)
        health: Any = HealthStub(me.channel)
        assert health.Check(HealthCheckRequest(), timeout=5).status == TOLD
        wire.socket.close()
        until_served(me)


def until_overloaded(me: Caller) -> None:
    """The raw calls may come after ours at first."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            me.ask(WRITE)
        except grpc.RpcError as failure:
            error = Refused(failure)
            assert (error.code, error.reason) == (StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED")
            assert error.retry.HasField("retry_delay")
            return
    raise AssertionError("every call was served")


def until_served(me: Caller) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            me.ask(WRITE)
        except grpc.RpcError:
            time.sleep(0.01)
        else:
            return
    raise AssertionError("no call is served any more")


def test_watches_of_health_are_bounded(loop: LoopThread) -> None:
    gate = Gate(loads=Loads(health_watches=1))
    with service(loop, gate) as (_, me):
        health: Any = HealthStub(me.channel)
        first = health.Watch(HealthCheckRequest(), timeout=10)
        assert next(first).status == TOLD
        second = health.Watch(HealthCheckRequest(), timeout=10)
        assert refused(lambda: next(second)).reason == "OVERLOADED"
        assert health.Check(HealthCheckRequest(), timeout=5).status == TOLD
        first.cancel()


@pytest.mark.parametrize("size", [METADATA_BYTES + 1, 200_000])
def test_metadata_of_a_caller_that_minds_no_settings_is_bounded(
    loop: LoopThread, size: int
) -> None:
    with service(loop) as (address, me), Wire(address) as wire:
        fields = [(b"okr-x", b"x" * 1000)] * (size // 1000 + 1)
        wire.open_long(1, call(PATH, *fields), message(b""))
        ended = wire.ended(1)
        assert ended is not None
        assert b"16384 are allowed" in ended.payload
        me.ask(WRITE)


def test_descriptors_are_found_for_as_many_connections_as_may_be() -> None:
    program = (
        "import resource; from service.connections import room_for;"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (256, 2000));"
        "print(room_for(1000), room_for(4000), resource.getrlimit(resource.RLIMIT_NOFILE)[0])"
    )
    told = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert told.stdout.split() == ["1000", str(2000 - OTHER_DESCRIPTORS), "2000"]


def test_descriptors_that_are_there_are_left_as_they_are() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert room_for(1) == 1
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == before
