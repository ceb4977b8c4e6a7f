"""The lane's queue: which commands make a batch, and what becomes of each."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import pytest

from ledger.log.batch import Job
from ledger.log.command import Command, Done
from ledger.log.contract import EventLog
from ledger.log.errors import DeadlinePassed
from ledger.log.lane import LaneCounts, WriteLane
from ledger.log.sqlite.recorder import open_log
from ledger.refusals import NotFound
from tests.ledger.log.teams import FaultyLog, Team, Teams, defect, positions, register, retire


class Running:
    """A lane over a real log."""

    def __init__(self, log: EventLog, **given: Any) -> None:
        self.log = FaultyLog(log)
        teams = Teams()
        self.lane = WriteLane(cast("EventLog", self.log), teams, teams, **given)

    def all(self, *commands: Command) -> list[Any]:
        """The outcomes of the commands in the order given, whatever batches they take."""
        jobs = [self.lane.add(command) for command in commands]
        outcomes: dict[Job, Done | Exception] = {}
        while self.lane.waiting:
            outcomes |= dict(self.lane.run())
        return [outcomes[job] for job in jobs]

    def one(self, command: Command) -> Any:
        return self.all(command)[0]


@contextmanager
def running(folder: Path, **given: Any) -> Iterator[Running]:
    log = open_log(folder / "okr-ledger.db")
    try:
        yield Running(log, **given)
    finally:
        log.close()


def test_commands_that_come_together_are_one_flush(tmp_path: Path) -> None:
    with running(tmp_path) as bench:
        answers = bench.all(*[register(f"teams/{i}") for i in range(64)], retire("x"))
        assert [positions(answer) for answer in answers[:-1]] == [[i] for i in range(1, 65)]
        assert isinstance(answers[-1], NotFound)
        assert bench.lane.counts() == LaneCounts(64, 1, 1, 0)
        assert bench.lane.last_position == 64


def test_what_waits_becomes_the_next_batch(tmp_path: Path) -> None:
    with running(tmp_path, batch_at_most=16) as bench:
        bench.one(register("teams/a"))
        answers = bench.all(*[retire("teams/a") for _ in range(40)])
        assert [positions(answer) for answer in answers] == [[i] for i in range(2, 42)]
        assert bench.log.batches == [1, 16, 16, 8]


def test_a_deadline_that_passes_in_the_queue_writes_nothing(tmp_path: Path) -> None:
    now: Callable[[], float] = iter([10.0]).__next__
    with running(tmp_path, monotonic=now) as bench:
        refused, done = bench.all(
            register("teams/b", deadline=9.9), register("teams/c", deadline=10.1)
        )
        assert isinstance(refused, DeadlinePassed)
        assert positions(done) == [1]
        assert bench.log.log.read_stream("teams/b") == []


def test_nothing_that_fails_ends_the_lane(tmp_path: Path) -> None:
    with running(tmp_path) as bench:
        first, failed, second = bench.all(register("teams/a"), defect(), retire("teams/a"))
        assert isinstance(failed, RuntimeError)
        assert (positions(first), positions(second)) == ([1], [2])


def test_a_repeated_command_is_answered_with_the_records_of_the_first_time(tmp_path: Path) -> None:
    with running(tmp_path) as bench:
        first = bench.one(register("teams/a", "r1"))
        bench.one(retire("teams/a"))
        again = bench.one(register("teams/a", "r1"))
        assert (again.repeated, again.records) == (True, first.records)
        assert first.states == {"teams/a": Team(0, (1,))}


@pytest.mark.parametrize("seed", range(5))
def test_each_command_has_its_own_outcome(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    with running(tmp_path, states_kept=5, batch_at_most=8) as bench:
        bench.all(*[register(f"teams/{number}") for number in range(7)])
        commands: list[Command] = []
        for number in range(200):
            sent_again = commands and chance.random() < 0.3
            new = register(f"teams/n{number}", f"r{number}")
            old = retire(f"teams/{chance.randrange(7)}", f"r{number}")
            command = chance.choice(commands) if sent_again else chance.choice([new, old])
            commands.append(command)
        answers = bench.all(*commands)
        for command, done in zip(commands, answers, strict=True):
            assert [r.payload for r in done.records] == [command.request.SerializeToString()]
        different = {command.request_id for command in commands}
        records = bench.log.log.read(0, 10_000)
        assert [r.position for r in records] == list(range(1, 7 + len(different) + 1))
        assert sum(not done.repeated for done in answers) == len(different)
        assert bench.lane.counts().events == len(records)
