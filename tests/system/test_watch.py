"""Twenty callers watch 50 000 events over connections that drop; none of them notices."""

from __future__ import annotations

import asyncio
import random
import threading
from contextlib import AsyncExitStack, aclosing
from pathlib import Path

import grpc
import pytest

from okr import AsyncOkrClient
from okr.v1.replay_service_pb2 import WatchEventsRequest
from tests.support.appended import append_team_events
from tests.support.ask import team
from tests.support.databases import ledger
from tests.support.dropping import Dropping, dropping
from tests.support.server_process import server_process
from tests.support.whole import Caller

EVENTS = 50_000
LIVE = 500
SUBSCRIBERS = 20
DROPS = 6
SEED = 20261124


async def watched(address: str, start: int, end: int) -> list[int]:
    """The positions that a caller is given, from one to another."""
    found: list[int] = []
    async with (
        AsyncOkrClient(address) as okr,
        aclosing(okr.watch_events(WatchEventsRequest(after_position=start))) as answers,
    ):
        async for answer in answers:
            found += [event.header.position for event in answer.events]
            if answer.position >= end:
                return found
    raise AssertionError("the watch ended")


@pytest.mark.slow
@pytest.mark.system
def test_every_subscriber_sees_every_event_once_and_in_order(tmp_path: Path) -> None:
    append_team_events(ledger(tmp_path), EVENTS - LIVE)
    chance = random.Random(SEED)

    def write_on(address: str) -> None:
        with grpc.insecure_channel(address) as channel:
            me = Caller(channel)
            for number in range(LIVE):
                me.ask(team(f"live-{number}"))

    async def subscribers(address: str) -> list[int]:
        proxies = [
            # Some 250 bytes an event: a connection that is to drop lives for half of them at most.
            Dropping(address, random.Random(chance.random()), EVENTS // 2 * 250, DROPS)
            for _ in range(SUBSCRIBERS)
        ]
        starts = [0] * (SUBSCRIBERS // 2)
        starts += [chance.randrange(EVENTS - LIVE) for _ in range(SUBSCRIBERS - len(starts))]
        async with AsyncExitStack() as stack:
            through = [await stack.enter_async_context(dropping(proxy)) for proxy in proxies]
            seen = await asyncio.gather(
                *(watched(at, start, EVENTS) for at, start in zip(through, starts, strict=True))
            )
        for start, found in zip(starts, seen, strict=True):
            assert found == [*range(start + 1, EVENTS + 1)]
        return [proxy.dropped for proxy in proxies]

    with server_process(tmp_path) as server:
        writer = threading.Thread(target=write_on, args=(server.address,))
        writer.start()
        dropped = asyncio.run(subscribers(server.address))
        writer.join()
        assert server.stop() == 0
    assert sum(dropped) >= SUBSCRIBERS, dropped
