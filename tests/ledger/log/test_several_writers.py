"""Several lanes write to one log, each with states of its own in memory."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from typing import Any

import pytest

from ledger.context import Context
from ledger.event import Decision
from ledger.log.command import Command, Done
from ledger.log.contract import EventLog
from ledger.log.database import Database
from ledger.log.errors import Contended, LogUnavailable
from ledger.log.lane import WriteLane
from ledger.log.opening import open_log
from ledger.refusals import Exists, NotFound
from ledger.view import World
from tests.ledger.log.teams import Team, Teams, positions, register, retire

pytestmark = pytest.mark.contract

WRITERS = 8
EACH = 25


class Writer:
    """A lane on a connection of its own."""

    def __init__(self, log: EventLog) -> None:
        self.log = log
        self.teams = Teams()
        self.lane = WriteLane(log, self.teams, self.teams, clock=log.clock)

    def all(self, *commands: Command) -> list[Any]:
        jobs = [self.lane.add(command) for command in commands]
        outcomes: dict[Any, Any] = {}
        while self.lane.waiting:
            outcomes |= dict(self.lane.run())
        return [outcomes[job] for job in jobs]

    def one(self, command: Command) -> Any:
        return self.all(command)[0]


@pytest.fixture
def writer(postgres_database: Database) -> Iterator[Callable[[], Writer]]:
    """Gives another writer at each call."""
    with ExitStack() as opened:
        yield lambda: Writer(opened.enter_context(closing(open_log(postgres_database))))


def test_what_another_created_is_there_although_it_was_missed_before(
    writer: Callable[[], Writer],
) -> None:
    first, second = writer(), writer()
    assert isinstance(second.one(retire("teams/a")), NotFound)
    first.one(register("teams/a"))
    assert positions(second.one(retire("teams/a"))) == [2]
    assert isinstance(second.one(register("teams/a")), Exists)


def test_a_trial_sees_what_another_wrote(writer: Callable[[], Writer]) -> None:
    first, second = writer(), writer()
    first.one(register("teams/a"))
    second.one(retire("teams/a", validate_only=True))
    first.one(retire("teams/a"))
    done = second.one(retire("teams/a", validate_only=True))
    assert done.states["teams/a"].retired == 2


def test_states_stay_right_when_others_write_in_between(writer: Callable[[], Writer]) -> None:
    first, second = writer(), writer()
    first.all(register("teams/a"), register("teams/b"))
    second.one(retire("teams/a"))
    for turn in range(3):
        # Of another stream: it only moves the positions.
        first.one(retire("teams/b"))
        done = second.one(retire("teams/a"))
        assert done.states == {"teams/a": second_state(turn)}
    assert first.one(retire("teams/a")).states == {"teams/a": Team(5, (1, 3, 5, 7, 9, 10))}


def test_what_is_written_is_told_so_although_the_log_cannot_be_read_then(
    writer: Callable[[], Writer], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = writer(), writer()
    second.lane = WriteLane(
        second.log, second.teams, second.teams, clock=second.log.clock, states_kept=1
    )
    second.all(register("teams/a"), register("teams/b"))
    append_batch = second.log.append_batch

    def unreadable(*_: Any) -> Any:
        raise LogUnavailable("the log", "read", "the connection is lost")

    def beside_another(*arguments: Any) -> Any:
        first.one(register("teams/x"))
        outcomes = append_batch(*arguments)
        monkeypatch.setattr(second.log, "read_stream", unreadable)
        return outcomes

    monkeypatch.setattr(second.log, "append_batch", beside_another)
    one, other = second.all(retire("teams/a"), retire("teams/b"))
    assert (positions(one), positions(other)) == ([4], [5])
    assert one.states == {"teams/a": Team(1, (1, 4))}


class Careful(Teams):
    """Holds the state of a stream against its records, which others add to meanwhile."""

    def __call__(self, world: World, request: Any, context: Context) -> Decision:
        _, version = world.state(request.team)
        if len(world.records(request.team)) != version:
            raise RuntimeError("a defect")
        return super().__call__(world, request, context)


def test_a_decision_that_fails_on_what_another_has_changed_is_taken_again(
    writer: Callable[[], Writer],
) -> None:
    first, second = writer(), writer()
    careful = Careful()
    second.lane = WriteLane(second.log, careful, careful, clock=second.log.clock)
    second.one(register("teams/a"))
    first.one(retire("teams/a"))
    assert positions(second.one(retire("teams/a"))) == [3]


def second_state(turn: int) -> Team:
    return Team(turn + 2, tuple([1, 3, 5, 7, 9][: turn + 3]))


def test_a_stream_that_nobody_else_writes_to_is_not_read_again(
    writer: Callable[[], Writer], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = writer(), writer()
    first.one(register("teams/a"))
    second.one(register("teams/b"))
    reads: list[str] = []
    read_stream = second.log.read_stream

    def counted(stream: str, *versions: Any) -> Any:
        reads.append(stream)
        return read_stream(stream, *versions)

    monkeypatch.setattr(second.log, "read_stream", counted)
    for _ in range(5):
        first.one(retire("teams/a"))
        second.one(retire("teams/b"))
    assert reads == []
    first.one(retire("teams/b"))
    second.one(retire("teams/b"))
    assert reads == ["teams/b"]


def test_eight_writers_on_one_stream_all_get_their_turn(writer: Callable[[], Writer]) -> None:
    writers = [writer() for _ in range(WRITERS)]
    writers[0].one(register("teams/a"))
    begin = threading.Barrier(WRITERS)

    def write(each: Writer) -> list[int]:
        begin.wait()
        written: list[int] = []
        while len(written) < EACH:
            outcome = each.one(retire("teams/a", f"{id(each)}-{len(written)}"))
            if not isinstance(outcome, Contended):
                written += positions(outcome)
        return written

    with ThreadPoolExecutor(WRITERS) as threads:
        written = [position for each in threads.map(write, writers) for position in each]
    assert sorted(written) == list(range(2, WRITERS * EACH + 2))
    records = writers[0].log.read_stream("teams/a")
    assert [record.stream_version for record in records] == list(range(1, WRITERS * EACH + 2))
    assert [record.position for record in records] == list(range(1, WRITERS * EACH + 2))
    for each in writers:
        done = each.one(retire("teams/a"))
        assert isinstance(done, Done)
        assert len(done.states["teams/a"].positions) == done.records[0].stream_version
