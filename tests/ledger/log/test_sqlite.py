"""What the log on SQLite promises beyond the contract."""

from __future__ import annotations

import gc
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from ledger.log.contract import Accepted, Conflict, Head, Repeated
from ledger.log.errors import LogLocked, LogMismatch, LogUnavailable
from ledger.log.sqlite import schema
from ledger.log.sqlite.recorder import LedgerRecorder, open_log
from tests.contract.builders import append

CONTENTS = {
    "schema_steps": "version = version",
    "ledger": "epoch = epoch",
    "streams": "name = name",
    "events": "payload = payload",
    "requests": "content_hash = content_hash",
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "okr-ledger.db"


@pytest.fixture
def log(file: Path) -> Iterator[LedgerRecorder]:
    opened = open_log(file)
    yield opened
    opened.close()


def limit_pages(log: LedgerRecorder, more: int) -> None:
    """Leave room for so many more pages, as a disk that fills up does."""
    with log.datastore.raw("limit", writes=True) as connection:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages + more}")


@pytest.mark.parametrize("table", CONTENTS)
def test_nothing_can_be_changed_or_deleted(log: LedgerRecorder, file: Path, table: str) -> None:
    log.append_batch([append("teams/a", request="r1")], 10)
    log.close()
    with sqlite3.connect(file) as other:
        for statement in (f"UPDATE {table} SET {CONTENTS[table]}", f"DELETE FROM {table}"):
            with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                other.execute(statement)
    other.close()


def test_a_copy_that_is_restored_twice_is_two_epochs(log: LedgerRecorder, file: Path) -> None:
    log.append_batch([append("teams/a")], 10)
    log.close()
    copy = file.read_bytes()
    epochs = set()
    for second in (1_790_000_000, 1_790_000_001):
        file.write_bytes(copy)
        with closing(open_log(file, clock=partial(int, second * 1_000_000))) as restored:
            epochs.add(restored.begin_epoch().epoch)
            assert restored.append_batch([append("teams/b")], 11) == [Accepted(2, 2, 11)]
    assert epochs == {1_790_000_000, 1_790_000_001}


def test_a_file_that_is_put_in_its_place_is_noticed_and_left_alone(
    log: LedgerRecorder, file: Path, tmp_path: Path
) -> None:
    log.append_batch([append("teams/a")], 10)
    with closing(open_log(file, read_only=True)) as reader:
        reader.head()
        other = tmp_path / "other.db"
        open_log(other).close()
        before = other.read_bytes()
        kept = file.rename(tmp_path / "kept.db")
        for told in ("it is gone|it cannot be opened", "another file is in its place"):
            for use in (
                partial(log.append_batch, [append("teams/b")], 11),
                partial(log.read, 0, 10),
                reader.head,
            ):
                with pytest.raises(LogUnavailable, match=told):
                    use()
            if not file.exists():
                file.write_bytes(before)
        assert file.read_bytes() == before
        kept.replace(file)
        assert reader.head().position == 1


def test_every_table_is_append_only(log: LedgerRecorder) -> None:
    with log.datastore.raw("read", writes=False) as connection:
        rows = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
        assert {name for (name,) in rows.fetchall()} == set(CONTENTS) == set(schema.TABLES)


def test_replacing_is_refused_too(log: LedgerRecorder) -> None:
    log.append_batch([append("teams/a")], 10)
    with (
        pytest.raises(LogUnavailable),
        log.datastore.raw("replace", writes=True) as connection,
    ):
        connection.execute("INSERT OR REPLACE INTO events SELECT * FROM events")


def test_dump_and_restore_keep_positions(log: LedgerRecorder, file: Path) -> None:
    for number in range(5):
        log.append_batch([append("teams/a", at={"teams/a": number}, request=f"r{number}")], number)
    identity, records = log.identity(), log.read(0, 10)
    log.close()
    with sqlite3.connect(file) as dumped, sqlite3.connect(restored := file.with_name("r.db")) as to:
        to.executescript("\n".join(dumped.iterdump()))
    dumped.close()
    to.close()

    log = open_log(restored)
    assert log.identity() == identity
    assert log.read(0, 10) == records
    assert log.append_batch([append("teams/a", at={"teams/a": 5})], 9) == [Accepted(6, 6, 9)]
    log.close()


def test_vacuum_keeps_positions(log: LedgerRecorder) -> None:
    log.append_batch([append("teams/a", "teams/b", request="r1")], 10)
    records = log.read(0, 10)
    with log.datastore.raw("vacuum", writes=True) as connection:
        connection.execute("VACUUM")
    assert log.read(0, 10) == records
    assert log.append_batch([append("teams/c")], 11) == [Accepted(3, 3, 11)]


def test_the_log_is_durable_at_each_commit(log: LedgerRecorder) -> None:
    with log.datastore.raw("read", writes=True) as connection:
        asked = {
            name: connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("journal_mode", "synchronous", "foreign_keys", "application_id")
        }
    assert asked == {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "application_id": schema.APPLICATION_ID,
    }


def test_a_second_writer_is_refused_and_told_by_whom(log: LedgerRecorder, file: Path) -> None:
    with pytest.raises(LogLocked) as refused:
        open_log(file)
    assert (refused.value.file, refused.value.holder_pid) == (str(file), os.getpid())
    log.close()
    open_log(file).close()


def test_a_reader_of_a_missing_file_makes_none(file: Path) -> None:
    with pytest.raises(LogUnavailable, match="cannot be opened"):
        open_log(file, read_only=True)
    assert not file.exists()


def test_a_reader_cannot_write(log: LedgerRecorder, file: Path) -> None:
    reader = open_log(file, read_only=True)
    with pytest.raises(LogUnavailable, match="reading only"):
        reader.append_batch([append("teams/a")], 10)
    reader.close()
    assert log.head() == Head(0, 0)


def test_a_file_of_another_kind_is_refused(file: Path) -> None:
    file.write_bytes(b"something else, and longer than the header of a database" * 100)
    with pytest.raises(LogUnavailable, match="not a database"):
        open_log(file)
    file.unlink()
    with sqlite3.connect(file) as other:
        other.execute("CREATE TABLE notes (text TEXT)")
    other.close()
    with pytest.raises(LogMismatch, match="another program"):
        open_log(file)
    gc.collect()


def test_a_newer_schema_is_refused(log: LedgerRecorder, file: Path) -> None:
    log.close()
    with sqlite3.connect(file) as other:
        other.execute("INSERT INTO schema_steps VALUES (99, 0)")
    other.close()
    for read_only in (False, True):
        with pytest.raises(LogMismatch, match="schema is 99"):
            open_log(file, read_only=read_only)


def test_readers_do_not_wait_for_an_open_transaction(log: LedgerRecorder) -> None:
    log.append_batch([append("teams/a")], 10)
    with log.datastore.transaction(commit=True) as cursor:
        cursor.execute("INSERT INTO streams VALUES (2, 'teams/b')")
        cursor.execute("INSERT INTO events VALUES (2, 2, 1, 't', 11, x'', x'')")
        assert log.head() == Head(1, 10)
        assert [r.position for r in log.read(0, 10)] == [1]
    assert [r.position for r in log.read(0, 10)] == [1, 2]


def test_what_another_writer_did_is_seen(log: LedgerRecorder, file: Path) -> None:
    log.append_batch([append("teams/a", request="r1")], 10)
    with sqlite3.connect(file) as other:
        other.execute("INSERT INTO streams VALUES (2, 'teams/b')")
        other.execute("INSERT INTO events VALUES (2, 1, 2, 't', 20, x'', x'')")
        other.execute("INSERT INTO events VALUES (3, 2, 1, 't', 20, x'', x'')")
    other.close()
    outcomes = log.append_batch(
        [
            append("teams/a", at={"teams/a": 1}),
            append("teams/b", "teams/c", at={"teams/b": 1}),
            append("teams/d", request="r1"),
        ],
        15,
    )
    assert outcomes == [Conflict("teams/a"), Accepted(4, 5, 20), Repeated(1, 1, b"content")]


def fill(log: LedgerRecorder) -> None:
    for number in range(1_000):
        batch = [append(f"teams/{number}-{i}", request=f"r{number}-{i}") for i in range(8)]
        (first, *_) = log.append_batch(batch, 10)
        assert first == Accepted(8 * number + 2, 8 * number + 2, 10)


def test_a_full_disk_loses_nothing_and_later_writes_work(log: LedgerRecorder) -> None:
    log.append_batch([append("teams/a", request="r0")], 10)
    limit_pages(log, more=2)
    with pytest.raises(LogUnavailable) as refused:
        fill(log)
    accepted = log.head().position
    assert refused.value.reason == "the disk is full"
    assert accepted % 8 == 1
    assert [r.position for r in log.read(0, 10_000)] == list(range(1, accepted + 1))

    limit_pages(log, more=1_000)
    last = append("teams/a", at={"teams/a": 1})
    assert log.append_batch([last], 11) == [Accepted(accepted + 1, accepted + 1, 11)]


def test_a_locked_file_is_unavailable_and_free_again(log: LedgerRecorder, file: Path) -> None:
    with log.datastore.raw("set", writes=True) as connection:
        connection.execute("PRAGMA busy_timeout = 10")
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(LogUnavailable, match="another program has locked it"):
        log.append_batch([append("teams/a")], 10)
    other.execute("ROLLBACK")
    other.close()
    assert log.append_batch([append("teams/a")], 10) == [Accepted(1, 1, 10)]


def test_many_streams_are_forgotten_and_found_again(
    log: LedgerRecorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ledger.log.sqlite.appending.STREAMS_KNOWN", 3)
    for version in range(4):
        streams = [f"teams/{number}" for number in range(9)]
        batch = [append(stream, at={stream: version}) for stream in streams]
        outcomes = log.append_batch(batch, 10)
        assert all(isinstance(outcome, Accepted) for outcome in outcomes)
