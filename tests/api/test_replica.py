"""Reads from a streaming replica, which is paused, killed, and started again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from okr.v1 import score_service_pb2 as scores
from okr.v1.operations_service_pb2 import GetStatusRequest
from okr.v1.values_pb2 import AsOf
from tests.support.ask import team
from tests.support.serving import LoopThread
from tests.support.whole import Caller, whole_service
from tools.postgres import Postgres

# It has a PostgreSQL of its own, beside the one that other tests share.
pytestmark = [
    pytest.mark.parametrize("each_database", ["sqlite"], indirect=True),
    pytest.mark.system,
]


@pytest.fixture(scope="module")
def primary() -> Iterator[Postgres]:
    with Postgres.start(fsync="off") as server:
        yield server


@pytest.fixture(scope="module")
def copy(primary: Postgres) -> Iterator[Postgres]:
    """The replica."""
    with primary.replica() as server:
        yield server


@pytest.fixture
def serve(
    loop: LoopThread, tmp_path: Path, primary: Postgres, copy: Postgres
) -> Callable[..., Any]:
    """Starts a service on a ledger of its own that reads from the replica."""
    place: dict[str, Any] = {
        "database_url": primary.url(),
        "database_schema": f"of_{tmp_path.name}".lower()[:40],
        "replica_url": copy.url(),
    }

    @contextmanager
    def started(**settings: Any) -> Iterator[Caller]:
        with whole_service(loop, tmp_path, **place, **settings) as me:
            me.ask(team("first"))
            until(lambda: replica(me).position == 1)
            yield me

    return started


def until(holds: Callable[[], object], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def replica(me: Caller) -> Any:
    """What the status says of the replica."""
    return me.ask(GetStatusRequest()).replica


@contextmanager
def paused(copy: Postgres) -> Iterator[None]:
    """The replica takes reads, and nothing new from its primary, while the block runs."""
    with psycopg.connect(copy.url(), autocommit=True) as session:
        session.execute("SELECT pg_wal_replay_pause()")
        state = "SELECT pg_get_wal_replay_pause_state()"
        until(lambda: session.execute(state).fetchone() == ("paused",))
        try:
            yield
        finally:
            session.execute("SELECT pg_wal_replay_resume()")


def teams(me: Caller, token: str = "", **request: Any) -> tuple[int, list[str]]:
    """The teams that a read with a token, or without one, finds, and where it was served."""
    me.token = token
    answer = me.ask(scores.ListTeamsRequest(**request))
    return answer.position, [each.name.removeprefix("teams/") for each in answer.teams]


def test_a_read_without_a_token_is_served_by_the_replica(
    serve: Callable[..., Any], copy: Postgres
) -> None:
    with serve() as me, paused(copy):
        token = me.ask(team("second")).token
        # The primary has it, so an answer without it comes from the replica.
        assert teams(me, token) == (2, ["first", "second"])
        assert teams(me) == (1, ["first"])


def test_a_read_is_never_older_than_its_token(serve: Callable[..., Any], copy: Postgres) -> None:
    with serve() as me:
        for number in range(10):
            token = me.ask(team(f"t{number}")).token
            assert teams(me, token)[0] == number + 2
        with paused(copy):
            for number in range(10, 15):
                token = me.ask(team(f"t{number}")).token
                assert teams(me, token)[0] == number + 2
                assert teams(me, as_of=AsOf(position=number + 2))[0] == number + 2


def test_a_replica_that_lags_serves_what_is_old_alone(
    serve: Callable[..., Any], copy: Postgres
) -> None:
    with serve(replica_lag_seconds=0.3) as me, paused(copy):
        old = me.token
        token = me.ask(team("second")).token
        assert teams(me, token)[0] == 2
        until(lambda: teams(me)[0] == 2)
        assert teams(me, old) == (1, ["first"])
        assert (replica(me).position, replica(me).lag_events) == (1, 1)


def test_pages_go_on_where_the_first_was(serve: Callable[..., Any], copy: Postgres) -> None:
    with serve() as me, paused(copy):
        token = me.ask(team("second")).token
        me.token = ""
        first = me.ask(scores.ListTeamsRequest(page_size=1, at_least_as_fresh=token))
        me.token = ""
        rest = me.ask(scores.ListTeamsRequest(page_size=1, page_token=first.next_page_token))
        assert [each.name for each in (*first.teams, *rest.teams)] == [
            "teams/first",
            "teams/second",
        ]


def test_a_replica_that_is_down_is_left_alone_until_it_is_back(
    serve: Callable[..., Any], copy: Postgres
) -> None:
    with serve() as me:
        copy.kill()
        for number in range(20):
            token = me.ask(team(f"t{number}")).token
            assert teams(me)[1]
            assert teams(me, token)[0] == number + 2
        until(lambda: replica(me).is_left_alone)
        copy.run()
        until(lambda: replica(me).position == 21)
        assert teams(me)[0] == 21
        with paused(copy):
            me.ask(team("last"))
            assert teams(me)[0] == 21


def test_a_database_that_is_no_replica_of_the_ledger_is_left_alone(
    loop: LoopThread, tmp_path: Path, primary: Postgres
) -> None:
    with psycopg.connect(primary.url(), autocommit=True) as session:
        session.execute("CREATE DATABASE another")
    place: dict[str, Any] = {
        "database_url": primary.url(),
        "database_schema": "alone",
        "replica_url": primary.url("another"),
    }
    with whole_service(loop, tmp_path, **place) as me:
        token = me.ask(team("first")).token
        until(lambda: replica(me).is_left_alone)
        assert teams(me, token) == (1, ["first"])
