"""Several servers over one PostgreSQL: to a caller they are one service."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import psycopg
import pytest

from okr.v1 import replay_service_pb2 as replay
from okr.v1 import score_service_pb2 as scores
from okr.v1.operations_service_pb2 import GetStatusRequest
from projections.following.duty import FOLLOWER
from projections.following.notices import CALLED
from projections.store.claims import this_process
from tests.support.ask import team
from tests.support.databases import ledger
from tests.support.serving import LoopThread
from tests.support.whole import Caller, whole_service

pytestmark = [
    pytest.mark.parametrize("each_database", ["postgres"], indirect=True),
    pytest.mark.contract,
]


@pytest.fixture
def pair(loop: LoopThread, tmp_path: Path) -> Iterator[tuple[Caller, Caller]]:
    """Callers of two servers on one ledger; the first server follows it."""
    with whole_service(loop, tmp_path) as one:
        until(lambda: leader(one))
        with whole_service(loop, tmp_path) as two:
            yield one, two


def until(holds: Callable[[], object], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def status(me: Caller) -> Any:
    views, _ = me.ask(GetStatusRequest()).projections
    return views


def leader(me: Caller) -> str:
    found: str = status(me).leader
    return found


def end_sessions(folder: Path, called: str) -> int:
    """Ends the sessions of a name on the server; how many there were."""
    with psycopg.connect(ledger(folder).url, autocommit=True) as session:
        return len(
            session.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                " WHERE starts_with(application_name, %s)",
                (called,),
            ).fetchall()
        )


def test_what_one_server_was_told_the_other_answers(pair: tuple[Caller, Caller]) -> None:
    one, two = pair
    for number in range(20):
        teller, asked = (one, two) if number % 2 else (two, one)
        asked.token = teller.ask(team(f"t{number}")).token
        assert asked.ask(scores.GetTeamRequest(name=f"teams/t{number}")).position == number + 1


def test_a_watch_at_one_server_sees_what_the_other_writes(pair: tuple[Caller, Caller]) -> None:
    one, two = pair
    one.ask(team("first"))
    with two.watch(replay.WatchEventsRequest(from_now=True)) as answers:
        assert next(answers).caught_up
        one.ask(team("second"))
        seen = next(answers)
    assert [event.header.position for event in seen.events] == [2]


def test_both_tell_who_follows(pair: tuple[Caller, Caller]) -> None:
    assert leader(pair[0]) == leader(pair[1]) == this_process()


def test_the_other_server_follows_on_when_the_first_ends(loop: LoopThread, tmp_path: Path) -> None:
    with whole_service(loop, tmp_path) as one:
        one.ask(team("first"))
        with whole_service(loop, tmp_path) as two:
            two.token = one.token
            two.ask(scores.GetTeamRequest(name="teams/first"))
            one_ends = end_sessions(tmp_path, FOLLOWER)
            assert one_ends >= 1
            for number in range(20):
                asked = two if number % 2 else one
                asked.ask(team(f"t{number}"))
                asked.ask(scores.GetTeamRequest(name=f"teams/t{number}"))
            until(lambda: leader(one))


def test_writes_arrive_while_sessions_are_ended(
    pair: tuple[Caller, Caller], tmp_path: Path
) -> None:
    one, two = pair
    seen: list[int] = []

    def watch() -> None:
        with two.watch(replay.WatchEventsRequest(after_position=0)) as answers:
            while len(seen) < 60:
                seen.extend(event.header.position for event in next(answers).events)

    watching = Thread(target=watch)
    watching.start()
    for number in range(60):
        if number % 20 == 5:
            end_sessions(tmp_path, CALLED)
        if number % 20 == 15:
            end_sessions(tmp_path, FOLLOWER)
        writer, reader = (one, two) if number % 2 else (two, one)
        reader.token = writer.ask(team(f"t{number}")).token
        assert reader.ask(scores.GetTeamRequest(name=f"teams/t{number}")).position > number
    watching.join(30)
    assert seen == [*range(1, 61)]


def test_reads_go_on_when_their_sessions_are_ended(loop: LoopThread, tmp_path: Path) -> None:
    with whole_service(loop, tmp_path) as me:
        me.ask(team("first"))
        for _ in range(5):
            assert len(me.ask(scores.ListTeamsRequest()).teams) == 1
            assert end_sessions(tmp_path, "okr-ledger") >= 1
