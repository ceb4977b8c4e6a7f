"""A connection that has lasted long enough is ended, and takes nothing of a stream with it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from okr import AsyncOkrClient, OkrClient
from okr.feeding import Acknowledged
from okr.v1.ledger_service_pb2 import RecordCheckInRequest
from okr.v1.replay_service_pb2 import WatchEventsRequest
from okr.v1.score_service_pb2 import ListCheckInsRequest
from service.connections import Connections
from tests.support.ask import FOLLOWERS, check_in, commit, cycle, objective, team
from tests.support.databases import ON_SQLITE_ALONE
from tests.support.serving import LoopThread
from tests.support.whole import Caller, whole_service

pytestmark = [ON_SQLITE_ALONE, pytest.mark.slow]

PAUSE_SECONDS = 0.02
EVENTS = 100


@pytest.fixture
def me(loop: LoopThread, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Caller]:
    """A caller of a service whose connections last a second at most."""
    hasty = partial(Connections, grace_seconds=0.2)
    monkeypatch.setattr("service.settings.Connections", hasty)
    with whole_service(loop, tmp_path, connection_age_seconds=0.7) as caller:
        yield caller


def counted(stub: Any, method: str) -> Callable[[], int]:
    """Counts from now on how many streams a client opens."""
    opened = []
    call = getattr(stub, method)

    def counting(*args: Any, **kwargs: Any) -> Any:
        opened.append(method)
        return call(*args, **kwargs)

    setattr(stub, method, counting)
    return lambda: len(opened)


def test_a_watch_goes_on_after_the_last_event(me: Caller) -> None:
    with OkrClient(me.address) as okr:
        streams = counted(okr.replay, "WatchEvents")
        answers = okr.watch_events(WatchEventsRequest(after_position=0, checkpoint_seconds=1))
        positions: list[int] = []
        for number in range(EVENTS):
            me.ask(team(f"t{number}"))
            time.sleep(PAUSE_SECONDS)
        for answer in answers:
            positions += [event.header.position for event in answer.events]
            if streams() < 3:
                me.ask(team(f"u{len(positions)}"))
                continue
            break
    assert positions == list(range(1, len(positions) + 1))


def test_a_stream_of_check_ins_records_each_once(loop: LoopThread, me: Caller) -> None:
    me.all_of(team(), cycle(first="2024-07-01", last="2024-09-30"), objective(), commit())

    async def slowly() -> AsyncIterator[RecordCheckInRequest]:
        for number in range(EVENTS):
            await asyncio.sleep(PAUSE_SECONDS)
            yield check_in(FOLLOWERS, str(number), on="2024-07-08")

    async def recorded() -> tuple[list[Acknowledged], int, str]:
        async with AsyncOkrClient(me.address) as okr:
            streams = counted(okr.ledger, "StreamCheckIns")
            told = [each async for each in okr.stream_check_ins(slowly())]
            return told, streams(), okr.token

    told, streams, token = loop.run(recorded())
    assert streams >= 3
    assert [str(each.error) for each in told if each.error] == []
    wanted = ListCheckInsRequest(parent=FOLLOWERS, page_size=1000, at_least_as_fresh=token)
    listed = me.ask(wanted)
    assert len(listed.check_ins) == EVENTS == len({each.name for each in told})
