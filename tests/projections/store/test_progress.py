"""Reads wait for the writes that they depend on, and no longer than asked."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread

import pytest

from ledger.log.errors import DeadlinePassed
from projections.errors import ProjectionStopped
from projections.following.follower import Follower
from projections.following.watcher import Watcher
from projections.store.progress import NOTHING, Progress
from projections.store.views import Views
from tests.projections.feed import Feed, quarter, views_beside


@pytest.fixture
def progress() -> Progress:
    return Progress("views/test")


def test_what_is_reached_is_not_waited_for(progress: Progress) -> None:
    progress.reach(7)
    asyncio.run(progress.wait_for(7, 0))
    assert not progress.wanted.is_set()


def test_each_waits_for_a_position_of_its_own(progress: Progress) -> None:
    async def scenario() -> list[int]:
        order: list[int] = []

        async def wait(position: int) -> None:
            await progress.wait_for(position, 5)
            order.append(position)

        tasks = [asyncio.create_task(wait(position)) for position in (3, 1, 2)]
        await asyncio.sleep(0)
        assert progress.wanted.is_set()
        for position in (1, 2, 3):
            await asyncio.to_thread(progress.reach, position)
            await asyncio.sleep(0.01)
            assert order == list(range(1, position + 1))
        await asyncio.gather(*tasks)
        return order

    assert asyncio.run(scenario()) == [1, 2, 3]
    assert not progress.wanted.is_set()


def test_the_deadline_ends_a_wait_and_leaves_nothing_behind(progress: Progress) -> None:
    with pytest.raises(DeadlinePassed):
        asyncio.run(progress.wait_for(1, 0.01))
    assert not progress.wanted.is_set()
    assert progress._waiting == {}


def test_a_caller_that_goes_away_leaves_nothing_behind(progress: Progress) -> None:
    async def scenario() -> None:
        task = asyncio.create_task(progress.wait_for(1, None))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(scenario())
    assert progress._waiting == {}
    progress.reach(1)


def test_a_stop_ends_every_wait_that_cannot_end_well(progress: Progress) -> None:
    async def scenario() -> None:
        task = asyncio.create_task(progress.wait_for(9, None))
        await asyncio.sleep(0)
        progress.reach(4)
        progress.stop(5)
        with pytest.raises(ProjectionStopped) as stopped:
            await task
        assert (stopped.value.projection, stopped.value.position) == ("views/test", 5)
        await progress.wait_for(4, 0)

    asyncio.run(scenario())


def test_a_waiter_hurries_the_follower(tmp_path: Path) -> None:
    """Events gather for their turn, but not while a reader waits for them."""
    feed = Feed()
    views = views_beside(tmp_path, feed)
    follower = Follower(feed, views, gather_seconds=30)
    stop = Event()
    thread = Thread(target=follower.run, args=[stop])
    thread.start()

    async def write_and_read() -> None:
        for _ in range(3):
            position = quarter(feed, check_ins=1).head().position
            follower.wake()
            await views.wait_for(position, 10)

    started = time.monotonic()
    asyncio.run(write_and_read())
    assert time.monotonic() - started < 5
    stop.set()
    views.progress.wanted.set()
    follower.wake()
    thread.join()
    views.close()


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[tuple[Feed, Follower, Views]]:
    """A feed, its follower, and the views as another process opens them."""
    feed = quarter(Feed(), check_ins=3)
    views, other = views_beside(tmp_path, feed), views_beside(tmp_path, feed)
    yield feed, Follower(feed, views), other
    views.close()
    other.close()


def test_another_process_sees_how_far_the_follower_is(
    elsewhere: tuple[Feed, Follower, Views],
) -> None:
    feed, follower, other = elsewhere
    watcher = Watcher(other)
    watcher.look()
    assert other.progress.position == NOTHING
    other.open(feed)
    stop = Event()
    thread = Thread(target=watcher.run, args=[stop])
    thread.start()

    async def wait() -> None:
        waiting = asyncio.create_task(other.wait_for(len(feed.records), 10))
        await asyncio.to_thread(follower.catch_up)
        await waiting

    asyncio.run(wait())
    stop.set()
    thread.join()
    assert other.progress.position == len(feed.records)
