"""What every event log promises, whatever database keeps it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Event
from uuid import UUID

import pytest

from ledger.log.contract import (
    Accepted,
    Append,
    Conflict,
    EventLog,
    Head,
    LogIdentity,
    Repeated,
    request_key,
)
from tests.contract.builders import append, event
from tests.contract.conftest import Store

pytestmark = pytest.mark.contract

KEY = request_key("services/metrics", "r1", b"content")


def positions(log: EventLog) -> list[int]:
    return [record.position for record in log.read(0, 1_000)]


def test_a_new_log_is_empty_and_knows_itself(log: EventLog) -> None:
    identity = log.identity()
    assert (str(UUID(identity.log_id)), identity.epoch) == (identity.log_id, 1)
    assert log.head() == Head(0, 0)
    assert log.read(0, 10) == []
    assert log.read_stream("teams/a") == []
    assert log.position_at(2**60) == 0


def test_positions_are_dense_and_versions_count_each_stream(log: EventLog) -> None:
    outcomes = log.append_batch([append("teams/a", "teams/b", "teams/a"), append("teams/c")], 10)
    assert outcomes == [Accepted(1, 3, 10), Accepted(4, 4, 10)]
    assert [(r.position, r.stream, r.stream_version) for r in log.read(0, 10)] == [
        (1, "teams/a", 1),
        (2, "teams/b", 1),
        (3, "teams/a", 2),
        (4, "teams/c", 1),
    ]


def test_bytes_are_kept_as_given(log: EventLog) -> None:
    payload = bytes(range(256))
    log.append_batch(
        [Append([event("teams/márkaismertség-品牌", payload)], {"teams/márkaismertség-品牌": 0})],
        10,
    )
    (record,) = log.read(0, 1)
    assert (record.stream, record.metadata, record.payload) == (
        "teams/márkaismertség-品牌",
        b"metadata",
        payload,
    )
    assert (record.event_type, record.recorded_us) == ("okr.v1.TeamRetired", 10)


def test_each_append_has_its_own_outcome_and_leaves_no_gap(log: EventLog) -> None:
    outcomes = log.append_batch(
        [append("teams/a"), append("teams/b", at={"teams/b": 7}), append("teams/c")], 10
    )
    assert outcomes == [Accepted(1, 1, 10), Conflict("teams/b"), Accepted(2, 2, 10)]
    assert [r.stream for r in log.read(0, 10)] == ["teams/a", "teams/c"]


def test_an_append_is_all_or_nothing(log: EventLog) -> None:
    log.append_batch([append("teams/b")], 10)
    assert log.append_batch([append("teams/a", "teams/b")], 11) == [Conflict("teams/b")]
    assert positions(log) == [1]
    assert log.read_stream("teams/a") == []


def test_guards_see_the_accepted_appends_before_them(log: EventLog) -> None:
    outcomes = log.append_batch(
        [append("teams/a"), append("teams/a", at={"teams/a": 1}), append("teams/a")], 10
    )
    assert outcomes == [Accepted(1, 1, 10), Accepted(2, 2, 10), Conflict("teams/a")]


def test_a_stream_that_was_only_read_is_guarded_too(log: EventLog) -> None:
    log.append_batch([append("cycles/q4"), append("objectives/o")], 10)
    late = append("objectives/o", at={"objectives/o": 1, "cycles/q4": 1})
    closing = append("cycles/q4", at={"cycles/q4": 1})
    assert log.append_batch([closing, late], 11) == [Accepted(3, 3, 11), Conflict("cycles/q4")]
    again = append("objectives/o", at={"objectives/o": 1, "cycles/q4": 2})
    assert log.append_batch([again], 12) == [Accepted(4, 4, 12)]


def test_a_guard_may_say_that_a_stream_does_not_exist(log: EventLog) -> None:
    guarded = append("objectives/o", at={"teams/a": 0})
    log.append_batch([append("teams/a")], 10)
    assert log.append_batch([guarded], 11) == [Conflict("teams/a")]


def test_a_refusal_refuses_what_was_decided_on_its_effects(log: EventLog) -> None:
    log.append_batch([append("teams/a")], 10)
    # The second was decided as if the first, at version 0, had been accepted: 1 is the right
    # version by accident only.
    outcomes = log.append_batch([append("teams/a"), append("teams/a", at={"teams/a": 1})], 11)
    assert outcomes == [Conflict("teams/a"), Conflict("teams/a")]


def test_a_stream_written_to_must_be_guarded(log: EventLog) -> None:
    with pytest.raises(ValueError, match="without a guard"):
        log.append_batch([append("teams/b"), Append([event("teams/a")], {})], 10)
    with pytest.raises(ValueError, match="needs an event"):
        log.append_batch([Append([], {"teams/a": 0})], 10)
    assert positions(log) == []
    assert log.append_batch([append("teams/a")], 10) == [Accepted(1, 1, 10)]


def test_a_request_is_accepted_once(log: EventLog) -> None:
    (first,) = log.append_batch([append("teams/a", "teams/b", request="r1")], 10)
    assert first == Accepted(1, 2, 10)
    repeated = append("teams/c", request="r1", content=b"other")
    outcomes = log.append_batch([repeated, append("teams/d", request="r2")], 11)
    assert outcomes == [Repeated(1, 2, b"content"), Accepted(3, 3, 11)]
    assert log.read_stream("teams/c") == []


def test_a_request_is_accepted_once_within_a_batch(log: EventLog) -> None:
    outcomes = log.append_batch(
        [append("teams/a", request="r1"), append("teams/b", request="r1")], 10
    )
    assert outcomes == [Accepted(1, 1, 10), Repeated(1, 1, b"content")]


def test_a_refused_request_leaves_its_id_free(log: EventLog) -> None:
    log.append_batch([append("teams/a", at={"teams/a": 9}, request="r1")], 10)
    assert log.find_requests([KEY]) == [None]
    assert log.append_batch([append("teams/a", request="r1")], 11) == [Accepted(1, 1, 11)]


def test_request_ids_belong_to_their_principals(log: EventLog) -> None:
    log.append_batch([append("teams/a", request="r1", principal="people/ab")], 10)
    log.append_batch([append("teams/b", request="br1", principal="people/a")], 11)
    assert positions(log) == [1, 2]


def test_requests_are_found_in_the_order_asked_for(log: EventLog) -> None:
    ids = [f"r{number}" for number in range(200)]
    log.append_batch([append(f"teams/{i}", request=i) for i in ids[::2]], 10)
    found = log.find_requests([request_key("services/metrics", i, b"") for i in ids])
    assert [f and f.first_position for f in found] == [
        number // 2 + 1 if number % 2 == 0 else None for number in range(200)
    ]
    assert log.find_requests([]) == []


def test_recorded_time_never_decreases(log: EventLog) -> None:
    log.append_batch([append("teams/a")], 10)
    assert log.append_batch([append("teams/b")], 3) == [Accepted(2, 2, 10)]
    assert log.head() == Head(2, 10)


def test_the_position_at_an_instant(log: EventLog) -> None:
    for number, recorded_us in enumerate([10, 10, 20, 20, 20, 35]):
        log.append_batch([append(f"teams/{number}")], recorded_us)
    found = {us: log.position_at(us) for us in (0, 9, 10, 11, 19, 20, 34, 35, 36)}
    assert found == {0: 0, 9: 0, 10: 2, 11: 2, 19: 2, 20: 5, 34: 5, 35: 6, 36: 6}


def test_a_page_is_bounded_by_count_and_by_bytes(log: EventLog) -> None:
    log.append_batch([append("teams/a", "teams/b", "teams/c", "teams/d")], 10)
    size = len(b"metadata") + len(b"payload")
    assert [r.position for r in log.read(1, 2)] == [2, 3]
    assert [r.position for r in log.read(0, 10, max_bytes=2 * size)] == [1, 2]
    assert [r.position for r in log.read(2, 10, max_bytes=1)] == [3]


def test_a_stream_is_read_between_versions(log: EventLog) -> None:
    log.append_batch([append("teams/a", "teams/b", "teams/a", "teams/a")], 10)
    assert [r.position for r in log.read_stream("teams/a")] == [1, 3, 4]
    assert [r.stream_version for r in log.read_stream("teams/a", 1)] == [2, 3]
    assert [r.stream_version for r in log.read_stream("teams/a", 1, 2)] == [2]


def test_events_are_listed_by_page(log: EventLog) -> None:
    kinds = ["Aligned", "Unaligned", "Aligned", "TeamRetired", "Aligned", "Unaligned"]
    streams = ["a", "a", "b", "a", "a", "b"]
    versions = {"a": 0, "b": 0}
    for kind, stream in zip(kinds, streams, strict=True):
        written = Append([event(stream, event_type=kind)], {stream: versions[stream]})
        log.append_batch([written], 10)
        versions[stream] += 1

    def listed(**asked: object) -> list[int]:
        return [r.position for r in log.list_events(**{"limit": 10, **asked})]  # type: ignore[arg-type]

    assert listed() == [1, 2, 3, 4, 5, 6]
    assert listed(newest_first=True, limit=2) == [6, 5]
    assert listed(newest_first=True, limit=2, after=5) == [4, 3]
    assert listed(after=4, up_to_position=5) == [5]
    assert listed(stream="a") == [1, 2, 4, 5]
    assert listed(stream="a", newest_first=True, after=5, limit=2) == [4, 2]
    assert listed(stream="a", event_types=["Aligned", "TeamRetired"]) == [1, 4, 5]
    assert listed(event_types=["Aligned"], up_to_position=4) == [1, 3]
    assert listed(event_types=["Aligned", "Unaligned"], limit=3, after=1) == [2, 3, 5]
    assert listed(event_types=["Aligned", "Unaligned"], limit=3, newest_first=True) == [6, 5, 3]
    assert listed(event_types=["CycleSealed"]) == []


def test_large_batches_are_one_transaction(log: EventLog) -> None:
    outcomes = log.append_batch([append(f"teams/{i}", request=f"r{i}") for i in range(500)], 10)
    assert outcomes == [Accepted(i, i, 10) for i in range(1, 501)]
    assert positions(log) == list(range(1, 501))


def test_a_reader_sees_whole_batches_in_order_while_they_are_written(
    log: EventLog, store: Store
) -> None:
    reader, stop = store.reader(), Event()

    def watch() -> list[int]:
        seen: list[int] = []
        while not stop.is_set():
            seen += [r.position for r in reader.read(len(seen), 1_000)]
            # Every batch is of seven events.
            assert len(seen) % 7 == 0
            assert reader.head().position >= len(seen)
        return seen + [r.position for r in reader.read(len(seen), 1_000)]

    with ThreadPoolExecutor() as pool:
        watching = [pool.submit(watch) for _ in range(2)]
        for batch in range(60):
            log.append_batch([append(f"teams/{batch}-{i}") for i in range(7)], batch)
        stop.set()
        for watched in watching:
            assert watched.result() == list(range(1, 421))


def test_a_new_epoch_keeps_the_log_and_its_id(store: Store) -> None:
    log = store.open()
    log.append_batch([append("teams/a")], 10)
    before = log.identity()
    first, second = log.begin_epoch(), log.begin_epoch()
    assert (first.log_id, second.log_id) == (before.log_id, before.log_id)
    assert before.epoch < first.epoch < second.epoch
    assert store.reader().identity() == second
    log.close()
    log = store.open()
    assert log.identity() == second
    assert log.append_batch([append("teams/b")], 11) == [Accepted(2, 2, 11)]


def test_an_epoch_is_numbered_by_the_time_so_that_no_copy_of_the_log_repeats_it(
    log: EventLog,
) -> None:
    before = log.clock() // 1_000_000
    assert before <= log.begin_epoch().epoch <= log.clock() // 1_000_000


def test_the_versions_of_streams_are_told_together(log: EventLog) -> None:
    log.append_batch([append("teams/a", "teams/b", "teams/a")], 10)
    assert log.stream_versions(["teams/a", "teams/x"]) == {"teams/a": 2}
    assert log.stream_versions([]) == {}


def test_everything_survives_a_restart(store: Store) -> None:
    log = store.open()
    identity: LogIdentity = log.identity()
    log.append_batch([append("teams/a", "teams/b", request="r1")], 10)
    records = log.read(0, 10)
    log.close()

    log = store.open()
    assert log.identity() == identity
    assert log.read(0, 10) == records
    assert log.head() == Head(2, 10)
    assert log.append_batch([append("teams/a", request="r1")], 11) == [Repeated(1, 2, b"content")]
    assert log.append_batch([append("teams/a", at={"teams/a": 1})], 12) == [Accepted(3, 3, 12)]
