"""The lane's queue, its thread and its callers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from threading import Event
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from ledger.log.command import Command, Done
from ledger.log.contract import EventLog
from ledger.log.errors import DeadlinePassed, Overloaded, ShuttingDown
from ledger.log.lane import LaneCounts, WriteLane
from ledger.log.sqlite import open_log
from ledger.refusals import NotFound
from tests.ledger.log.teams import FaultyLog, Team, Teams, defect, positions, register, retire


class Running:
    """A lane over a real log."""

    def __init__(self, log: EventLog, **given: Any) -> None:
        self.log = FaultyLog(log)
        self.told: list[int] = []
        given.setdefault("on_committed", self.told.append)
        teams = Teams()
        self.lane = WriteLane(cast("EventLog", self.log), teams, teams, **given)

    async def all(self, *commands: Command) -> list[Any]:
        submitted = [self.lane.submit(command) for command in commands]
        return await asyncio.gather(*submitted, return_exceptions=True)

    def hold(self) -> Callable[[], None]:
        """Have the next append wait until the function that is returned is called."""
        free = Event()
        self.log.before_append = [lambda: free.wait(10)]
        return free.set


@asynccontextmanager
async def running(folder: Path, **given: Any) -> AsyncIterator[Running]:
    log = open_log(folder / "okr-ledger.db")
    bench = Running(log, **given)
    bench.lane.start()
    yield bench
    await asyncio.to_thread(bench.lane.stop)
    log.close()


def test_commands_that_come_together_are_one_flush(tmp_path: Path) -> None:
    async def main() -> None:
        async with running(tmp_path) as bench:
            answers = await bench.all(*[register(f"teams/{i}") for i in range(64)], retire("x"))
            assert [positions(answer) for answer in answers[:-1]] == [[i] for i in range(1, 65)]
            assert isinstance(answers[-1], NotFound)
            assert bench.lane.counts() == LaneCounts(64, 1, 1, 0)
            assert bench.told == [64]

    asyncio.run(main())


def test_what_waits_becomes_the_next_batch(tmp_path: Path) -> None:
    async def main() -> None:
        async with running(tmp_path, batch_at_most=16) as bench:
            release = bench.hold()
            first = asyncio.create_task(bench.lane.submit(register("teams/a")))
            await asyncio.sleep(0.05)
            many = [retire("teams/a") for _ in range(40)]
            rest = asyncio.create_task(bench.all(*many))
            await asyncio.sleep(0.05)
            assert bench.lane.counts().waiting == 40
            release()
            await first
            assert [positions(answer) for answer in await rest] == [[i] for i in range(2, 42)]
            assert bench.log.batches == [1, 16, 16, 8]

    asyncio.run(main())


def test_a_deadline_that_passes_in_the_queue_writes_nothing(tmp_path: Path) -> None:
    async def main() -> None:
        async with running(tmp_path) as bench:
            release = bench.hold()
            first = asyncio.create_task(bench.lane.submit(register("teams/a")))
            await asyncio.sleep(0.02)
            soon = time.monotonic() + 0.02
            late = asyncio.create_task(
                bench.all(
                    register("teams/b", deadline=soon), register("teams/c", deadline=soon + 60)
                )
            )
            await asyncio.sleep(0.05)
            release()
            await first
            refused, done = await late
            assert isinstance(refused, DeadlinePassed)
            assert positions(done) == [2]
            assert bench.log.log.read_stream("teams/b") == []

    asyncio.run(main())


def test_an_abandoned_command_writes_nothing(tmp_path: Path) -> None:
    async def main() -> None:
        async with running(tmp_path) as bench:
            release = bench.hold()
            first = asyncio.create_task(bench.lane.submit(register("teams/a")))
            await asyncio.sleep(0.02)
            abandoned = asyncio.create_task(bench.lane.submit(register("teams/b")))
            await asyncio.sleep(0.02)
            abandoned.cancel()
            await asyncio.sleep(0.02)
            release()
            await first
            assert positions(await bench.lane.submit(register("teams/c"))) == [2]

    asyncio.run(main())


def test_a_full_queue_refuses(tmp_path: Path) -> None:
    async def main() -> None:
        async with running(tmp_path, waiting_at_most=3) as bench:
            release = bench.hold()
            first = asyncio.create_task(bench.lane.submit(register("teams/a")))
            await asyncio.sleep(0.02)
            many = [retire("teams/a") for _ in range(5)]
            rest = asyncio.create_task(bench.all(*many))
            await asyncio.sleep(0.02)
            release()
            await first
            answers = await rest
            assert [type(answer) for answer in answers] == [
                Done,
                Done,
                Done,
                Overloaded,
                Overloaded,
            ]
            assert answers[-1].waiting == 3

    asyncio.run(main())


def test_stopping_answers_those_who_wait_and_refuses_the_rest(tmp_path: Path) -> None:
    async def main() -> None:
        log = open_log(tmp_path / "okr-ledger.db")
        bench = Running(log)
        bench.lane.start()
        release = bench.hold()
        waiting = asyncio.create_task(bench.all(register("teams/a"), register("teams/b")))
        await asyncio.sleep(0.02)
        late = asyncio.create_task(bench.all(register("teams/c"), retire("teams/c")))
        await asyncio.sleep(0.02)
        with capture_logs() as logged:
            stopping = asyncio.create_task(asyncio.to_thread(bench.lane.stop))
            await asyncio.sleep(0.02)
            release()
            await stopping
        assert [positions(answer) for answer in await waiting] == [[1], [2]]
        assert [positions(answer) for answer in await late] == [[3], [4]]
        with pytest.raises(ShuttingDown):
            await bench.lane.submit(register("teams/d"))
        assert logged == [
            {
                "event": "lane stopped",
                "log_level": "info",
                "events": 4,
                "flushes": 2,
                "refusals": 0,
            }
        ]
        log.close()

    asyncio.run(main())


def test_nothing_that_fails_ends_the_lane(tmp_path: Path) -> None:
    def broken(_: int) -> None:
        raise RuntimeError("a hook that fails")

    async def main() -> None:
        async with running(tmp_path, on_committed=broken) as bench:
            with capture_logs() as logged:
                first = await bench.lane.submit(register("teams/a"))
            assert [line["event"] for line in logged] == ["on_committed failed"]
            with pytest.raises(RuntimeError, match="a defect"):
                await bench.lane.submit(defect())
            assert positions(first) == [1]
            assert positions(await bench.lane.submit(retire("teams/a"))) == [2]

    asyncio.run(main())


def test_states_of_a_repeated_command_are_those_of_the_first_time(tmp_path: Path) -> None:
    async def main() -> None:
        async with running(tmp_path) as bench:
            first = await bench.lane.submit(register("teams/a", "r1"))
            await bench.lane.submit(retire("teams/a"))
            again = await bench.lane.submit(register("teams/a", "r1"))
            assert again.repeated
            assert bench.lane.states_after(again.records) == first.states
            assert first.states == {"teams/a": Team(0, (1,))}

    asyncio.run(main())


@pytest.mark.slow
def test_many_callers_each_get_their_own_outcome(tmp_path: Path) -> None:
    async def caller(lane: WriteLane, number: int) -> None:
        team = f"teams/{number % 7}"
        for turn in range(50):
            request_id = f"{number}-{turn}"
            command = register(f"teams/{number}-{turn}", request_id)
            if turn % 3:
                command = retire(team, request_id)
            done = await lane.submit(command)
            assert [r.payload for r in done.records] == [command.request.SerializeToString()]
            again = await lane.submit(command)
            assert (again.repeated, again.records) == (True, done.records)

    async def main() -> None:
        async with running(tmp_path, states_kept=5) as bench:
            await bench.all(*[register(f"teams/{number}") for number in range(7)])
            await asyncio.gather(*[caller(bench.lane, number) for number in range(32)])
            records = bench.log.log.read(0, 10_000)
            assert [r.position for r in records] == list(range(1, 7 + 32 * 50 + 1))
            assert bench.lane.counts().events == len(records)

    asyncio.run(main())
