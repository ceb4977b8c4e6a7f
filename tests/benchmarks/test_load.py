"""The load generator against real gRPC servers: what it reports is what they saw."""

import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import pytest
import trustme

from benchmarks import load
from benchmarks.load import LoadPlan, run
from benchmarks.outcomes import LOST
from benchmarks.requests import PLACEHOLDER

MESSAGE = b"parent=objectives/o/keyResults/k id=" + PLACEHOLDER + b" value=12.5"
ORDERED_UUID = re.compile(
    rb"id=([0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}) "
)

Behaviour = Callable[[bytes, grpc.ServicerContext], bytes]


@dataclass
class Seen:
    """What a server received, and how many calls it had open at once."""

    requests: list[bytes] = field(default_factory=list)
    open_now: int = 0
    open_at_most: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def around(self, behaviour: Behaviour) -> Behaviour:
        def handle(request: bytes, context: grpc.ServicerContext) -> bytes:
            with self.lock:
                self.requests.append(request)
                self.open_now += 1
                self.open_at_most = max(self.open_at_most, self.open_now)
            try:
                return behaviour(request, context)
            finally:
                with self.lock:
                    self.open_now -= 1

        return handle


@contextmanager
def serving(
    behaviour: Behaviour, credentials: grpc.ServerCredentials | None = None
) -> Iterator[tuple[grpc.Server, int]]:
    method: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_unary_rpc_method_handler(behaviour)
    server = grpc.server(ThreadPoolExecutor(80))
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("bench.Service", {"Call": method}),)
    )
    address = "127.0.0.1:0"
    if credentials is None:
        port = server.add_insecure_port(address)
    else:
        port = server.add_secure_port(address, credentials)
    server.start()
    try:
        yield server, port
    finally:
        server.stop(0).wait()


def plan(port: int, **changes: object) -> LoadPlan:
    given = {"calls": 0, "seconds": 0.0, "messages": [MESSAGE]} | changes
    return LoadPlan(host="127.0.0.1", port=port, method="/bench.Service/Call", **given)  # type: ignore[arg-type] # the tests pass the fields of LoadPlan


def test_sends_exactly_the_calls_asked_for_each_with_a_request_id_of_its_own() -> None:
    seen = Seen()
    with serving(seen.around(lambda request, context: b"ok")) as (_, port):
        report = run(plan(port, calls=1_000))
    assert (report.ok, report.failures) == (1_000, {})
    found = [ORDERED_UUID.search(request) for request in seen.requests]
    assert len({match.group(1) for match in found if match}) == 1_000
    assert report.request_bytes == len(MESSAGE)
    assert report.response_bytes == 2


def test_keeps_as_many_calls_in_flight_as_asked_and_never_more() -> None:
    seen = Seen()
    gate = threading.Event()

    def wait_for_all(request: bytes, context: grpc.ServicerContext) -> bytes:
        if seen.open_now == 50:
            gate.set()
        assert gate.wait(10)
        return b""

    with serving(seen.around(wait_for_all)) as (_, port):
        report = run(plan(port, calls=400, in_flight=50, connections=3))
    assert report.ok == 400
    assert seen.open_at_most == 50


def test_counts_every_status_and_keeps_a_message_of_each() -> None:
    turn = iter(range(10**6))

    def sometimes_refuse(request: bytes, context: grpc.ServicerContext) -> bytes:
        number = next(turn)
        if number % 4 == 1:
            context.set_trailing_metadata((("grpc-status-details-bin", bytes(range(256)) * 8),))
            context.abort(grpc.StatusCode.NOT_FOUND, "nincs ilyen: árvíztűrő 100 %")
        if number % 4 == 3:
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, "graded")
        return b"ok"

    with serving(sometimes_refuse) as (_, port):
        report = run(plan(port, calls=400))
    assert report.ok == 200
    assert report.failures == {"NOT_FOUND": 100, "FAILED_PRECONDITION": 100}
    assert report.examples == {
        "NOT_FOUND": "nincs ilyen: árvíztűrő 100 %",
        "FAILED_PRECONDITION": "graded",
    }


def test_an_unknown_method_is_a_failure() -> None:
    with serving(lambda request, context: b"") as (_, port):
        report = run(LoadPlan("127.0.0.1", port, "/bench.Service/Other", [MESSAGE], calls=10))
    assert (report.ok, report.failures) == (0, {"UNIMPLEMENTED": 10})


def test_takes_responses_that_fill_many_frames() -> None:
    large = bytes(300_000)
    with serving(lambda request, context: large) as (_, port):
        report = run(plan(port, calls=200))
    assert (report.ok, report.failures) == (200, {})
    assert report.response_bytes == len(large)


def test_calls_over_tls_and_says_who_it_is(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    issued = authority.issue_cert("127.0.0.1")
    (certificate,) = issued.cert_chain_pems
    pair = (issued.private_key_pem.bytes(), certificate.bytes())
    told: set[str | bytes] = set()

    def answer(request: bytes, context: grpc.ServicerContext) -> bytes:
        told.update(value for key, value in context.invocation_metadata() if key == "authorization")
        return bytes(100_000)

    with serving(answer, grpc.ssl_server_credentials([pair])) as (_, port):
        token = "header.claims." + 600 * "s"
        report = run(plan(port, calls=300, authority=tmp_path / "authority.pem", token=token))
    assert (report.ok, report.failures) == (300, {})
    assert told == {f"Bearer {token}"}


def test_measures_for_the_time_asked_and_leaves_the_warm_up_out() -> None:
    with serving(lambda request, context: b"") as (_, port):
        report = run(plan(port, seconds=0.3, warmup_seconds=0.2))
    assert 0.3 <= report.seconds < 0.5
    assert 0 < report.rate * report.seconds < report.ok
    assert 0 < report.p50_ms <= report.p99_ms <= report.max_ms
    assert report.failures == {}


def test_calls_that_a_stopping_server_drops_are_counted() -> None:
    seen = Seen()
    stopping: list[threading.Thread] = []

    def stop_at_the_hundredth(request: bytes, context: grpc.ServicerContext) -> bytes:
        if len(seen.requests) == 100 and not stopping:
            stopping.append(threading.Thread(target=lambda: server.stop(0).wait()))
            stopping[0].start()
        return b""

    with serving(seen.around(stop_at_the_hundredth)) as (server, port):
        report = run(plan(port, calls=100_000))
        stopping[0].join()
    assert report.failed > 0
    assert report.ok <= len(seen.requests)
    assert report.ok + report.failed < 100_000


def test_calls_never_answered_are_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "SILENCE_SECONDS", 0.2)
    gate = threading.Event()

    def hang(request: bytes, context: grpc.ServicerContext) -> bytes:
        gate.wait(10)
        return b""

    with serving(hang) as (_, port):
        report = run(plan(port, seconds=0.1, in_flight=8))
        gate.set()
    assert (report.ok, report.failures) == (0, {LOST: 8})
