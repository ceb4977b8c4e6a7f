"""Check-ins that are interrupted, and the proof that each acknowledged one is there once."""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

import grpc

from okr.v1 import audit_service_pb2 as audit
from okr.v1 import score_service_pb2 as scores
from okr.v1.events_pb2 import CheckInRecorded
from okr.v1.ledger_service_pb2 import RecordCheckInRequest
from tests.support.ask import check_in, commit, cycle, new, objective, team
from tests.support.whole import Caller

CALLERS: Final = 8
LONGEST_SECONDS: Final = 0.3
OBJECTIVES: Final = 4
PATIENCE_SECONDS: Final = 40.0


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

    def send_until(self, ended: threading.Event, address: str) -> None:
        """One caller's life: sends on, whatever breaks; what was not answered is sent again."""
        with grpc.insecure_channel(address) as channel:
            caller = Caller(channel)
            while not ended.is_set():
                request = self.next()
                try:
                    answer = caller.ask(request, timeout=30)
                except grpc.RpcError as error:
                    with self.lock:
                        self.open.append(request)
                        self.failures[error.code()] += 1
                    time.sleep(0.02)
                    continue
                with self.lock:
                    assert request.request_id not in self.acknowledged
                    self.acknowledged[request.request_id] = answer.position

    def run(self, address: str, seconds: float, kill: Callable[[], object]) -> None:
        """Sends for so long, then kills."""
        callers = [
            threading.Thread(target=self.send_until_it_breaks, args=(address,))
            for _ in range(CALLERS)
        ]
        for each in callers:
            each.start()
        time.sleep(seconds)
        kill()
        for each in callers:
            each.join(10)
            assert not each.is_alive()


@contextmanager
def sending(stream: Stream, *addresses: str) -> Iterator[None]:
    """Callers of each server, who send on until the block ends."""
    ended = threading.Event()
    callers = CALLERS // len(addresses)
    with ThreadPoolExecutor(callers * len(addresses)) as threads:
        sent = [
            threads.submit(stream.send_until, ended, address)
            for address in addresses
            for _ in range(callers)
        ]
        try:
            yield
        finally:
            ended.set()
    for each in sent:
        each.result()


def wait_for_more(stream: Stream, more: int) -> None:
    """Returns when so many further check-ins were acknowledged."""
    wanted = len(stream.acknowledged) + more
    deadline = time.monotonic() + PATIENCE_SECONDS
    while len(stream.acknowledged) < wanted:
        assert time.monotonic() < deadline, stream.failures
        time.sleep(0.01)


def wait_until_read(address: str) -> None:
    """Returns when reads are served: one that meets a connection that was cut is not."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    with grpc.insecure_channel(address) as channel:
        me = Caller(channel)
        while time.monotonic() < deadline:
            try:
                me.ask(audit.ListEventsRequest(page_size=1))
            except grpc.RpcError:
                time.sleep(0.02)
            else:
                return
    raise AssertionError("reads are not served")


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


class Ledger:
    """What is in the ledger that servers are killed on, and what was verified of it so far."""

    def __init__(self, seed: int) -> None:
        told(f"seed {seed}")
        self.instants = random.Random(seed)
        self.stream = Stream(random.Random(seed + 1))
        self.planned = self.verified = self.lost_answers = 0

    def plan(self, address: str) -> None:
        """Makes the key results that are checked in on."""
        with grpc.insecure_channel(address) as channel:
            me = Caller(channel)
            me.all_of(team(), cycle(first="2024-07-01", last="2024-09-30"))
            for number in range(OBJECTIVES):
                key_results = (new(f"k{i}", target="10") for i in range(3))
                me.ask(objective(f"o{number}", *key_results))
            me.ask(commit())
            self.planned = self.verified = me.head()

    def interrupted(self, address: str, kill: Callable[[], object]) -> None:
        """Check-ins for a while, and then whatever is killed."""
        self.stream.run(address, self.instants.uniform(0, LONGEST_SECONDS), kill)

    def verify(self, address: str) -> None:
        """What came since the last time is whole: all that was answered, and nothing unasked."""
        with grpc.insecure_channel(address) as channel:
            me = Caller(channel)
            head = me.head()
            there = positions_by_request(me, self.verified)
        assert len(there) == head - self.verified
        acknowledged = self.stream.acknowledged.items()
        new_ones = {r: p for r, p in acknowledged if p > self.verified}
        assert new_ones.items() <= there.items()
        unanswered = {request.request_id for request in self.stream.open}
        assert there.keys() - new_ones.keys() <= unanswered
        self.lost_answers += len(there.keys() - new_ones.keys())
        self.verified = head

    def finish(self, address: str, *others: grpc.StatusCode) -> None:
        """Sends again what nobody answered; then each is there once, from the first to the last.

        Calls have failed with UNAVAILABLE before, and with nothing else but `others`.
        """
        assert grpc.StatusCode.UNAVAILABLE in self.stream.failures
        assert self.stream.failures.keys() <= {grpc.StatusCode.UNAVAILABLE, *others}
        with grpc.insecure_channel(address) as channel:
            me = Caller(channel)
            for request in self.stream.open:
                self.stream.acknowledged[request.request_id] = me.ask(request).position
            assert_each_is_there_once(me, self.stream, self.planned)
        told(
            f"{len(self.stream.acknowledged)} check-ins acknowledged, {self.stream.retried} sent"
            f" again, {self.lost_answers} of them recorded before their answer was lost"
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
