"""One process follows, the others relieve it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from threading import Event, Thread

import psycopg
import pytest

from ledger.log.database import Database
from projections.following.duty import Shared, duty_beside
from projections.following.notices import CALLED, Notices
from projections.store.claims import this_process

pytestmark = pytest.mark.contract


@pytest.fixture
def pair(postgres_database: Database) -> Iterator[tuple[Shared, Shared]]:
    """Two processes that may follow the same projection."""
    one, two = (Shared(postgres_database, "views/1") for _ in range(2))
    yield one, two
    one.leave()
    two.leave()


def end_sessions(database: Database, called: str) -> int:
    """Ends the sessions of a name, as an operator may; how many there were."""
    with psycopg.connect(database.url, autocommit=True) as session:
        found = session.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE starts_with(application_name, %s) AND pid <> pg_backend_pid()",
            (called,),
        ).fetchall()
    return len(found)


def until(holds: Callable[[], object], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_one_is_on_duty_and_everybody_knows_who(pair: tuple[Shared, Shared]) -> None:
    one, two = pair
    assert two.holder() == ""
    assert one.taken()
    assert one.taken()
    assert one.held()
    assert not two.taken()
    assert not two.held()
    assert two.holder() == this_process()
    one.leave()
    assert not one.held()
    until(two.taken)


def test_projections_and_ledgers_do_not_share_a_duty(
    pair: tuple[Shared, Shared], postgres_database: Database
) -> None:
    one, _ = pair
    assert one.taken()
    newer = Shared(postgres_database, "views/2")
    other = Shared(Database(postgres_database.url, "another"), "views/1")
    assert newer.taken()
    assert other.taken()
    newer.leave()
    other.leave()


def test_who_loses_the_session_knows_before_it_writes(
    pair: tuple[Shared, Shared], postgres_database: Database
) -> None:
    one, two = pair
    assert one.taken()
    assert end_sessions(postgres_database, "okr-ledger follower") >= 1
    assert two.taken()
    assert not one.held()
    assert not one.taken()


def test_a_database_that_cannot_be_asked_gives_no_duty() -> None:
    duty = duty_beside(Database("postgresql://nobody@127.0.0.1:1/none"), "views/1")
    assert not duty.taken()
    assert not duty.held()


def test_notices_are_heard_again_after_their_session_was_ended(
    postgres_database: Database,
) -> None:
    heard: list[int] = []
    stop = Event()
    notices = Notices(postgres_database, {"some_channel": heard.append})
    thread = Thread(target=notices.run, args=[stop])
    thread.start()
    until(lambda: heard == [0])
    tell(postgres_database, "1")
    until(lambda: heard == [0, 1])
    assert end_sessions(postgres_database, CALLED) >= 1
    until(lambda: heard == [0, 1, 0])
    tell(postgres_database, "2")
    until(lambda: heard == [0, 1, 0, 2])
    tell(postgres_database, "anybody may send this")
    until(lambda: heard == [0, 1, 0, 2, 0])
    tell(postgres_database, "9" * 7_000)
    until(lambda: heard == [0, 1, 0, 2, 0, 0])
    stop.set()
    thread.join()


def tell(database: Database, payload: str) -> None:
    with psycopg.connect(database.url, autocommit=True) as session:
        session.execute("SELECT pg_notify('some_channel', %s)", (payload,))
