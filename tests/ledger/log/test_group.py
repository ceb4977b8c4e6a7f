"""Batches of commands, decided and appended together."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from ledger.log.batch import Result
from ledger.log.command import Command, Done
from ledger.log.contract import Accepted, Append, EncodedEvent, EventLog, RequestKey
from ledger.log.database import Database
from ledger.log.errors import (
    ClockBehind,
    Contended,
    DamagedRecord,
    LogUnavailable,
    RequestIdReused,
    UnknownEventType,
)
from ledger.log.group import ATTEMPTS, GroupCommit
from ledger.log.opening import open_log
from ledger.refusals import Exists, NotFound
from okr.v1.events_pb2 import TeamRegistered
from tests.contract.builders import event
from tests.ledger.log.teams import (
    FaultyLog,
    Team,
    Teams,
    defect,
    job,
    positions,
    register,
    register_two,
    retire,
)

SECOND = 1_000_000
NOW = 1_700_000_000 * SECOND


class Bench:
    """A group commit over a real log with a fault in between and a clock that is set."""

    def __init__(self, log: EventLog) -> None:
        self.log = log
        self.faulty = FaultyLog(log)
        self.teams = Teams()
        self.now_us = NOW
        self.group = self.restarted()

    def restarted(self, states_kept: int = 100) -> GroupCommit:
        log = cast("EventLog", self.faulty)
        self.group = GroupCommit(log, self.teams, self.teams, lambda: self.now_us, states_kept)
        return self.group

    def run(self, *commands: Command) -> Result:
        return self.group.run([job(command) for command in commands])

    def answers(self, *commands: Command) -> list[Done | Exception]:
        """The answers in the order of the commands, until none has to come again."""
        jobs = [job(command) for command in commands]
        answers: dict[int, Done | Exception] = {}
        waiting = jobs
        while waiting:
            result = self.group.run(waiting)
            answers |= {id(each): answer for each, answer in result.answers}
            waiting = result.again
        return [answers[id(each)] for each in jobs]

    def elsewhere(self, *appends: Append) -> None:
        """Another writer appends, past the group commit."""
        assert all(isinstance(o, Accepted) for o in self.log.append_batch(appends, self.now_us))


def foreign_event(stream: str, version: int, request: RequestKey | None = None) -> Append:
    return Append(
        [EncodedEvent(stream, "okr.v1.TeamRetired", b"", b"")], {stream: version}, request
    )


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.contract)])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    if request.param == "sqlite":
        database = Database(f"sqlite:///{tmp_path / 'okr-ledger.db'}")
    else:
        database = request.getfixturevalue("postgres_database")
    log = open_log(database)
    yield Bench(log)
    log.close()


def test_a_batch_is_one_append_and_each_command_has_its_own_outcome(bench: Bench) -> None:
    first, second, third = bench.answers(
        register("teams/a"), retire("teams/x"), register("teams/b")
    )
    assert (positions(first), positions(third)) == ([1], [2])
    assert isinstance(second, NotFound)
    assert bench.faulty.batches == [2]


def test_a_decision_sees_the_effects_of_the_ones_before_it(bench: Bench) -> None:
    answers = bench.answers(register("teams/a"), register("teams/a"), retire("teams/a"))
    assert positions(answers[0]) == [1]
    assert isinstance(answers[1], Exists)
    assert positions(answers[2]) == [2]


def test_a_defect_reaches_nobody_else(bench: Bench) -> None:
    answers = bench.answers(register("teams/a"), defect(), retire("teams/a"))
    assert (positions(answers[0]), positions(answers[2])) == ([1], [2])
    assert isinstance(answers[1], RuntimeError)


def test_records_are_those_that_the_log_has(bench: Bench) -> None:
    (done,) = bench.answers(register_two("teams/a", "teams/b"))
    assert isinstance(done, Done)
    assert list(done.records) == bench.log.read(0, 10)
    assert [r.event_type for r in done.records] == ["okr.v1.TeamRegistered"] * 2
    assert TeamRegistered.FromString(done.records[0].payload) == TeamRegistered(team="teams/a")
    assert done.records[0].recorded_us == NOW


def test_the_answer_holds_the_states_right_after_the_command(bench: Bench) -> None:
    answers = bench.answers(register("teams/a"), retire("teams/a"), retire("teams/a"))
    states = [answer.states for answer in answers if isinstance(answer, Done)]
    assert states == [
        {"teams/a": Team(0, (1,))},
        {"teams/a": Team(1, (1, 2))},
        {"teams/a": Team(2, (1, 2, 3))},
    ]


def test_states_are_the_same_when_folded_from_the_log(bench: Bench) -> None:
    bench.answers(register("teams/a"), retire("teams/a"))
    bench.restarted(states_kept=1)
    bench.answers(register("teams/b"))
    (done,) = bench.answers(retire("teams/a"))
    assert isinstance(done, Done)
    assert done.states == {"teams/a": Team(2, (1, 2, 4))}


def test_validating_decides_and_writes_nothing(bench: Bench) -> None:
    answers = bench.answers(
        register("teams/a", validate_only=True), register("teams/a"), retire("teams/x")
    )
    assert isinstance(answers[0], Done)
    assert answers[0].validated_only
    assert answers[0].states == {"teams/a": Team(0, (1,))}
    assert positions(answers[1]) == [1]
    (refused,) = bench.answers(register("teams/a", validate_only=True))
    assert isinstance(refused, Exists)
    assert bench.log.head().position == 1


def test_a_repeated_request_gets_the_records_of_the_first(bench: Bench) -> None:
    (first,) = bench.answers(register("teams/a", "r1"))
    (second,) = bench.answers(register("teams/a", "r1"))
    assert isinstance(first, Done)
    assert second == Done(first.records, repeated=True)
    assert bench.teams.decided == 1
    bench.restarted()
    assert bench.answers(register("teams/a", "r1")) == [second]


def test_two_copies_in_one_batch_are_decided_once(bench: Bench) -> None:
    first, second, third = bench.answers(
        register("teams/a", "r1"), register("teams/a", "r1"), register("teams/b", "r1")
    )
    assert isinstance(first, Done)
    assert second == Done(first.records, repeated=True)
    assert isinstance(third, RequestIdReused)
    assert third.request_id == "r1"
    assert bench.teams.decided == 1


def test_a_refusal_leaves_the_request_id_free(bench: Bench) -> None:
    first, second = bench.answers(retire("teams/a", "r1"), retire("teams/a", "r1"))
    assert isinstance(first, NotFound)
    assert isinstance(second, NotFound)
    bench.answers(register("teams/a"))
    (third,) = bench.answers(retire("teams/a", "r1"))
    assert positions(third) == [2]


def test_ids_depend_on_the_request_alone(bench: Bench) -> None:
    for request_id in ("r1", "r1", "r2"):
        bench.answers(retire("teams/x", request_id))
    first, second, other = bench.teams.ids
    assert first == second != other
    assert re.fullmatch(r"[a-z0-9]{16}", first)


def test_a_conflict_is_decided_again(bench: Bench) -> None:
    bench.answers(register("teams/a"))
    foreign = foreign_event("teams/a", 1)
    bench.faulty.before_append = [lambda: bench.elsewhere(foreign)]
    first, second = bench.answers(retire("teams/a"), retire("teams/a"))
    assert (positions(first), positions(second)) == ([3], [4])
    assert isinstance(second, Done)
    assert second.states == {"teams/a": Team(3, (1, 2, 3, 4))}


def test_a_conflict_on_a_stream_that_was_only_read(bench: Bench) -> None:
    foreign = foreign_event("cycles/q4", 0)
    bench.faulty.before_append = [lambda: bench.elsewhere(foreign)]
    (done,) = bench.answers(register_two("teams/a", "teams/b"))
    assert positions(done) == [2, 3]
    assert bench.teams.decided == 2


def test_neighbours_of_a_conflict_keep_their_outcome_at_other_positions(bench: Bench) -> None:
    bench.answers(register("teams/a"))
    foreign = [foreign_event("teams/a", 1), foreign_event("teams/a", 2)]
    bench.faulty.before_append = [lambda: bench.elsewhere(*foreign)]
    first, second = bench.answers(retire("teams/a"), register("teams/b"))
    assert (positions(first), positions(second)) == ([5], [4])
    assert isinstance(second, Done)
    assert list(second.records) == bench.log.read_stream("teams/b")
    assert second.states == {"teams/b": Team(0, (4,))}
    (done,) = bench.answers(retire("teams/b"))
    assert isinstance(done, Done)
    assert done.states == {"teams/b": Team(1, (4, 6))}


def test_states_that_were_forgotten_meanwhile_are_not_folded_twice(bench: Bench) -> None:
    bench.answers(register("teams/a"), register("teams/b"))
    bench.restarted(states_kept=1)
    foreign = foreign_event("teams/c", 0)
    bench.faulty.before_append = [lambda: bench.elsewhere(foreign)]
    bench.answers(retire("teams/a"), retire("teams/b"), retire("teams/a"))
    answers = bench.answers(retire("teams/a"), retire("teams/b"))
    assert [answer.states for answer in answers if isinstance(answer, Done)] == [
        {"teams/a": Team(3, (1, 4, 6, 7))},
        {"teams/b": Team(2, (2, 5, 8))},
    ]


def test_a_refusal_on_effects_that_the_log_did_not_take_is_decided_again(bench: Bench) -> None:
    foreign = foreign_event("cycles/q4", 0)
    bench.faulty.before_append = [lambda: bench.elsewhere(foreign)]
    first, second = bench.answers(register_two("teams/a", "teams/b"), register("teams/b"))
    assert positions(first) == [2, 3]
    assert isinstance(second, Exists)
    assert bench.teams.decided == 4


def test_contention_ends(bench: Bench) -> None:
    bench.answers(register("teams/a"))

    def interfere() -> None:
        version = len(bench.log.read_stream("teams/a"))
        bench.elsewhere(foreign_event("teams/a", version))

    bench.faulty.before_append = [interfere] * ATTEMPTS
    (refused,) = bench.answers(retire("teams/a"))
    assert isinstance(refused, Contended)
    assert (refused.streams, refused.attempts) == (("teams/a",), ATTEMPTS)
    assert positions(bench.answers(retire("teams/a"))[0]) == [ATTEMPTS + 2]


def test_a_request_that_another_process_answered_meanwhile(bench: Bench) -> None:
    command = register("teams/a", "r1")
    key = job(command).key
    foreign = foreign_event("teams/a", 0, key)
    bench.faulty.before_append = [lambda: bench.elsewhere(foreign)]
    (done,) = bench.answers(command)
    assert done == Done(tuple(bench.log.read(0, 10)), repeated=True)


def test_a_failed_commit_fails_its_commands_and_no_later_ones(bench: Bench) -> None:
    bench.answers(register("teams/a"))

    def fail() -> Any:
        raise LogUnavailable("okr-ledger.db", "append to", "the disk is full")

    bench.faulty.before_append = [fail]
    first, second, third, fourth = bench.answers(
        retire("teams/a"), register("teams/b"), retire("teams/x"), register("teams/b")
    )
    assert isinstance(first, LogUnavailable)
    assert isinstance(second, LogUnavailable)
    assert isinstance(third, NotFound)
    # Refused for a team that did not come about.
    assert isinstance(fourth, LogUnavailable)
    # The states that the failed decisions foresaw are gone.
    first, second = bench.answers(retire("teams/a"), register("teams/b"))
    assert isinstance(first, Done)
    assert first.states == {"teams/a": Team(1, (1, 2))}
    assert positions(second) == [3]


def test_recorded_time_stands_still_while_the_clock_is_a_little_behind(bench: Bench) -> None:
    bench.answers(register("teams/a"))
    bench.now_us -= 60 * SECOND
    (done,) = bench.answers(register("teams/b"))
    assert isinstance(done, Done)
    assert done.records[0].recorded_us == NOW


def test_a_clock_far_behind_refuses_writes_but_answers_repeated_ones(bench: Bench) -> None:
    bench.answers(register("teams/a", "r1"))
    bench.now_us -= 61 * SECOND
    refused, repeated = bench.answers(register("teams/b"), register("teams/a", "r1"))
    assert isinstance(refused, ClockBehind)
    assert refused.behind_seconds == 61
    assert positions(repeated) == [1]
    bench.now_us = NOW + 1
    assert positions(bench.answers(register("teams/b"))[0]) == [2]


def test_a_damaged_record_is_loud_and_stays_with_its_stream(bench: Bench) -> None:
    bench.elsewhere(Append([event("teams/a")], {"teams/a": 0}))
    damaged, second, third = bench.answers(
        retire("teams/a"), register("teams/b"), register("teams/c")
    )
    assert isinstance(damaged, DamagedRecord)
    assert damaged.position == 1
    assert (positions(second), positions(third)) == ([2], [3])
    strange = Append([EncodedEvent("teams/d", "okr.v2.Strange", b"", b"")], {"teams/d": 0})
    bench.elsewhere(strange)
    (refused,) = bench.answers(retire("teams/d"))
    assert isinstance(refused, UnknownEventType)
    assert refused.event_type == "okr.v2.Strange"
