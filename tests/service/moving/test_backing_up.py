"""A ledger that is restored is what it was at its backup, and says that it has lost the rest."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from grpc import StatusCode

from ledger.log.clock import now_us
from ledger.log.contract import Append, EncodedEvent
from ledger.log.database import Database
from ledger.log.opening import open_log
from okr.v1 import score_service_pb2 as scores
from okr.v1.audit_service_pb2 import ListEventsRequest
from okr.v1.operations_service_pb2 import GetStatusRequest
from okr.v1.values_pb2 import AsOf
from tests.api.story import told
from tests.support.appended import append_team_events
from tests.support.ask import check_in, team
from tests.support.places import EITHER, done, lose, place, refused, server_of, serving
from tests.support.whole import Caller
from tools.postgres import Postgres

REQUEST_ID = "0193a5e2-0000-4000-8000-000000000001"


@pytest.fixture(params=EITHER)
def server(request: pytest.FixtureRequest) -> Postgres | None:
    return server_of(request)


@pytest.fixture
def at(server: Postgres | None, tmp_path: Path) -> Database:
    return place(server, tmp_path)


def known(me: Caller, position: int) -> Any:
    """What is known at a position: the scorecards, and every event's bytes."""
    as_of = AsOf(position=position)
    cards = [
        me.ask(scores.GetScorecardRequest(cycle=cycle.name, as_of=as_of)).scorecard
        for cycle in me.ask(scores.ListCyclesRequest(as_of=as_of)).cycles
    ]
    events = me.ask(ListEventsRequest(as_of=as_of, page_size=1_000)).events
    return cards, [(each.name, each.metadata, each.payload) for each in events]


@pytest.mark.slow
def test_a_restored_ledger_goes_on_from_the_backup(at: Database, tmp_path: Path) -> None:
    repeated = check_in(value="1095", on="2024-08-13")
    repeated.request_id = REQUEST_ID
    with serving(at, tmp_path) as me:
        told(me)
        kept = me.ask(repeated).position
        backup = tmp_path / "backup"
        assert f"up to event {kept}" in done(at, "backup", backup)
        before = known(me, kept)
        me.ask(check_in(value="3000", on="2024-08-20"))
        lost = me.ask(team("lost")).token
        log_id = me.ask(GetStatusRequest()).log_id
    # What was made of the newer log stays beside it.
    lose(at)
    (tmp_path / "okr-ledger.db-wal").unlink(missing_ok=True)
    assert f"of ledger {log_id} begins after {kept} events" in done(at, "restore", backup)
    assert "all in order" in done(at, "verify")
    with serving(at, tmp_path) as me:
        status = me.ask(GetStatusRequest())
        assert (status.log_id, status.head_position) == (log_id, kept)
        assert status.epoch > 1
        error = me.refused(scores.ListTeamsRequest(at_least_as_fresh=lost))
        assert (error.code, error.reason) == (StatusCode.FAILED_PRECONDITION, "TOKEN_LOST")
        assert me.ask(repeated).position == kept
        assert me.ask(team("new")).position == kept + 1
        assert known(me, kept) == before
        assert me.refused(scores.GetTeamRequest(name="teams/lost")).code is StatusCode.NOT_FOUND
    # Of one backup two ledgers may come, and each knows what is not of its own.
    assert "it is there already" in refused(at, "backup", backup)


def test_a_backup_is_restored_elsewhere(
    server: Postgres | None, at: Database, tmp_path: Path
) -> None:
    append_team_events(at, 100)
    done(at, "backup", tmp_path / "backup")
    other = place(server, tmp_path / "other")
    done(other, "restore", tmp_path / "backup")
    with (
        closing(open_log(at, read_only=True)) as one,
        closing(open_log(other, read_only=True)) as two,
    ):
        assert two.read(0, 1_000) == one.read(0, 1_000)
        assert two.requests(0, 1_000) == one.requests(0, 1_000)
        assert two.epochs()[:-1] == one.epochs()


def test_exports_are_restored_one_after_the_other(
    server: Postgres | None, at: Database, tmp_path: Path
) -> None:
    append_team_events(at, 3_000)
    done(at, "export", tmp_path / "1.okr")
    done(at, "log", "new-epoch")
    append_retitled(at)
    done(at, "export", "--after", "3000", tmp_path / "2.okr")
    other = place(server, tmp_path / "other")
    cut = tmp_path / "cut.okr"
    cut.write_bytes((tmp_path / "2.okr").read_bytes()[:-9])
    assert "the file ends within it" in refused(other, "restore", tmp_path / "1.okr", cut)
    assert "an import into it has not ended" in refused(other, "verify")
    told = done(other, "restore", tmp_path / "1.okr", tmp_path / "2.okr")
    assert "begins after 3001 events" in told
    with closing(open_log(other, read_only=True)) as log:
        assert len(log.epochs()) == 3
    assert "restore into an empty place" in refused(other, "restore", tmp_path / "1.okr")


def append_retitled(at: Database) -> None:
    with closing(open_log(at)) as log:
        stream = "teams/t0"
        (version,) = log.stream_versions([stream]).values()
        (newest,) = log.read_stream(stream, version - 1)
        event = EncodedEvent(stream, newest.event_type, b"", newest.payload)
        log.append_batch([Append([event], {stream: version})], now_us())


def on_sqlite(folder: Path) -> Database:
    at = place(None, folder)
    append_team_events(at, 500)
    return at


def test_a_backup_is_of_one_instant_and_nobody_waits_for_it(tmp_path: Path) -> None:
    at = on_sqlite(tmp_path)
    stop, heads = Event(), [0]
    backups = [tmp_path / f"backup-{number}" for number in range(5)]

    def write() -> None:
        with closing(open_log(at)) as log:
            while not stop.is_set():
                position = log.head().position + 1
                event = EncodedEvent(f"teams/x{position}", "okr.v1.TeamRetired", b"", bytes(4_000))
                log.append_batch([Append([event] * 1, {f"teams/x{position}": 0})], position)
                heads.append(position)

    writer = Thread(target=write)
    writer.start()
    positions = []
    for backup in backups:
        first = heads[-1]
        while heads[-1] < first + 20:
            pass
        told = done(at, "backup", backup)
        positions.append(int(told.split()[-1]))
    stop.set()
    writer.join()
    assert positions == sorted(set(positions))
    for backup, position in zip(backups, positions, strict=True):
        assert [file.name for file in tmp_path.glob(f"{backup.name}*")] == [backup.name]
        with closing(sqlite3.connect(backup)) as copy:
            assert copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            assert copy.execute("SELECT count(*), max(position) FROM events").fetchone() == (
                position,
                position,
            )


def test_a_backup_on_a_disk_that_is_not_written_to_is_restored(tmp_path: Path) -> None:
    at = on_sqlite(tmp_path)
    safe = tmp_path / "safe"
    safe.mkdir()
    done(at, "backup", safe / "backup")
    (safe / "backup").chmod(0o400)
    safe.chmod(0o500)
    try:
        done(place(None, tmp_path / "other"), "restore", safe / "backup")
        assert [file.name for file in safe.iterdir()] == ["backup"]
    finally:
        safe.chmod(0o700)


def test_nothing_is_restored_over_a_ledger(tmp_path: Path) -> None:
    at = on_sqlite(tmp_path)
    backup = tmp_path / "backup"
    done(at, "backup", backup)
    assert "it is there already" in refused(at, "restore", backup)
    with closing(open_log(at)):
        # Also where its file has been moved away under it.
        at.file.rename(tmp_path / "moved")
        assert "one server at a time" in refused(at, "restore", backup)
    (tmp_path / "okr-ledger.db-wal").touch(exist_ok=True)
    assert "of an earlier ledger is there; move it away" in refused(at, "restore", backup)
    (tmp_path / "okr-ledger.db-wal").unlink()
    done(at, "restore", backup)


def test_a_damaged_copy_is_not_restored(tmp_path: Path) -> None:
    at = on_sqlite(tmp_path)
    backup = tmp_path / "backup"
    done(at, "backup", backup)
    damaged = bytearray(backup.read_bytes())
    damaged[len(damaged) // 2 : len(damaged) // 2 + 2_000] = bytes(2_000)
    backup.write_bytes(damaged)
    other = place(None, tmp_path / "other")
    assert "damaged" in refused(other, "restore", backup)
    assert [file.name for file in (tmp_path / "other").iterdir()] == ["okr-ledger.db.lock"]


def test_a_copy_of_a_file_does_not_become_a_schema(tmp_path: Path, postgres: Postgres) -> None:
    at = on_sqlite(tmp_path)
    done(at, "backup", tmp_path / "backup")
    other = place(postgres, tmp_path)
    assert "export it, and restore that" in refused(other, "restore", tmp_path / "backup")


def test_what_was_left_of_a_copy_is_no_part_of_the_next(tmp_path: Path) -> None:
    at = on_sqlite(tmp_path)
    backup = tmp_path / "backup"
    shutil.copy(at.file, tmp_path / "backup.partial")
    append_retitled(at)
    assert "up to event 501" in done(at, "backup", backup)
    with closing(sqlite3.connect(backup)) as copy:
        assert copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)
