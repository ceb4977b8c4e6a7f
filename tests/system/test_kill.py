"""A server that is killed at any instant keeps what it has acknowledged, once."""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import grpc
import pytest

from okr.v1 import audit_service_pb2 as audit
from okr.v1 import score_service_pb2 as scores
from okr.v1.events_pb2 import CheckInRecorded
from okr.v1.ledger_service_pb2 import RecordCheckInRequest
from tests.support.ask import check_in, commit, cycle, new, objective, team
from tests.support.forked_server import ForkedServers, forked_servers
from tests.support.server_process import server_process
from tests.support.whole import Caller

KILLS = 50
CALLERS = 8
SEED = 20_240_701
LONGEST_SECONDS = 0.3
OBJECTIVES = 4


@dataclass
class Stream:
    """Check-ins on their way, from several callers at a time.

    `acknowledged` has the positions by request id, `open` the requests that nobody answered yet:
    they are sent again before new ones.
    """

    ids: random.Random
    serial: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    open: list[RecordCheckInRequest] = field(default_factory=list)
    acknowledged: dict[str, int] = field(default_factory=dict)
    failures: Counter[grpc.StatusCode] = field(default_factory=Counter)
    retried: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def next(self) -> RecordCheckInRequest:
        """The next request to send."""
        with self.lock:
            if self.open:
                self.retried += 1
                return self.open.pop(0)
            number = next(self.serial)
            parent = f"objectives/o{number % OBJECTIVES}/keyResults/k{number % 3}"
            request_id = str(UUID(int=self.ids.getrandbits(128), version=4))
            return check_in(parent, str(number), on="2024-07-08", request_id=request_id)

    def send_until_it_breaks(self, address: str) -> None:
        """One caller's life: sends one request after the other until the server is gone."""
        with grpc.insecure_channel(address) as channel:
            caller = Caller(channel)
            while True:
                request = self.next()
                try:
                    answer = caller.ask(request, timeout=5)
                except grpc.RpcError as error:
                    with self.lock:
                        self.open.append(request)
                        self.failures[error.code()] += 1
                    return
                with self.lock:
                    assert request.request_id not in self.acknowledged
                    self.acknowledged[request.request_id] = answer.position

    def run(self, servers: ForkedServers, pid: int, address: str, seconds: float) -> None:
        """Sends for so long, then kills the server."""
        callers = [
            threading.Thread(target=self.send_until_it_breaks, args=(address,))
            for _ in range(CALLERS)
        ]
        for each in callers:
            each.start()
        time.sleep(seconds)
        servers.kill(pid)
        for each in callers:
            each.join(10)
            assert not each.is_alive()


def recorded(caller: Caller, after: int = 0) -> Iterable[Any]:
    """The ledger's events after a position, up to its head."""
    request = audit.ListEventsRequest(after_position=after, page_size=1000)
    request.as_of.position = caller.head()
    while True:
        answer = caller.ask(request)
        yield from answer.events
        if not answer.next_page_token:
            return
        request.page_token = answer.next_page_token


def positions_by_request(caller: Caller, after: int) -> dict[str, int]:
    """Where each request's event is; each is there once, and positions leave no gap."""
    found: dict[str, int] = {}
    for position, event in enumerate(recorded(caller, after), after + 1):
        assert event.header.position == position
        request_id = event.decoded_metadata.request_id
        assert request_id not in found
        found[request_id] = position
    return found


def told(line: str) -> None:
    """Leaves a line in the test's captured output."""
    print(line)  # noqa: T201 - what a failure is read by


@pytest.mark.slow
@pytest.mark.system
@pytest.mark.timeout(180)
def test_killed_at_random_instants(tmp_path: Path) -> None:
    told(f"seed {SEED}")
    instants = random.Random(SEED)
    stream = Stream(random.Random(SEED + 1))
    began = time.monotonic()
    starts: list[float] = []
    lost_answers = 0
    with forked_servers(tmp_path) as servers:
        pid, address = servers.start()
        with grpc.insecure_channel(address) as channel:
            me = Caller(channel)
            me.all_of(team(), cycle(first="2024-07-01", last="2024-09-30"))
            for number in range(OBJECTIVES):
                key_results = (new(f"k{i}", target="10") for i in range(3))
                me.ask(objective(f"o{number}", *key_results))
            me.ask(commit())
            verified = planned = me.head()
        for kill in range(KILLS):
            stream.run(servers, pid, address, instants.uniform(0, LONGEST_SECONDS))
            start = time.monotonic()
            pid, address = servers.start()
            starts.append(time.monotonic() - start)
            with grpc.insecure_channel(address) as channel:
                me = Caller(channel)
                head = me.head()
                there = positions_by_request(me, verified)
            assert len(there) == head - verified, f"kill {kill}"
            new_ones = {r: p for r, p in stream.acknowledged.items() if p > verified}
            assert new_ones.items() <= there.items(), f"kill {kill}"
            unanswered = {request.request_id for request in stream.open}
            assert there.keys() - new_ones.keys() <= unanswered
            lost_answers += len(there.keys() - new_ones.keys())
            verified = head
        servers.kill(pid)
    assert stream.failures.keys() == {grpc.StatusCode.UNAVAILABLE}
    with server_process(tmp_path) as server, grpc.insecure_channel(server.address) as channel:
        me = Caller(channel)
        for request in stream.open:
            stream.acknowledged[request.request_id] = me.ask(request).position
        assert_each_is_there_once(me, stream, planned)
    seconds = time.monotonic() - began
    told(
        f"{KILLS} kills in {seconds:.1f} s: {len(stream.acknowledged)} check-ins acknowledged,"
        f" {stream.retried} sent again, {lost_answers} of them recorded before their answer was"
        f" lost; a start took {sum(starts) / KILLS:.3f} s"
    )


def assert_each_is_there_once(me: Caller, stream: Stream, planned: int) -> None:
    """The whole ledger against everything that was ever acknowledged, and the read models too."""
    events = [e for e in recorded(me) if e.header.position > planned]
    assert [e.header.position for e in events] == list(range(planned + 1, me.head() + 1))
    there = {e.decoded_metadata.request_id: e.header.position for e in events}
    assert there == stream.acknowledged
    assert len(events) == len(there)
    numbers: Counter[str] = Counter()
    for event in events:
        fact = CheckInRecorded.FromString(event.payload)
        numbers[fact.key_result] += 1
        assert fact.number == numbers[fact.key_result]
    for key_result, count in numbers.items():
        answer = me.ask(scores.GetKeyResultRequest(name=key_result))
        assert answer.key_result.key_result.check_in_count == count
        assert answer.key_result.check_in.name == f"{key_result}/checkIns/{count}"
