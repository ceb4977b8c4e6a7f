"""The log's end is read once for all who follow it, and whoever is far behind reads for itself."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any

import pytest

from ledger.event import Record
from ledger.log.contract import Head
from ledger.log.errors import LogUnavailable
from projections.replay import tail
from projections.replay.tail import Tail

A_WHILE = 5.0


@dataclass
class Log:
    """A log in memory that counts its reads."""

    length: int = 0
    payload: bytes = b"x"
    reads: list[int] = field(default_factory=list)
    failures: list[Exception] = field(default_factory=list)

    def head(self) -> Head:
        return Head(self.length, 0)

    def read(self, after: int, limit: int, max_bytes: int) -> list[Record]:
        self.reads.append(after)
        if self.failures:
            raise self.failures.pop()
        return [self.record(n) for n in range(after + 1, min(after + limit, self.length) + 1)]

    def record(self, position: int) -> Record:
        return Record(position, "teams/t", position, "okr.v1.TeamRetired", 0, b"", self.payload)


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(work)


def made(log: Log, poll_seconds: float = 60.0) -> Tail:
    source: Any = log
    return Tail(source, poll_seconds=poll_seconds)


def grow(end: Tail, log: Log, to: int) -> None:
    log.length = to
    end.wake(to)


async def next_of(end: Tail, after: int) -> list[int]:
    assert await end.beyond(after, A_WHILE)
    return [record.position for record in await end.page(after)]


def test_a_hundred_followers_cost_one_read() -> None:
    async def work() -> None:
        log = Log(10)
        end = made(log)
        async with end.followed():
            waiting = [asyncio.create_task(next_of(end, 10)) for _ in range(100)]
            await asyncio.sleep(0.05)
            log.reads.clear()
            grow(end, log, 13)
            assert await asyncio.gather(*waiting) == [[11, 12, 13]] * 100
        assert log.reads == [10]

    run(work())


def test_who_is_far_behind_reads_the_log_itself() -> None:
    async def work() -> None:
        log = Log(5000)
        end = made(log)
        async with end.followed():
            page = await end.page(4000)
            assert [r.position for r in page] == [*range(4001, 4001 + tail.PAGE)]
            assert 4000 in log.reads
            assert not end.reached(4999)
            assert end.reached(5000)
            assert not await end.page(5000)

    run(work())


@pytest.mark.parametrize("size", [1, 100_000])
def test_no_more_is_kept_than_there_is_room_for(size: int) -> None:
    async def work() -> None:
        log = Log(0, bytes(size))
        end = made(log)
        async with end.followed():
            for length in range(500, 4001, 500):
                grow(end, log, length)
                assert await end.beyond(length - 1, A_WHILE)
            assert len(end._kept) <= tail.KEPT
            assert sum(len(record.payload) for record in end._kept) <= tail.KEPT_BYTES
            # What is no longer kept is still found, and nothing is left out where both meet.
            found: list[int] = []
            while page := await end.page(len(found)):
                found += [record.position for record in page]
            assert found == [*range(1, 4001)]

    run(work())


def test_a_page_of_what_is_kept_ends_at_its_bytes() -> None:
    async def work() -> None:
        log = Log(0, bytes(tail.PAGE_BYTES // 3))
        end = made(log)
        async with end.followed():
            grow(end, log, 10)
            assert await next_of(end, 7) == [8, 9, 10]
            assert await next_of(end, 5) == [6, 7, 8]

    run(work())


def test_growth_that_nobody_tells_of_is_found_by_looking() -> None:
    async def work() -> None:
        log = Log(1)
        end = made(log, poll_seconds=0.01)
        async with end.followed():
            log.length = 2
            assert await next_of(end, 1) == [2]
            assert not await end.beyond(2, 0.05)

    run(work())


def test_a_log_that_cannot_be_read_for_a_while_is_read_again() -> None:
    async def work() -> None:
        log = Log(1, failures=[LogUnavailable("log.db", "read", "locked")])
        end = made(log, poll_seconds=0.01)
        async with end.followed():
            grow(end, log, 2)
            assert await next_of(end, 1) == [2]

    run(work())


def test_a_defect_is_told_to_all_and_the_next_may_try_again() -> None:
    async def work() -> None:
        log = Log(1)
        end = made(log)
        async with end.followed():
            waiting = [asyncio.create_task(next_of(end, 1)) for _ in range(3)]
            await asyncio.sleep(0.05)
            log.failures = [ZeroDivisionError()]
            grow(end, log, 2)
            told = await asyncio.gather(*waiting, return_exceptions=True)
            assert [type(each) for each in told] == [ZeroDivisionError] * 3
        async with end.followed():
            assert end.reached(2)

    run(work())


def test_nothing_is_read_or_kept_when_nobody_follows() -> None:
    async def work() -> None:
        log = Log(1)
        end = made(log, poll_seconds=0.01)
        async with end.followed():
            grow(end, log, 5)
            await next_of(end, 1)
        await asyncio.sleep(0.02)
        log.reads.clear()
        grow(end, log, 9)
        await asyncio.sleep(0.05)
        assert not log.reads
        assert not end._kept
        async with end.followed():
            assert not await end.page(9)
            assert [record.position for record in await end.page(3)] == [*range(4, 10)]

    run(work())
