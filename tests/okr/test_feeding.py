"""Many check-ins through the clients: each has its outcome once, however often streams break."""

from __future__ import annotations

import asyncio
import itertools
import socket
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import pytest

from okr import AsyncOkrClient, OkrClient, OkrError
from okr.feeding import AHEAD, MESSAGE_AT_MOST, Acknowledged, Feed
from okr.v1.ledger_service_pb2 import (
    RecordCheckInRequest,
    StreamCheckInsRequest,
    StreamCheckInsResponse,
)
from tests.okr.fake_service import abort
from tests.okr.test_watching import GONE
from tests.support.ask import FOLLOWERS, check_in, commit, cycle, objective, team
from tests.support.serving import shared_loop
from tests.support.whole import Caller, whole_service

NOWHERE = "objectives/none/keyResults/none"


@pytest.fixture
def quarter(tmp_path: Path) -> Iterator[Caller]:
    with whole_service(shared_loop(), tmp_path) as me:
        me.all_of(team(), cycle(first="2024-07-01", last="2024-09-30"), objective(), commit())
        yield me


@pytest.fixture
def unused() -> str:
    """An address where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


def good(number: int) -> RecordCheckInRequest:
    return check_in(FOLLOWERS, str(number), on="2024-07-08")


def check_told(told: list[Acknowledged], after: int, count: int) -> None:
    """Each has its outcome: one of ten was refused, the others are there."""
    assert [each.request.measurement.value for each in told] == [str(n) for n in range(count)]
    assert len({each.request.request_id for each in told}) == count
    refused = {n: each.error.reason for n, each in enumerate(told) if each.error}
    assert refused == dict.fromkeys(range(7, count, 10), "RESOURCE_NOT_FOUND")
    fine = [each for each in told if each.error is None]
    assert [each.position for each in fine] == list(range(after + 1, after + len(fine) + 1))
    assert [each.name for each in fine] == [
        f"{FOLLOWERS}/checkIns/{number}" for number in range(1, len(fine) + 1)
    ]


def mixed(count: int) -> Iterator[RecordCheckInRequest]:
    for number in range(count):
        yield check_in(NOWHERE if number % 10 == 7 else FOLLOWERS, str(number), on="2024-07-08")


async def awaited(count: int) -> AsyncIterator[RecordCheckInRequest]:
    for each in mixed(count):
        yield each


def test_a_batch_tells_each(quarter: Caller) -> None:
    head = quarter.head()
    with OkrClient(quarter.address) as okr:
        check_told(okr.batch_record_check_ins(mixed(20)), head, 20)
        assert okr.token

        async def again() -> None:
            async with AsyncOkrClient(quarter.address) as okr:
                (told,) = await okr.batch_record_check_ins([good(20)])
                assert told.name == f"{FOLLOWERS}/checkIns/19"

        asyncio.run(again())


@pytest.mark.parametrize("count", [0, 1, MESSAGE_AT_MOST, 3 * AHEAD + 5])
def test_a_stream_tells_each_in_order(quarter: Caller, count: int) -> None:
    head = quarter.head()
    with OkrClient(quarter.address) as okr:
        told = list(okr.stream_check_ins(mixed(count)))
        assert bool(okr.token) == bool(count)
    check_told(told, head, count)


def test_the_async_client_does_the_same(quarter: Caller) -> None:
    head = quarter.head()

    async def main() -> None:
        async with AsyncOkrClient(quarter.address) as okr:
            assert [each async for each in okr.stream_check_ins(awaited(0))] == []
            told = [each async for each in okr.stream_check_ins(awaited(2 * AHEAD + 5))]
            check_told(told, head, 2 * AHEAD + 5)

    asyncio.run(main())


def test_what_comes_one_by_one_is_told_one_by_one(quarter: Caller) -> None:
    """The next measurement waits for the one before to be acknowledged."""

    async def main() -> list[int]:
        acknowledged: asyncio.Queue[int] = asyncio.Queue()

        async def measured() -> AsyncIterator[RecordCheckInRequest]:
            for number in range(5):
                yield good(number)
                assert await acknowledged.get() == number

        told: list[int] = []
        async with AsyncOkrClient(quarter.address) as okr:
            async for each in okr.stream_check_ins(measured()):
                told.append(int(each.request.measurement.value))
                acknowledged.put_nowait(told[-1])
        return told

    assert asyncio.run(asyncio.wait_for(main(), 20)) == [0, 1, 2, 3, 4]


class Broken(Exception):
    """What a source of check-ins may raise."""


def test_an_error_of_the_source_is_not_taken_for_its_end(quarter: Caller) -> None:
    def measured() -> Iterator[RecordCheckInRequest]:
        yield from mixed(3)
        # An error of the client's own kind, as from a call of another ledger, passes too.
        raise OkrError(grpc.StatusCode.UNAVAILABLE, "", "the other ledger is gone")

    async def measured_later() -> AsyncIterator[RecordCheckInRequest]:
        for each in mixed(3):
            yield each
        raise Broken

    told: set[str] = set()

    async def main() -> None:
        async with AsyncOkrClient(quarter.address) as okr:
            async for each in okr.stream_check_ins(measured_later()):
                told.add(each.name or "refused")

    with (
        OkrClient(quarter.address) as okr,
        pytest.raises(OkrError, match="the other ledger is gone"),
    ):
        list(okr.stream_check_ins(measured()))
    with pytest.raises(Broken):
        asyncio.run(main())
    assert len(told) == 3


def test_leaving_a_stream_early_leaves_nothing_behind(quarter: Caller) -> None:
    with OkrClient(quarter.address) as okr:
        stream = okr.stream_check_ins(good(n) for n in itertools.count())
        first = [next(stream) for _ in range(3)]
        stream.close()
        assert [each.request.measurement.value for each in first] == ["0", "1", "2"]
        assert okr.ledger.RecordCheckIn(good(1)).position


def test_a_message_that_is_refused_as_a_whole_ends_the_stream(quarter: Caller) -> None:
    huge = good(1)
    huge.note = "x" * 2**21
    with OkrClient(quarter.address) as okr, pytest.raises(OkrError) as refused:
        list(okr.stream_check_ins([good(0), huge]))
    assert refused.value.reason == "REQUEST_TOO_LARGE"


def test_nobody_there_is_told_when_patience_ends(unused: str) -> None:
    with OkrClient(unused) as okr, pytest.raises(OkrError) as gone:
        list(okr.stream_check_ins([good(0)], patience_seconds=0.3))
    assert gone.value.code is grpc.StatusCode.UNAVAILABLE


@dataclass
class FakeLedger:
    """Acknowledges so many messages of each connection and then breaks off."""

    breaks: list[int]
    seen: list[list[str]] = field(default_factory=list)
    metadata: list[dict[str, Any]] = field(default_factory=list)

    def feed(
        self, messages: Iterator[StreamCheckInsRequest], context: grpc.ServicerContext
    ) -> Iterator[StreamCheckInsResponse]:
        ids: list[str] = []
        self.seen.append(ids)
        self.metadata.append({str(k): v for k, v in context.invocation_metadata()})
        most = self.breaks.pop(0) if self.breaks else None
        for count, request in enumerate(messages):
            ids.extend(each.request_id for each in request.requests)
            if count == most:
                abort(context, GONE)
            answer = StreamCheckInsResponse(first_sequence=request.first_sequence)
            for place, _ in enumerate(request.requests):
                position = request.first_sequence + place + 1
                answer.acknowledgements.add(position=position, number=position)
            yield answer


@contextmanager
def serving(fake: FakeLedger) -> Iterator[str]:
    server = grpc.server(ThreadPoolExecutor(4), options=(("grpc.so_reuseport", 0),))
    feed = grpc.stream_stream_rpc_method_handler(
        fake.feed, StreamCheckInsRequest.FromString, StreamCheckInsResponse.SerializeToString
    )
    handler = grpc.method_handlers_generic_handler("okr.v1.LedgerService", {"StreamCheckIns": feed})
    server.add_generic_rpc_handlers((handler,))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(None).wait()


async def told_by_the_async_client(address: str, count: int) -> list[Acknowledged]:
    async def measured() -> AsyncIterator[RecordCheckInRequest]:
        for number in range(count):
            yield good(number)
            await asyncio.sleep(0)

    async with AsyncOkrClient(address, actor="services/crm") as okr:
        return [each async for each in okr.stream_check_ins(measured())]


def told_by_the_client(address: str, count: int) -> list[Acknowledged]:
    with OkrClient(address, actor="services/crm") as okr:
        return list(okr.stream_check_ins(map(good, range(count))))


@pytest.mark.parametrize("asynchronous", [False, True])
def test_what_was_not_acknowledged_is_sent_again_with_the_same_ids(asynchronous: bool) -> None:
    count = 2 * AHEAD
    fake = FakeLedger([0, 1, 3])
    with serving(fake) as address:
        told = (
            asyncio.run(told_by_the_async_client(address, count))
            if asynchronous
            else told_by_the_client(address, count)
        )
    assert [each.position for each in told] == list(range(1, count + 1))
    assert len(fake.seen) == 4
    order = {each.request.request_id: place for place, each in enumerate(told)}
    assert len(order) == count
    for ids in fake.seen:
        # In order, from the first that was not acknowledged, none left out.
        first = order[ids[0]]
        assert [order[each] for each in ids] == list(range(first, first + len(ids)))
    assert {each["okr-actor"] for each in fake.metadata} == {"services/crm"}


def test_a_message_is_cut_by_its_size_too() -> None:
    feed = Feed(1.0)
    note = "x" * 4000
    for number in range(MESSAGE_AT_MOST):
        feed.add(check_in(FOLLOWERS, str(number), note=note))
    sizes = []
    while feed.unsent:
        sizes.append(feed.message().ByteSize())
    assert len(sizes) == 2
    assert max(sizes) < 600_000
