"""Records that come from elsewhere are in either database what they were where they came from."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from ledger.event import Record
from ledger.log.contract import Epoch, Head, Intake, LogIdentity, Repeated, StoredRequest
from ledger.log.database import Database
from ledger.log.errors import LogMismatch, LogUnavailable, RecordUnfit
from ledger.log.opening import open_intake, open_log
from tests.contract.builders import append

pytestmark = pytest.mark.contract

LOG = "0193a5e2-0000-7000-8000-000000000000"
EPOCHS = [Epoch(LOG, 1, 5), Epoch(LOG, 3, 50)]
RECORDS = [
    Record(1, "teams/a", 1, "okr.v1.TeamRegistered", 10, b"m1", b"p1"),
    Record(2, "teams/b", 1, "okr.v1.TeamRegistered", 10, b"m1", b""),
    Record(3, "teams/a", 2, "okr.v1.TeamRetired", 12, b"", b"p3"),
]
REQUESTS = [
    StoredRequest(1, 2, b"digest of 16 byte", b"hash"),
    StoredRequest(3, 3, b"digest of another", b""),
]


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Database:
    if request.param == "sqlite":
        return Database(f"sqlite:///{tmp_path / 'okr-ledger.db'}")
    database: Database = request.getfixturevalue("postgres_database")
    return database


@pytest.fixture
def intake(place: Database) -> Iterator[Intake]:
    with closing(open_intake(place)) as opened:
        yield opened


def test_what_was_taken_in_is_the_log_that_it_was(place: Database, intake: Intake) -> None:
    intake.take(RECORDS[:2], REQUESTS[:1])
    intake.take(RECORDS[2:], REQUESTS[1:])
    intake.complete(EPOCHS)
    intake.close()
    with closing(open_log(place)) as log:
        assert log.read(0, 10) == RECORDS
        assert log.head() == Head(3, 12)
        assert log.identity() == LogIdentity(LOG, 3)
        assert log.epochs() == EPOCHS
        assert log.requests(0, 3) == REQUESTS
        assert log.requests(1, 3) == REQUESTS[1:]
        assert log.requests(0, 2) == REQUESTS[:1]
        assert log.stream_versions(["teams/a", "teams/b"]) == {"teams/a": 2, "teams/b": 1}
        (accepted,) = log.append_batch([append("teams/a", at={"teams/a": 2})], 20)
        assert accepted.first_position == 4  # type: ignore[union-attr]


def test_a_request_from_elsewhere_is_known(place: Database) -> None:
    with closing(open_log(place)) as log:
        log.append_batch([append("teams/a", request="r1")], 10)
        (request,) = log.requests(0, 1)
        (found,) = log.find_requests([append("x", request="r1").request])  # type: ignore[list-item]
    assert found == Repeated(1, 1, b"content") == Repeated(*request[:2], request.content_hash)


def test_nobody_opens_it_before_it_is_whole(place: Database, intake: Intake) -> None:
    intake.take(RECORDS, REQUESTS)
    assert intake.epochs() == []
    intake.close()
    for read_only in (False, True):
        with pytest.raises(LogMismatch, match="an import into it has not ended"):
            open_log(place, read_only=read_only)
    with closing(open_intake(place)) as again:
        assert again.head() == Head(3, 12)
        again.complete(EPOCHS)
    open_log(place).close()


@pytest.mark.parametrize(
    ("records", "reason"),
    [
        (RECORDS[1:], "event 2: the one before it is event 0"),
        ([RECORDS[0], RECORDS[2]], "event 3: the one before it is event 1"),
        ([RECORDS[0], RECORDS[1]._replace(recorded_us=9)], "event 2: it was recorded before"),
        ([RECORDS[0]._replace(stream_version=2)], "event 1: teams/a is at version 0"),
        ([RECORDS[0], RECORDS[1]._replace(stream="teams/a")], "event 2: teams/a is at version 1"),
    ],
)
def test_what_does_not_follow_is_refused_and_nothing_is_taken(
    intake: Intake, records: list[Record], reason: str
) -> None:
    with pytest.raises(RecordUnfit, match=reason):
        intake.take(records, [])
    assert intake.head() == Head(0, 0)


def test_a_request_of_other_events_is_refused(intake: Intake) -> None:
    with pytest.raises(RecordUnfit, match="event 3"):
        intake.take(RECORDS[:2], REQUESTS)
    assert intake.head() == Head(0, 0)


def test_a_request_that_is_there_is_refused(intake: Intake) -> None:
    intake.take(RECORDS[:2], REQUESTS[:1])
    with pytest.raises(LogUnavailable):
        intake.take(RECORDS[2:], [REQUESTS[1]._replace(digest=REQUESTS[0].digest)])
    assert intake.head() == Head(2, 10)


def test_later_records_go_on_from_those_of_a_log_that_is_whole(
    place: Database, intake: Intake
) -> None:
    intake.take(RECORDS[:2], REQUESTS[:1])
    intake.complete(EPOCHS[:1])
    intake.take(RECORDS[2:], REQUESTS[1:])
    intake.complete(EPOCHS)
    assert intake.epochs() == EPOCHS
    assert intake.read(0, 10) == RECORDS


@pytest.mark.parametrize(
    "epochs", [[], [EPOCHS[1]], [Epoch("another", 1, 5)], [*EPOCHS[:1], Epoch("another", 2, 9)]]
)
def test_another_log_is_not_gone_on_with(intake: Intake, epochs: list[Epoch]) -> None:
    intake.complete(EPOCHS[:1])
    with pytest.raises(LogMismatch):
        intake.complete(epochs)
    assert intake.epochs() == EPOCHS[:1]
