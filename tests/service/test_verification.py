from pathlib import Path

import pytest

from ledger.event import Record
from ledger.log.contract import Append, EncodedEvent, Head, LogIdentity, StoredRequest
from ledger.log.sqlite.recorder import open_log
from okr.v1.event_record_pb2 import EventMetadata
from okr.v1.events_pb2 import TeamRegistered, TeamRetired
from service.verification.walk import faults

REGISTERED = "okr.v1.TeamRegistered"
METADATA = EventMetadata(request_id="r").SerializeToString()
ORDERLY = (
    Record(1, "teams/a", 1, REGISTERED, 10, METADATA, TeamRegistered().SerializeToString()),
    Record(2, "teams/b", 1, REGISTERED, 10, METADATA, TeamRegistered().SerializeToString()),
    Record(3, "teams/a", 2, "okr.v1.TeamRetired", 20, METADATA, TeamRetired().SerializeToString()),
)


class FakeLog:
    """A log that holds what it is given, in order or not; its head is the last one's position."""

    def __init__(self, records: tuple[Record, ...], head: int = 3) -> None:
        self._records = records
        self._head = head

    def identity(self) -> LogIdentity:
        return LogIdentity("6a4b0f6e-6e0b-4c39-9d0a-0d7c3e0b8a11", 1)

    def requests(self, after_position: int, up_to_position: int) -> list[StoredRequest]:
        return []

    def head(self) -> Head:
        return Head(self._head, 0)

    def read(self, after_position: int, limit: int) -> list[Record]:
        return [r for r in self._records if r.position > after_position][:limit]


def test_an_empty_log_is_in_order() -> None:
    assert not list(faults(FakeLog((), head=0)))


def test_an_orderly_log_is_in_order_and_tells_how_far_it_was_read() -> None:
    read: list[int] = []
    assert not list(faults(FakeLog(ORDERLY), read.append))
    assert read == [3]


@pytest.mark.parametrize(
    ("records", "told"),
    [
        ((ORDERLY[0], ORDERLY[2]), "positions 2 to 2 are missing"),
        (ORDERLY[:2], "positions 3 to 3 are missing"),
        ((), "positions 1 to 3 are missing"),
        (
            (*ORDERLY[:2], ORDERLY[2]._replace(recorded_us=9)),
            "event 3 (okr.v1.TeamRetired of teams/a) was recorded before the one that it follows",
        ),
        (
            (*ORDERLY[:2], ORDERLY[2]._replace(stream_version=3)),
            "event 3 (okr.v1.TeamRetired of teams/a) is version 3 of its stream, not 2",
        ),
        (
            (*ORDERLY[:2], ORDERLY[2]._replace(payload=b"\xff")),
            "the record at position 3 is not a readable okr.v1.TeamRetired",
        ),
        (
            (*ORDERLY[:2], ORDERLY[2]._replace(metadata=b"\xff")),
            "the record at position 3 is not a readable okr.v1.TeamRetired",
        ),
        (
            (*ORDERLY[:2], ORDERLY[2]._replace(event_type="okr.v1.TeamPraised")),
            "okr.v1.TeamPraised is not an event that this version knows",
        ),
    ],
)
def test_a_fault_is_told_with_its_place(records: tuple[Record, ...], told: str) -> None:
    assert list(faults(FakeLog(records))) == [told]


def test_every_fault_is_told() -> None:
    late = ORDERLY[2]._replace(recorded_us=1, stream_version=9, payload=b"\xff")
    assert len(list(faults(FakeLog((*ORDERLY[:2], late))))) == 3


def test_a_real_log_passes(tmp_path: Path) -> None:
    log = open_log(tmp_path / "okr-ledger.db")
    payload = TeamRegistered().SerializeToString()
    append = Append((EncodedEvent("teams/a", REGISTERED, METADATA, payload),), {"teams/a": 0})
    log.append_batch([append], recorded_us=1)
    assert not list(faults(log))
    log.close()
