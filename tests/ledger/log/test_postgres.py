"""What the log on PostgreSQL promises beyond the contract."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import replace
from importlib.resources import files
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import psycopg
import pytest

from ledger.log.contract import Accepted, Conflict, Head, Repeated, request_key
from ledger.log.database import Database
from ledger.log.errors import LogMismatch, LogUnavailable, OutcomeUnknown
from ledger.log.postgres import datastore, schema
from ledger.log.postgres.clock import TRUSTED_SECONDS, SampledClock
from ledger.log.postgres.failures import is_lost
from ledger.log.postgres.notices import channel
from ledger.log.postgres.recorder import LedgerRecorder, open_log
from tests.contract.builders import append

pytestmark = pytest.mark.contract

CONTENTS = {
    "schema_steps": "version = version",
    "ledger": "epoch = epoch",
    "events": "payload = payload",
    "requests": "content_hash = content_hash",
}


@pytest.fixture
def database(postgres_database: Database) -> Database:
    return postgres_database


@pytest.fixture
def log(database: Database) -> Iterator[LedgerRecorder]:
    opened = open_log(database)
    yield opened
    opened.close()


@pytest.fixture
def other(database: Database) -> Iterator[psycopg.Connection[Any]]:
    """Another program's session, in the log's schema."""
    with closing(session(database)) as connection:
        yield connection


def session(database: Database) -> psycopg.Connection[Any]:
    options = f"-c search_path={database.schema}"
    return psycopg.connect(database.url, autocommit=True, options=options)


def backends(other: psycopg.Connection[Any], query: str) -> list[int]:
    """The sessions whose last statement looks like this."""
    found = other.execute(
        "SELECT pid FROM pg_stat_activity WHERE query LIKE %s AND pid <> pg_backend_pid()",
        [f"%{query}%"],
    )
    return [pid for (pid,) in found]


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("table", CONTENTS)
def test_nothing_can_be_changed_or_deleted(
    log: LedgerRecorder, other: psycopg.Connection[Any], table: str
) -> None:
    log.append_batch([append("teams/a", request="r1")], 10)
    changes = (f"UPDATE {table} SET {CONTENTS[table]}", f"DELETE FROM {table}", f"TRUNCATE {table}")
    for role in ("origin", "replica"):
        other.execute(f"SET session_replication_role = {role}")
        for statement in changes:
            with pytest.raises(psycopg.errors.RestrictViolation, match="append-only"):
                other.execute(statement)


DERIVED = {"snapshots"}
"""What is made from the rest, and made again."""


def test_every_table_is_append_only(
    log: LedgerRecorder, other: psycopg.Connection[Any], database: Database
) -> None:
    rows = other.execute("SELECT tablename FROM pg_tables WHERE schemaname = %s", [database.schema])
    assert {name for (name,) in rows} - DERIVED == set(CONTENTS) == set(schema.TABLES)


def test_the_steps_are_all_shipped() -> None:
    folder = files("ledger.log.postgres") / "steps"
    numbers = sorted(int(step.name) for step in folder.iterdir())
    assert numbers == list(range(1, schema.VERSION + 1))
    assert all(schema.statements(number) for number in numbers)


def test_what_another_writer_did_is_seen(log: LedgerRecorder, database: Database) -> None:
    with closing(open_log(database)) as second:
        log.append_batch([append("teams/a", request="r1")], 10)
        second.append_batch([append("teams/a", "teams/b", at={"teams/a": 1})], 20)
        outcomes = log.append_batch(
            [
                append("teams/a", at={"teams/a": 1}),
                append("teams/b", "teams/c", at={"teams/b": 1}),
                append("teams/d", request="r1"),
            ],
            15,
        )
    assert outcomes == [Conflict("teams/a"), Accepted(4, 5, 20), Repeated(1, 1, b"content")]


def test_nothing_is_visible_before_what_comes_before_it(
    log: LedgerRecorder, other: psycopg.Connection[Any]
) -> None:
    """A transaction that has written is held open; nobody gets past it, and readers do not wait."""
    log.append_batch([append("teams/a")], 10)
    with ThreadPoolExecutor(1) as second:
        with other.transaction():
            other.execute("SELECT lock_append()")
            other.execute("INSERT INTO events VALUES (2, 'teams/b', 1, 't', 11, '', '')")
            waiting = second.submit(log.append_batch, [append("teams/c")], 12)
            time.sleep(0.1)
            assert not waiting.done()
            assert [record.position for record in log.read(0, 10)] == [1]
            assert log.head() == Head(1, 10)
        assert waiting.result() == [Accepted(3, 3, 12)]
    assert [record.stream for record in log.read(0, 10)] == ["teams/a", "teams/b", "teams/c"]


def test_a_reader_sees_four_writers_in_order(log: LedgerRecorder, database: Database) -> None:
    ended = threading.Event()

    def write(number: int) -> int:
        """Each batch has one append that is accepted, one refused, and one that all strive for."""
        accepted = 0
        with closing(open_log(database)) as own:
            for turn in range(25):
                mine = append(f"teams/{number}", at={f"teams/{number}": turn})
                stale = append("teams/nobody", at={"teams/nobody": 9})
                contended = append("teams/all", at={"teams/all": own.head().position})
                first, second, third = own.append_batch([mine, stale, contended], turn)
                assert isinstance(first, Accepted)
                assert second == Conflict("teams/nobody")
                accepted += 1 + isinstance(third, Accepted)
        return accepted

    def watch() -> list[int]:
        seen: list[int] = []
        while not ended.is_set():
            seen += [record.position for record in log.read(len(seen), 7)]
        return seen + [record.position for record in log.read(len(seen), 1_000)]

    with ThreadPoolExecutor(5) as threads:
        watching = threads.submit(watch)
        accepted = sum(threads.map(write, range(4)))
        ended.set()
        assert watching.result() == list(range(1, accepted + 1))
    for number in range(4):
        versions = [record.stream_version for record in log.read_stream(f"teams/{number}")]
        assert versions == list(range(1, 26))


def test_two_ledgers_in_one_database_have_nothing_in_common(
    log: LedgerRecorder, database: Database
) -> None:
    beside = replace(database, schema=f"{database.schema}_b")
    with closing(open_log(beside)) as second, closing(session(beside)) as holder:
        assert second.identity().log_id != log.identity().log_id
        with holder.transaction():
            holder.execute("SELECT lock_append()")
            assert log.append_batch([append("teams/a")], 10) == [Accepted(1, 1, 10)]
        assert second.head() == Head(0, 0)


def test_the_recorded_time_is_never_ahead_of_the_databases_clock(log: LedgerRecorder) -> None:
    (accepted,) = log.append_batch([append("teams/a")], 2**60)
    assert isinstance(accepted, Accepted)
    assert accepted.recorded_us <= log.clock()
    assert log.clock() - accepted.recorded_us < 60_000_000
    (second,) = log.append_batch([append("teams/b")], 5)
    assert isinstance(second, Accepted)
    assert second.recorded_us == accepted.recorded_us


def test_a_proposed_time_by_the_logs_clock_is_taken_as_it_is(log: LedgerRecorder) -> None:
    for number in range(50):
        now_us = log.clock()
        assert log.append_batch([append(f"teams/{number}")], now_us) == [
            Accepted(number + 1, number + 1, now_us)
        ]


def test_the_clock_goes_on_from_its_last_sample_and_asks_when_that_is_old() -> None:
    now, samples = [100.0], iter([5_000_000, 90_000_000])
    clock = SampledClock(lambda: next(samples), lambda: now[0])
    assert clock() == 5_000_000
    now[0] += 1.5
    assert clock() == 6_500_000
    clock.set(7_000_000)
    now[0] += TRUSTED_SECONDS
    assert clock() == 7_000_000 + round(TRUSTED_SECONDS * 1_000_000)
    now[0] += 0.001
    assert clock() == 90_000_000


def test_it_is_durable_and_read_committed_whatever_the_server_prefers(database: Database) -> None:
    options = (
        "-c synchronous_commit=off -c default_transaction_isolation=serializable"
        " -c statement_timeout=1"
    )
    asked = replace(database, url=f"{database.url}?options={quote(options)}")
    with (
        closing(open_log(asked)) as log,
        log.datastore.writing("ask") as connection,
    ):
        for name, value in (
            ("synchronous_commit", "on"),
            ("transaction_isolation", "read committed"),
            ("statement_timeout", "30s"),
        ):
            assert connection.execute(f"SHOW {name}").fetchone() == (value,)


def test_an_append_in_another_isolation_is_refused(
    log: LedgerRecorder, other: psycopg.Connection[Any]
) -> None:
    """Its snapshot would be older than its lock."""
    other.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState), other.transaction():
        other.execute("SELECT lock_append()")


def test_a_notice_follows_each_commit(
    log: LedgerRecorder, other: psycopg.Connection[Any], database: Database
) -> None:
    other.execute(f"LISTEN {channel(database.schema)}")
    log.append_batch([append("teams/a"), append("teams/b")], 10)
    log.append_batch([append("teams/a")], 11)
    log.append_batch([append("teams/c")], 12)
    told: list[int] = []
    for notice in other.notifies(timeout=10):
        told.append(int(notice.payload))
        if told[-1] == 3:
            break
    assert told == sorted(set(told))
    # Nothing was written, so nobody is told.
    log.append_batch([append("teams/a")], 13)
    assert list(other.notifies(timeout=0.2)) == []


def test_notices_go_on_after_their_connection_was_cut(
    log: LedgerRecorder,
    other: psycopg.Connection[Any],
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ledger.log.postgres.notices.RETRY_SECONDS", 0.01)
    other.execute(f"LISTEN {channel(database.schema)}")
    log.append_batch([append("teams/a")], 10)
    until(lambda: list(other.notifies(timeout=0.1)))
    (pid,) = backends(other, "pg_notify($1")
    other.execute("SELECT pg_terminate_backend(%s)", [pid])
    numbers = iter(range(1_000))

    def heard() -> list[Any]:
        log.append_batch([append(f"teams/n{next(numbers)}")], 11)
        return list(other.notifies(timeout=0.1))

    until(heard)


def test_a_lost_connection_leaves_the_outcome_open_and_the_next_batch_makes_a_new_one(
    log: LedgerRecorder, other: psycopg.Connection[Any]
) -> None:
    log.append_batch([append("teams/a", request="r0")], 10)
    with ThreadPoolExecutor(1) as second, other.transaction():
        other.execute("SELECT lock_append()")
        waiting = second.submit(log.append_batch, [append("teams/b", request="r1")], 10)
        until(lambda: backends(other, "append_batch"))
        for pid in backends(other, "append_batch"):
            other.execute("SELECT pg_terminate_backend(%s)", [pid])
        with pytest.raises(OutcomeUnknown):
            waiting.result()
    assert log.append_batch([append("teams/b", request="r1")], 10) == [Accepted(2, 2, 10)]


@pytest.mark.parametrize(("severity", "lost"), [("ERROR", False), ("FATAL", True), ("PANIC", True)])
def test_a_full_disk_leaves_the_outcome_open_only_where_the_server_ends(
    severity: str, lost: bool
) -> None:
    """A server that panics as it flushes may find the commit in its own log when it recovers."""

    class Full(psycopg.errors.DiskFull):
        diag = SimpleNamespace(severity_nonlocalized=severity)  # type: ignore[assignment] # read

    assert is_lost(Full()) == lost


def test_a_connection_that_was_lost_while_nobody_wrote_costs_no_batch(
    log: LedgerRecorder, other: psycopg.Connection[Any]
) -> None:
    key = request_key("services/metrics", "r1", b"content")
    log.append_batch([append("teams/a", request="r1")], 10)
    for _ in range(2):
        for pid in backends(other, "append_batch") + backends(other, "request_digest"):
            other.execute("SELECT pg_terminate_backend(%s)", [pid])
        until(lambda: not backends(other, "append_batch") + backends(other, "request_digest"))
        assert log.find_requests([key]) == [Repeated(1, 1, b"content")]
    assert log.append_batch([append("teams/b")], 11) == [Accepted(2, 2, 11)]


def test_readers_survive_the_end_of_their_connections(
    log: LedgerRecorder, other: psycopg.Connection[Any]
) -> None:
    log.append_batch([append("teams/a")], 10)
    assert log.head() == Head(1, 10)
    for pid in backends(other, "ORDER BY position DESC LIMIT 1"):
        other.execute("SELECT pg_terminate_backend(%s)", [pid])
    assert log.head() == Head(1, 10)


def test_a_lock_that_is_held_too_long_is_told(
    database: Database, other: psycopg.Connection[Any]
) -> None:
    with closing(open_log(replace(database, statement_seconds=0.2))) as log:
        with other.transaction():
            other.execute("SELECT lock_append()")
            with pytest.raises(LogUnavailable, match="longer than a statement may") as refused:
                log.append_batch([append("teams/a")], 10)
            assert not isinstance(refused.value, OutcomeUnknown)
        assert log.append_batch([append("teams/a")], 10) == [Accepted(1, 1, 10)]


def test_a_reader_cannot_write_and_makes_no_schema(database: Database) -> None:
    with pytest.raises(LogMismatch, match=r"no log in .*start a server"):
        open_log(database, read_only=True)
    with (
        closing(open_log(database)) as log,
        closing(open_log(database, read_only=True)) as reader,
    ):
        with pytest.raises(LogUnavailable, match="reading only"):
            reader.append_batch([append("teams/a")], 10)
        assert log.head() == Head(0, 0)


def test_another_programs_schema_is_refused(
    database: Database, other: psycopg.Connection[Any]
) -> None:
    other.execute(f"CREATE SCHEMA {database.schema}")
    other.execute("CREATE TABLE notes (text text)")
    with pytest.raises(LogMismatch, match="another program's tables; name another schema"):
        open_log(database)


def test_a_newer_schema_is_refused(
    log: LedgerRecorder, database: Database, other: psycopg.Connection[Any]
) -> None:
    other.execute("INSERT INTO schema_steps VALUES (99, 0)")
    for read_only in (False, True):
        with pytest.raises(LogMismatch, match="schema, 99, and this one knows 1; install"):
            open_log(database, read_only=read_only)


def test_a_user_without_the_right_to_make_a_schema_takes_one_that_was_made(
    database: Database, other: psycopg.Connection[Any]
) -> None:
    user = f"{database.schema}_user"
    other.execute(f"CREATE ROLE {user} LOGIN PASSWORD 'p'")
    theirs = replace(database, url=as_user(database, user, "p"))
    with pytest.raises(LogUnavailable, match="lacks a privilege"):
        open_log(theirs)
    other.execute(f"CREATE SCHEMA {database.schema} AUTHORIZATION {user}")
    with closing(open_log(theirs)) as log:
        assert log.append_batch([append("teams/a")], 10) == [Accepted(1, 1, 10)]


def as_user(database: Database, user: str, password: str) -> str:
    _, _, place = database.url.rpartition("@")
    return f"postgresql://{user}:{password}@{place}"


@pytest.mark.parametrize(
    ("part", "by", "told"),
    [
        (r"/postgres$", "/nowhere", 'database "nowhere" does not exist; make it first'),
        (r"//postgres:", "//postgres:s3cret", "password authentication failed .* PGPASSWORD"),
        (r"//postgres:", "//nobody:", "password authentication failed .* PGPASSWORD"),
        (r":\d+/", ":1/", "refused Is the server running"),
        (r"$", "?sslmode=require", "SSL.*; let sslmode"),
        (r"$", "?sslmod=require", "sslmod"),
    ],
)
def test_what_is_wrong_with_a_connection_is_told_without_the_password(
    database: Database, part: str, by: str, told: str
) -> None:
    wrong = replace(database, url=re.sub(part, by, database.url), connect_seconds=0.5)
    with pytest.raises(LogUnavailable, match=told) as refused:
        open_log(wrong)
    assert str(refused.value).startswith("cannot connect to postgresql://")
    password = database.url.split(":")[2].partition("@")[0]
    assert "s3cret" not in str(refused.value)
    assert password not in str(refused.value)


def test_a_server_that_is_too_old_or_a_database_in_another_encoding_is_refused(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    for found, told in (("14, 'UTF8'", "PostgreSQL 14, and at least 15"), ("18, 'LATIN1'", "UTF8")):
        monkeypatch.setattr(datastore, "ABOUT_SERVER", f"SELECT {found}")
        with pytest.raises(LogMismatch, match=told):
            open_log(database)


def test_a_server_that_starts_waits_for_another_ones_steps_as_long_as_they_take(
    log: LedgerRecorder, database: Database, other: psycopg.Connection[Any]
) -> None:
    with ThreadPoolExecutor(1) as starting:
        with other.transaction():
            other.execute(schema.LOCK, [database.schema])
            second = starting.submit(open_log, replace(database, statement_seconds=0.1))
            time.sleep(0.4)
            assert not second.done()
        with closing(second.result()) as opened:
            assert opened.identity() == log.identity()


def test_servers_that_start_at_once_make_one_log(database: Database) -> None:
    with ThreadPoolExecutor(5) as threads, ExitStack() as opened:
        logs = list(
            threads.map(lambda _: opened.enter_context(closing(open_log(database))), "12345")
        )
        assert len({log.identity() for log in logs}) == 1
