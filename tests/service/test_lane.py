"""The desk and its lane, as a thread and as a process: what callers get, whatever ends."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest

from ledger.call import Caller
from ledger.log.database import Database
from ledger.log.errors import (
    LogLocked,
    LogUnavailable,
    OutcomeUnknown,
    Overloaded,
    ShuttingDown,
)
from ledger.log.lane import LaneCounts
from ledger.log.opening import open_log
from okr.v1.ledger_service_pb2 import CreateTeamRequest, CreateTeamResponse
from service.lane.desk import LINE_BYTES, Desk
from service.lane.link import Answer, Ask, Frames, Ready, Turn, framed
from service.lane.places import InProcess, InThread, Place

ME = Caller("people/7f3a")
REQUEST_ID = "0b9a4a1e-6f5e-4c69-9a3b-3f0f7a3d2c11"
Where = Callable[[Database], Place]
PLACES: dict[str, Where] = {
    "thread": InThread,
    "process": lambda database: InProcess(database, "json", "warning"),
}


@pytest.fixture(params=PLACES)
def place(request: pytest.FixtureRequest) -> Where:
    return PLACES[request.param]


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.contract)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Database:
    if request.param == "sqlite":
        return in_file(tmp_path)
    database: Database = request.getfixturevalue("postgres_database")
    return database


def in_file(folder: Path) -> Database:
    return Database(f"sqlite:///{folder / 'okr-ledger.db'}")


def team(team_id: str, request_id: str = "") -> bytes:
    request = CreateTeamRequest(team_id=team_id, request_id=request_id)
    request.definition.title = "Értékesítés"
    return request.SerializeToString()


def position(answer: Answer) -> int:
    assert answer.refusal is None, answer.refusal.entry
    response = CreateTeamResponse.FromString(answer.raw)
    assert response.position == answer.position
    return answer.position


class Working:
    """A desk with a lane, and what it told."""

    def __init__(self, database: Database, where: Where, **given: Any) -> None:
        self.database = database
        self.told: list[int] = []
        self.serves: list[bool] = []
        self.serves_again = asyncio.Event()

        async def on_change(serves: bool) -> None:
            self.serves.append(serves)
            if serves:
                self.serves_again.set()

        self.desk = Desk(
            where(database),
            database,
            on_committed=self.told.append,
            on_change=on_change,
            **given,
        )

    async def create(
        self, team_id: str, request_id: str = "", deadline: float | None = None
    ) -> Any:
        return await self.desk.ask("CreateTeam", team(team_id, request_id), ME, deadline)

    async def all(self, *team_ids: str) -> list[Any]:
        asked = [self.create(team_id) for team_id in team_ids]
        return await asyncio.gather(*asked, return_exceptions=True)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Another program holds the log's write lock, so that nothing can be appended."""
        if self.database.is_postgres:
            with psycopg.connect(self.database.url) as other:
                other.execute(f"SET search_path = {self.database.schema}")
                other.execute("SELECT lock_append()")
                yield
        else:
            with closing(sqlite3.connect(self.database.file, isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")
                yield


@asynccontextmanager
async def working(database: Database, where: Where, **given: Any) -> AsyncIterator[Working]:
    bench = Working(database, where, **given)
    await bench.desk.open()
    try:
        yield bench
    finally:
        await bench.desk.close()


def test_calls_are_answered_and_told_of(database: Database, place: Where) -> None:
    async def main() -> None:
        async with working(database, place) as bench:
            answers = await bench.all(*[f"t{number}" for number in range(300)], "t7")
            assert [position(answer) for answer in answers[:-1]] == list(range(1, 301))
            assert answers[-1].refusal.entry == {
                "code": "ALREADY_EXISTS",
                "reason": "RESOURCE_EXISTS",
            }
            counts = bench.desk.counts()
            assert (counts.events, counts.refusals, counts.waiting) == (300, 1, 0)
            assert bench.told[-1] == 300

    asyncio.run(main())


def test_a_repeated_call_gets_the_same_bytes(database: Database, place: Where) -> None:
    async def main() -> None:
        async with working(database, place) as bench:
            first = await bench.create("sales", REQUEST_ID)
            again = await bench.create("sales", REQUEST_ID)
            assert (again.raw, again.request_id) == (first.raw, REQUEST_ID)
            assert bench.desk.counts().events == 1

    asyncio.run(main())


def test_a_call_that_is_given_up_before_the_lane_has_it_writes_nothing(
    database: Database, place: Where
) -> None:
    async def main() -> None:
        async with working(database, place) as bench:
            with bench.held():
                taken = asyncio.create_task(bench.create("a"))
                await asyncio.sleep(0.05)
                abandoned = asyncio.create_task(bench.create("c"))
                late = asyncio.create_task(bench.create("d", deadline=time.monotonic() + 0.05))
                await asyncio.sleep(0.1)
                abandoned.cancel()
                await asyncio.sleep(0.05)
            assert position(await taken) == 1
            assert (await late).refusal.entry["code"] == "DEADLINE_EXCEEDED"
            assert position(await bench.create("e")) == 2

    asyncio.run(main())


def test_more_calls_than_may_wait_are_refused(database: Database, place: Where) -> None:
    async def main() -> None:
        async with working(database, place, waiting_at_most=3) as bench:
            answers = await bench.all("a", "b", "c", "d", "e")
            assert [position(answer) for answer in answers[:3]] == [1, 2, 3]
            assert [answer.waiting for answer in answers[3:]] == [3, 3]
            assert isinstance(answers[3], Overloaded)

    asyncio.run(main())


def test_more_bytes_than_may_wait_are_refused_and_single_calls_are_not(
    database: Database, place: Where
) -> None:
    no_message = b"\xff" * 2**20

    async def main() -> None:
        async with working(database, place) as bench:

            def many() -> asyncio.Task[Any]:
                return asyncio.create_task(bench.desk.ask("StreamCheckIns", no_message, ME, None))

            with bench.held():
                first = asyncio.create_task(bench.create("a"))
                await asyncio.sleep(0.05)
                waiting = [many() for _ in range(LINE_BYTES // len(no_message))]
                await asyncio.sleep(0)
                with pytest.raises(Overloaded):
                    await many()
                single = asyncio.create_task(bench.create("b"))
                await asyncio.sleep(0)
            assert [position(await first), position(await single)] == [1, 2]
            for answer in await asyncio.gather(*waiting):
                assert answer.refusal.entry["reason"] == "FIELD_INVALID"

    asyncio.run(main())


def test_closing_answers_those_who_wait_and_refuses_the_rest(
    database: Database, place: Where
) -> None:
    async def main() -> None:
        bench = Working(database, place)
        await bench.desk.open()
        waiting = asyncio.create_task(bench.all(*[f"t{number}" for number in range(1000)]))
        await asyncio.sleep(0.01)
        await bench.desk.close()
        assert [position(answer) for answer in await waiting] == list(range(1, 1001))
        with pytest.raises(ShuttingDown):
            await bench.create("late")
        with closing(open_log(bench.database)) as log:
            assert log.head().position == 1000

    asyncio.run(main())


def test_closing_waits_for_nobody_who_has_given_up(database: Database, place: Where) -> None:
    async def main() -> None:
        bench = Working(database, place)
        await bench.desk.open()
        with bench.held():
            abandoned = [asyncio.create_task(bench.create("a"))]
            await asyncio.sleep(0.05)
            abandoned.append(asyncio.create_task(bench.create("b")))
            await asyncio.sleep(0.05)
            for each in abandoned:
                each.cancel()
            await asyncio.sleep(0.01)
            closing_it = asyncio.create_task(bench.desk.close())
            await asyncio.sleep(0.05)
        await asyncio.wait_for(closing_it, 10)
        with closing(open_log(bench.database)) as log:
            assert log.read_stream("teams/b") == []

    asyncio.run(main())


class EndsAtOnce:
    """A lane that says that it is ready, and is gone."""

    def start(self, link: socket.socket) -> Callable[[], object]:
        link.sendall(framed(Ready()))
        link.close()
        return lambda: None


def test_a_lane_that_ends_as_it_starts_leaves_nobody_waiting(tmp_path: Path) -> None:
    async def main() -> None:
        desk = Desk(EndsAtOnce(), in_file(tmp_path))

        async def first_call() -> None:
            await desk.open()
            await desk.ask("CreateTeam", team("a"), ME, None)

        async with asyncio.timeout(5):
            with pytest.raises(LogUnavailable):
                await first_call()
            await desk.close()

    asyncio.run(main())


def test_a_file_that_another_server_has_is_refused(tmp_path: Path, place: Where) -> None:
    async def main() -> None:
        async with working(in_file(tmp_path), place) as bench:
            other = Desk(place(bench.database), bench.database)
            with pytest.raises(LogLocked) as refused:
                await other.open()
            assert refused.value.holder_pid == os.getpid()
            assert position(await bench.create("a")) == 1

    asyncio.run(main())


def test_a_lane_that_is_killed_is_started_again(database: Database) -> None:
    """Whoever waited is told to ask again, and learns what became of the first time."""

    async def main() -> None:
        async with working(database, PLACES["process"]) as bench:
            await bench.create("a")
            with bench.held():
                children = psutil.Process().children()
                (lane,) = (child for child in children if "service.lane" in child.cmdline())
                waiting = asyncio.create_task(bench.create("b", REQUEST_ID))
                await asyncio.sleep(0.1)
                gathered = asyncio.create_task(bench.create("c"))
                await asyncio.sleep(0)
                lane.send_signal(signal.SIGKILL)
                with pytest.raises(OutcomeUnknown):
                    await waiting
                for unheard in (gathered, bench.create("c")):
                    with pytest.raises(LogUnavailable) as refused:
                        await unheard
                    assert not isinstance(refused.value, OutcomeUnknown)
            async with asyncio.timeout(20):
                await bench.serves_again.wait()
            assert position(await bench.create("b", REQUEST_ID)) == 2
            assert bench.serves == [False, True]

    asyncio.run(main())


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_frames_are_whole_however_their_bytes_come(size: int) -> None:
    messages: list[object] = [
        Ready(),
        [Ask(1, "RecordCheckIn", b"\0" * 5000, "people/é", "", None)],
        [],
        Turn([Answer(1, b"raw", REQUEST_ID, 7)], True, 7, LaneCounts(events=7)),
    ]
    data = b"".join(map(framed, messages))
    frames = Frames()
    found = [
        message
        for begin in range(0, len(data), size)
        for message in frames.feed(data[begin : begin + size])
    ]
    assert found == messages
    assert list(map(type, found)) == list(map(type, messages))
