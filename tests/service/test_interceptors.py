import asyncio
import io
import json
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc
import pytest
from google.protobuf.empty_pb2 import Empty
from google.protobuf.timestamp_pb2 import Timestamp
from grpc import aio
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub
from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionRequest
from grpc_reflection.v1alpha.reflection_pb2_grpc import ServerReflectionStub

from ledger.call import CALL, Call
from ledger.refusals import EtagMismatch
from okr.v1 import ledger_service_pb2 as api
from okr.v1.ledger_service_pb2_grpc import LedgerServiceStub
from okr.v1.operations_service_pb2 import GetStatusRequest, GetStatusResponse
from service.exchange import Gate
from service.listening import AddressTaken
from service.load import Loads
from service.logging import logs
from service.validation import MESSAGE_BYTES
from tests.support.serving import LoopThread, Refused, refused, served

KEY_RESULT = "objectives/growth/keyResults/followers"
WATCH = "/okr.v1.FakeService/Watch"


class FakeLedger:
    """Does what the tests set, and remembers the calls that reached it."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.answer: Callable[[], Any] = lambda: api.RecordCheckInResponse(position=7, token="t")
        self.running = asyncio.Event()
        self.cancelled = asyncio.Event()

    async def write(self, request: Any, context: aio.ServicerContext[Any, Any]) -> Any:
        """Answers any method."""
        self.calls.append(CALL.get())
        answer = self.answer()
        return await answer if asyncio.iscoroutine(answer) else answer

    async def abort(self, request: Any, context: aio.ServicerContext[Any, Any]) -> None:
        """Ends the call itself."""
        await context.abort(grpc.StatusCode.DATA_LOSS, "as I say")

    def add_to(self, server: aio.Server) -> None:
        """Takes the place of the ledger service."""
        handlers = {
            "RecordCheckIn": unary(self.write, api.RecordCheckInRequest),
            "CreateObjective": unary(self.write, api.CreateObjectiveRequest),
            "CommitPlan": unary(self.abort, api.CommitPlanRequest),
            "RetireTeam": unary(lambda request, context: None, api.RetireTeamRequest),
        }
        server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler("okr.v1.LedgerService", handlers),)
        )

    async def stay(self) -> None:
        """Runs until it is cancelled."""
        self.running.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.cancelled.set()


def unary(method: Any, request: Any) -> "grpc.RpcMethodHandler[Any, Any]":
    serialise = api.RecordCheckInResponse.SerializeToString
    return grpc.unary_unary_rpc_method_handler(method, request.FromString, serialise)


async def watch(
    request: GetStatusRequest, context: aio.ServicerContext[Any, Any]
) -> AsyncIterator[GetStatusResponse]:
    """Three answers, then an error."""
    for position in (1, 2, 3):
        yield GetStatusResponse(head_position=position)
    raise EtagMismatch("cycles/2026-q3", CALL.get().method)


def fake_service() -> grpc.GenericRpcHandler:
    handler = grpc.unary_stream_rpc_method_handler(
        watch, GetStatusRequest.FromString, GetStatusResponse.SerializeToString
    )
    _, service, method = WATCH.split("/")
    return grpc.method_handlers_generic_handler(service, {method: handler})


@pytest.fixture
def fake() -> FakeLedger:
    return FakeLedger()


@pytest.fixture
def output() -> Iterator[io.BytesIO]:
    written = io.BytesIO()
    with logs("json", "info", written):
        yield written


@pytest.fixture
def address(loop: LoopThread, fake: FakeLedger, output: io.BytesIO) -> Iterator[str]:
    def add(server: aio.Server) -> None:
        fake.add_to(server)
        server.add_generic_rpc_handlers((fake_service(),))

    with served(loop, add, services=("okr.v1.LedgerService",)) as bound:
        yield bound


@pytest.fixture
def channel(address: str) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(address) as opened:
        yield opened


@pytest.fixture
def ledger(channel: grpc.Channel) -> LedgerServiceStub:
    return LedgerServiceStub(channel)


def check_in(**fields: Any) -> api.RecordCheckInRequest:
    request = api.RecordCheckInRequest(parent=KEY_RESULT, **fields)
    request.measurement.value = "12.5"
    return request


def send_raw(channel: grpc.Channel, raw: bytes, method: str = "RecordCheckIn") -> Refused:
    """Sends bytes that no client would make, and expects them to be refused."""
    call: Any = channel.unary_unary(f"/okr.v1.LedgerService/{method}", None, None)
    return refused(lambda: call(raw, timeout=5))


# Errors


def test_a_typed_error_becomes_its_status(ledger: LedgerServiceStub, fake: FakeLedger) -> None:
    def stale() -> None:
        raise EtagMismatch("objectives/growth", '"8"')

    fake.answer = stale
    error = refused(lambda: ledger.RecordCheckIn(check_in(), timeout=5))
    assert (error.code, error.reason) == (grpc.StatusCode.ABORTED, "ETAG_MISMATCH")
    assert error.info.domain == "okr.v1"
    assert error.info.metadata["etag"] == '"8"'
    assert error.message == 'objectives/growth has changed: its etag is now "8"'


def fail(error: BaseException) -> None:
    raise error


@pytest.mark.parametrize(
    "answer",
    [
        lambda: fail(ValueError("SELECT secret FROM people")),
        lambda: fail(TimeoutError("secret")),
        lambda: fail(ExceptionGroup("secret", [ValueError("secret")])),
        lambda: None,
        lambda: "secret",
        lambda: api.CreateTeamResponse,
    ],
)
def test_a_defect_leaks_nothing_but_the_id_of_its_log_entry(
    ledger: LedgerServiceStub, fake: FakeLedger, answer: Callable[[], Any]
) -> None:
    fake.answer = answer
    error = refused(lambda: ledger.RecordCheckIn(check_in(), timeout=5))
    assert (error.code, error.reason) == (grpc.StatusCode.INTERNAL, "INTERNAL")
    incident = error.info.metadata["incident"]
    assert error.message == f"internal error; it was logged as incident {incident}"


def test_the_log_has_the_defect_under_its_id(
    ledger: LedgerServiceStub, fake: FakeLedger, output: io.BytesIO
) -> None:
    fake.answer = lambda: fail(ValueError("what went wrong"))
    error = refused(lambda: ledger.RecordCheckIn(check_in(), timeout=5))
    entry, call = entries(output, 2)
    assert entry["incident"] == call["incident"] == error.info.metadata["incident"]
    assert "ValueError: what went wrong" in entry["exception"]
    assert entry["level"] == "error"
    assert call["code"] == "INTERNAL"


def test_an_abort_of_the_method_itself_passes(ledger: LedgerServiceStub) -> None:
    error = refused(lambda: ledger.CommitPlan(api.CommitPlanRequest(name="cycles/x"), timeout=5))
    assert (error.code, error.message) == (grpc.StatusCode.DATA_LOSS, "as I say")


@pytest.mark.parametrize("method", ["EraseAll", "RetireTeam"])
def test_a_method_that_is_not_built_is_unimplemented(channel: grpc.Channel, method: str) -> None:
    assert send_raw(channel, b"", method).code is grpc.StatusCode.UNIMPLEMENTED


# Requests


def test_violations_name_the_paths_of_their_fields(
    ledger: LedgerServiceStub, fake: FakeLedger
) -> None:
    request = api.CreateObjectiveRequest(cycle="2026-q3", request_id="mine")
    request.definition.title = "Growth"
    key_result = request.key_results.add().definition
    key_result.target = "NaN"
    key_result.milestones.add(id="first step", title="First")
    error = refused(lambda: ledger.CreateObjective(request, timeout=5))
    assert (error.code, error.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "FIELD_INVALID")
    assert set(zip(error.fields, error.rules, strict=True)) == {
        ("cycle", "string.pattern"),
        ("request_id", "string.uuid"),
        ("key_results[0].definition.target", "string.pattern"),
        ("key_results[0].definition.milestones[0].id", "string.pattern"),
    }
    assert not fake.calls


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (check_in(note="a\0b"), "note"),
        (check_in(note="x" * 4001), "note"),
        (check_in(confidence=11), "confidence"),
        (api.RecordCheckInRequest(parent=KEY_RESULT), "measurement"),
        (check_in(source_time=Timestamp(seconds=4_000_000_000)), "source_time"),
    ],
)
def test_a_rule_that_is_broken_names_its_field(
    ledger: LedgerServiceStub, request_: api.RecordCheckInRequest, field: str
) -> None:
    error = refused(lambda: ledger.RecordCheckIn(request_, timeout=5))
    assert error.fields == [field]


def test_unknown_fields_are_refused_at_any_depth(channel: grpc.Channel) -> None:
    request = api.CreateObjectiveRequest(cycle="cycles/2026-q3")
    request.definition.MergeFromString(b"\xc8\x3e\x01")
    request.key_results.add()
    milestone = request.key_results.add().definition.milestones.add()
    milestone.MergeFromString(b"\xba\x3e\x02hi")
    request.MergeFromString(b"\xf8\x3f\x01")
    error = send_raw(channel, request.SerializeToString(), "CreateObjective")
    assert (error.code, error.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "FIELD_UNKNOWN")
    assert error.fields == [
        "1023",
        "definition.1001",
        "key_results[1].definition.milestones[0].999",
    ]


@pytest.mark.parametrize(
    "raw",
    [
        b"\x0a\xff",  # ends within a field
        b"\x0a\x02\xc3\x28",  # text that is not UTF-8
        b"\x0f",  # a wire type that does not exist
        b"\x12" * 4000,
    ],
)
def test_bytes_that_are_no_request_are_the_callers_fault(channel: grpc.Channel, raw: bytes) -> None:
    error = send_raw(channel, raw)
    assert (error.code, error.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "FIELD_INVALID")
    assert error.message == "the request is not a valid okr.v1.RecordCheckInRequest"


def test_a_request_above_4_mib_is_too_large(channel: grpc.Channel, fake: FakeLedger) -> None:
    error = send_raw(channel, check_in(note="x" * MESSAGE_BYTES).SerializeToString())
    assert error.code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "4194304 are allowed" in error.message
    assert error.reason
    assert not fake.calls


def test_a_request_far_above_the_limit_is_not_even_taken(channel: grpc.Channel) -> None:
    error = send_raw(channel, bytes(3 * MESSAGE_BYTES))
    assert error.code is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_an_answer_above_4_mib_asks_for_a_smaller_part(
    ledger: LedgerServiceStub, fake: FakeLedger
) -> None:
    fake.answer = lambda: api.RecordCheckInResponse(token="x" * MESSAGE_BYTES)
    error = refused(lambda: ledger.RecordCheckIn(check_in(), timeout=5))
    assert (error.code, error.reason) == (
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        "ANSWER_TOO_LARGE",
    )


def test_headers_above_the_cap_are_refused(ledger: LedgerServiceStub) -> None:
    metadata = (("okr-padding", "x" * 40_000),)
    error = refused(lambda: ledger.RecordCheckIn(check_in(), timeout=5, metadata=metadata))
    assert error.code is grpc.StatusCode.RESOURCE_EXHAUSTED


# Callers


def test_a_caller_that_names_nobody_is_the_local_service(
    ledger: LedgerServiceStub, fake: FakeLedger
) -> None:
    ledger.RecordCheckIn(check_in(), timeout=5)
    (call,) = fake.calls
    assert (call.caller.actor, call.caller.on_behalf_of) == ("services/local", "")
    assert call.method == "/okr.v1.LedgerService/RecordCheckIn"


def test_a_caller_names_itself_and_whom_it_acts_for(
    ledger: LedgerServiceStub, fake: FakeLedger
) -> None:
    metadata = (("okr-actor", "services/crm"), ("okr-on-behalf-of", "people/7f3a"))
    ledger.RecordCheckIn(check_in(), timeout=5, metadata=metadata)
    (call,) = fake.calls
    assert (call.caller.actor, call.caller.on_behalf_of) == ("services/crm", "people/7f3a")


@pytest.mark.parametrize(
    "metadata",
    [
        (("okr-actor", "anna"),),
        (("okr-actor", "people/Anna"),),
        (("okr-actor", "people/"),),
        (("okr-actor", "teams/sales"),),
        (("okr-actor", "people/a"), ("okr-actor", "people/b")),
        (("okr-actor", "people/" + "a" * 64),),
    ],
)
def test_a_name_that_is_none_is_refused(
    ledger: LedgerServiceStub, fake: FakeLedger, metadata: tuple[tuple[str, str], ...]
) -> None:
    error = refused(lambda: ledger.RecordCheckIn(check_in(), timeout=5, metadata=metadata))
    assert (error.code, error.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "FIELD_INVALID")
    assert error.fields == ["okr-actor"]
    assert not fake.calls


# Time and load


def test_a_method_learns_the_deadline(ledger: LedgerServiceStub, fake: FakeLedger) -> None:
    ledger.RecordCheckIn(check_in(), timeout=5)
    ledger.RecordCheckIn(check_in())
    bounded, unbounded = fake.calls
    assert bounded.deadline is not None
    assert 4 < bounded.deadline - time.monotonic() < 5.5
    assert bounded.seconds_left(at_most=2) == 2
    assert unbounded.deadline is not None
    assert 100 < unbounded.deadline - time.monotonic() < 120.5
    assert unbounded.seconds_left(at_most=2) == 2


def test_a_method_is_cancelled_at_its_deadline(
    loop: LoopThread, ledger: LedgerServiceStub, fake: FakeLedger, output: io.BytesIO
) -> None:
    fake.answer = fake.stay
    error = refused(lambda: ledger.RecordCheckIn(check_in(), timeout=0.2))
    assert error.code is grpc.StatusCode.DEADLINE_EXCEEDED
    loop.run(asyncio.wait_for(fake.cancelled.wait(), 5))
    (entry,) = entries(output, 1)
    assert entry["code"] == "DEADLINE_EXCEEDED"


def test_a_method_is_cancelled_when_its_caller_goes(
    loop: LoopThread, ledger: LedgerServiceStub, fake: FakeLedger, output: io.BytesIO
) -> None:
    fake.answer = fake.stay
    call = ledger.RecordCheckIn.future(check_in(), timeout=30)
    loop.run(asyncio.wait_for(fake.running.wait(), 5))
    call.cancel()
    loop.run(asyncio.wait_for(fake.cancelled.wait(), 5))
    (entry,) = entries(output, 1)
    assert entry["code"] == "CANCELLED"


def test_calls_above_the_limit_are_told_when_to_come_back(
    loop: LoopThread, fake: FakeLedger
) -> None:
    fake.answer = fake.stay
    gate = Gate(loads=Loads(writes=1, jitter=lambda low, high: high))
    with (
        served(loop, fake.add_to, gate=gate) as address,
        grpc.insecure_channel(address) as channel,
    ):
        ledger = LedgerServiceStub(channel)
        first = ledger.RecordCheckIn.future(check_in(), timeout=30)
        loop.run(asyncio.wait_for(fake.running.wait(), 5))
        error = refused(lambda: ledger.RecordCheckIn(check_in(), timeout=5))
        assert (error.code, error.reason) == (
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            "OVERLOADED",
        )
        assert error.retry.retry_delay.ToTimedelta().total_seconds() == 1.0
        first.cancel()
        loop.run(asyncio.wait_for(fake.cancelled.wait(), 5))
        fake.answer = lambda: api.RecordCheckInResponse(position=8)
        assert ledger.RecordCheckIn(check_in(), timeout=5).position == 8
    assert gate.calls == 0


# Streams


def test_errors_in_a_stream_come_after_what_was_sent(channel: grpc.Channel) -> None:
    stream = channel.unary_stream(
        WATCH, GetStatusRequest.SerializeToString, GetStatusResponse.FromString
    )(GetStatusRequest(), timeout=5)
    received = [next(stream).head_position for _ in range(3)]
    error = refused(lambda: next(stream))
    assert received == [1, 2, 3]
    assert (error.code, error.info.metadata["etag"]) == (grpc.StatusCode.ABORTED, WATCH)


def test_unknown_fields_of_a_streams_request_are_refused(channel: grpc.Channel) -> None:
    watched: Any = channel.unary_stream(WATCH, None, None)
    stream = watched(b"\xf8\x3f\x01", timeout=5)
    assert refused(lambda: next(stream)).reason == "FIELD_UNKNOWN"


def test_a_stream_of_requests_is_not_let_through_unchecked(loop: LoopThread) -> None:
    async def echo(requests: Any, context: Any) -> AsyncIterator[Empty]:
        async for request in requests:
            yield request

    handler = grpc.stream_stream_rpc_method_handler(echo, Empty.FromString, Empty.SerializeToString)
    service = grpc.method_handlers_generic_handler("okr.v1.FakeService", {"Echo": handler})
    with (
        served(loop, lambda server: server.add_generic_rpc_handlers((service,))) as address,
        grpc.insecure_channel(address) as channel,
    ):
        echoed: Any = channel.stream_stream("/okr.v1.FakeService/Echo", None, None)
        stream = echoed(iter([b""]), timeout=5)
        assert refused(lambda: next(stream)).code is grpc.StatusCode.UNIMPLEMENTED


# Logs


def test_each_call_has_one_entry(
    ledger: LedgerServiceStub, fake: FakeLedger, output: io.BytesIO
) -> None:
    request = check_in(request_id=str(uuid4()))
    metadata = (("okr-actor", "services/crm"), ("okr-on-behalf-of", "people/7f3a"))
    ledger.RecordCheckIn(request, timeout=5, metadata=metadata)
    refused(lambda: ledger.RecordCheckIn(check_in(confidence=11), timeout=5))
    answered, invalid = entries(output, 2)
    assert answered.pop("milliseconds") >= 0
    assert answered.pop("time").endswith("Z")
    assert answered == {
        "event": "call",
        "level": "info",
        "method": "/okr.v1.LedgerService/RecordCheckIn",
        "code": "OK",
        "actor": "services/crm",
        "on_behalf_of": "people/7f3a",
        "authenticated_by": "none",
        "request_id": request.request_id,
        "position": 7,
    }
    assert (invalid["code"], invalid["reason"]) == ("INVALID_ARGUMENT", "FIELD_INVALID")


def entries(output: io.BytesIO, count: int) -> list[dict[str, Any]]:
    """The log's entries, once there are so many."""
    deadline = time.monotonic() + 5
    while True:
        told = [json.loads(line) for line in output.getvalue().splitlines()]
        if len(told) >= count or time.monotonic() > deadline:
            assert len(told) == count, told
            return told
        time.sleep(0.01)


# Listening


def test_health_tells_serving_and_then_not_serving(loop: LoopThread, fake: FakeLedger) -> None:
    name = "okr.v1.LedgerService"
    with ThreadPoolExecutor(1) as pool:
        with served(
            loop,
            fake.add_to,
            services=(name,),
        ) as address:
            channel = grpc.insecure_channel(address)
            # The stub's types leave out what it has beside Check.
            health: Any = HealthStub(channel)
            watch = health.Watch(HealthCheckRequest(service=name), timeout=10)
            assert next(watch).status == HealthCheckResponse.SERVING
            after = pool.submit(next, watch)
        assert after.result(5).status == HealthCheckResponse.NOT_SERVING
        channel.close()


def test_running_calls_end_before_the_server_does(loop: LoopThread, fake: FakeLedger) -> None:
    async def slowly() -> api.RecordCheckInResponse:
        fake.running.set()
        await asyncio.sleep(0.3)
        return api.RecordCheckInResponse(position=9)

    fake.answer = slowly
    with served(loop, fake.add_to) as address:
        channel = grpc.insecure_channel(address)
        call = LedgerServiceStub(channel).RecordCheckIn.future(check_in(), timeout=5)
        loop.run(asyncio.wait_for(fake.running.wait(), 5))
    assert call.result(5).position == 9
    channel.close()


def test_reflection_lists_the_services(channel: grpc.Channel) -> None:
    request = ServerReflectionRequest(list_services="*")
    # The stub's types leave its method out.
    reflection: Any = ServerReflectionStub(channel)
    (answer,) = reflection.ServerReflectionInfo(iter([request]), timeout=5)
    names = {service.name for service in answer.list_services_response.service}
    assert {"okr.v1.LedgerService", "grpc.health.v1.Health"} <= names


def test_a_second_server_on_the_same_port_is_refused(loop: LoopThread, address: str) -> None:
    with (
        pytest.raises(AddressTaken, match="address already in use"),
        served(loop, add_none, address=address),
    ):
        pass


def test_a_second_server_on_the_same_socket_is_refused(loop: LoopThread, tmp_path: Path) -> None:
    address = f"unix:{tmp_path}/okr.sock"
    with (
        served(loop, add_none, address=address),
        pytest.raises(AddressTaken, match="another server"),
        served(loop, add_none, address=address),
    ):
        pass


def test_a_socket_that_was_left_behind_is_taken_over(
    loop: LoopThread, fake: FakeLedger, tmp_path: Path
) -> None:
    path = tmp_path / "okr.sock"
    leave_socket(path)
    with (
        served(
            loop,
            fake.add_to,
            address=f"unix:{path}",
        ) as address,
        grpc.insecure_channel(address) as channel,
    ):
        assert LedgerServiceStub(channel).RecordCheckIn(check_in(), timeout=5).position == 7


def leave_socket(path: Path) -> None:
    """A socket file without a listener, as a killed server leaves it."""
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))


def add_none(server: aio.Server) -> None:
    """Adds nothing."""
