"""Commands on long streams: what they read, and what becomes of snapshots that are of no use."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest
from google.protobuf.message import Message
from structlog.testing import capture_logs

from ledger import places
from ledger.fold import State
from ledger.log import snapshots as module
from ledger.log import world
from ledger.log.command import Command, Done
from ledger.log.contract import Accepted, Append, EncodedEvent, EventLog
from ledger.log.database import Database
from ledger.log.lane import WriteLane
from ledger.log.opening import open_log
from ledger.log.snapshots import EVERY, Snapshots
from ledger.log.sqlite.snapshots import SnapshotFile, snapshots_file
from ledger.log.world import fold
from ledger.model import Domain
from ledger.objectives import Objective
from ledger.rpc import METHODS, LedgerRpc
from ledger.tokens import Tokens
from okr.v1.event_record_pb2 import EventMetadata
from okr.v1.events_pb2 import CheckInRecorded
from tests.support import ask

NOW_US = int(datetime(2026, 8, 12, 12, tzinfo=UTC).timestamp()) * 1_000_000
LONG = 5_000
BOUND = world.SHORT + 2 * EVERY + places.STRIDE
"""Records that a command on a long stream reads at most."""


@dataclass
class CountingLog:
    """A log that counts the records that are read of it."""

    log: EventLog
    read_records: int = 0

    def read_stream(self, *asked: Any) -> Any:
        return self._counted(self.log.read_stream(*asked))

    def read(self, *asked: Any) -> Any:
        return self._counted(self.log.read(*asked))

    def _counted(self, records: Sequence[Any]) -> Sequence[Any]:
        self.read_records += len(records)
        return records

    def __getattr__(self, name: str) -> Any:
        return getattr(self.log, name)


class Bench:
    """A lane on a log that counts, and its snapshots."""

    def __init__(
        self, database: Database, codec: Domain | None = None, states_kept: int = 100
    ) -> None:
        self.log = open_log(database)
        self.counting = CountingLog(self.log)
        log = cast("EventLog", self.counting)
        domain = Domain()
        self.snapshots = Snapshots(log, self.log.snapshot_store(), codec or domain)
        self.lane = WriteLane(
            log,
            domain,
            domain,
            clock=lambda: NOW_US,
            states_kept=states_kept,
            snapshots=self.snapshots,
        )

    def does(self, *requests: Message) -> list[Done]:
        """What becomes of requests that are all accepted."""
        done = []
        for request in requests:
            self.lane.add(Command(request, "people/anna"))
        while self.lane.waiting:
            for _, outcome in self.lane.run():
                assert isinstance(outcome, Done), outcome
                done.append(outcome)
        return done

    def check_in_past_the_lane(self, count: int, name: str = ask.FOLLOWERS) -> None:
        """Another writer's check-ins, as many as asked for, at once."""
        stream = ask.AWARENESS
        state, version = fold(self.log, Domain(), stream)
        first = state.key_results[name].check_in_count + 1
        metadata = EventMetadata(effective_date=ask.day("2026-08-01")).SerializeToString()
        events = []
        for number in range(first, first + count):
            fact = CheckInRecorded(key_result=name, number=number)
            fact.measurement.value = str(number)
            payload = fact.SerializeToString()
            events.append(EncodedEvent(stream, fact.DESCRIPTOR.full_name, metadata, payload))
        (outcome,) = self.log.append_batch([Append(events, {stream: version})], NOW_US)
        assert isinstance(outcome, Accepted)

    def log_state(self) -> State | None:
        """The state that the log says, from the first event on."""
        state: State | None = fold(self.log, Domain(), ask.AWARENESS)[0]
        return state

    def state(self) -> Objective:
        """The state in the lane's hands, which is what the log says."""
        found, version = self.lane._commit._cache.get(ask.AWARENESS)
        assert (found, version) == fold(self.log, Domain(), ask.AWARENESS)
        assert isinstance(found, Objective)
        return found

    def close(self) -> None:
        self.snapshots.close()
        self.log.close()


@contextmanager
def bench(folder: Path, **given: Any) -> Iterator[Bench]:
    with bench_on(Database(f"sqlite:///{folder / 'okr-ledger.db'}"), **given) as made:
        yield made


@contextmanager
def bench_on(database: Database, **given: Any) -> Iterator[Bench]:
    with closing(Bench(database, **given)) as made:
        yield made


def planned(folder: Path, check_ins: int) -> None:
    """A committed quarter, and so many check-ins that no lane has seen."""
    with bench(folder) as made:
        made.does(ask.cycle(), ask.team(), ask.objective(), ask.commit())
        made.check_in_past_the_lane(check_ins)


@pytest.fixture
def long(tmp_path: Path) -> Path:
    """A folder with a stream of 5 000 events and its snapshot."""
    planned(tmp_path, LONG)
    with bench(tmp_path) as made:
        made.does(ask.check_in(value="1"))
    return tmp_path


def test_after_a_restart_a_command_reads_a_bounded_number_of_records(long: Path) -> None:
    commands = [
        ask.check_in(value="7"),
        ask.correct(1, "8"),
        ask.correct(LONG, "9"),
        ask.retract(LONG // 2),
        ask.revise(weight="2", reason=ask.WHY, category="CATEGORY_LEARNING"),
    ]
    for command in commands:
        with bench(long) as made:
            made.does(command)
            assert made.counting.read_records <= BOUND, command
            made.state()


def test_an_answer_given_again_reads_a_bounded_number_of_records(long: Path) -> None:
    correction = ask.correct(7, "8")
    revision = ask.revise(weight="3", reason=ask.WHY, category="CATEGORY_LEARNING")
    for method, request in (("CorrectCheckIn", correction), ("ReviseKeyResult", revision)):
        with bench(long) as made:
            (done,) = made.does(request)
            again = Done(done.records, repeated=True)
            rpc = LedgerRpc(cast("EventLog", made.counting), Tokens("log", 1), made.snapshots)
            first = rpc.answer(METHODS[method], done, may_read=True)
            made.counting.read_records = 0
            assert rpc.answer(METHODS[method], again, may_read=True) == first
            assert made.counting.read_records <= BOUND


def test_without_snapshots_it_reads_them_all_once_and_leaves_one(tmp_path: Path) -> None:
    planned(tmp_path, LONG)
    with bench(tmp_path) as made:
        made.does(ask.check_in(value="1"))
        assert made.counting.read_records > LONG
        made.counting.read_records = 0
        made.does(ask.correct(1, "2"))
        assert made.counting.read_records <= places.STRIDE
    with bench(tmp_path) as made:
        made.does(ask.check_in(value="1"))
        assert made.counting.read_records <= BOUND


def test_a_lane_makes_them_as_its_streams_grow(tmp_path: Path) -> None:
    with bench(tmp_path) as made:
        made.does(ask.cycle(), ask.team(), ask.objective(), ask.commit())
        made.does(*[ask.check_in(value=str(number)) for number in range(2 * EVERY)])
    with bench(tmp_path) as made:
        found = made.snapshots.find(ask.AWARENESS)
        assert found is not None
        assert found[1] >= EVERY
        assert made.state().key_results[ask.FOLLOWERS].check_in_count == 2 * EVERY


def test_another_writer_and_an_eviction_cost_no_more_than_the_rest(long: Path) -> None:
    with bench(long, states_kept=1) as made:
        made.does(ask.check_in(value="1"))
        made.check_in_past_the_lane(3)
        made.counting.read_records = 0
        made.does(ask.check_in(value="2"))
        assert made.counting.read_records <= 2 * BOUND
        assert made.state().version == made.log.read_stream(ask.AWARENESS)[-1].stream_version


@pytest.mark.contract
def test_on_postgres_two_servers_use_each_others(postgres_database: Database) -> None:
    with bench_on(postgres_database) as first, bench_on(postgres_database) as second:
        first.does(ask.cycle(), ask.team(), ask.objective(), ask.commit())
        first.check_in_past_the_lane(LONG)
        first.does(ask.check_in(value="1"))
        first.snapshots.close()
        second.does(ask.check_in(value="2"), ask.correct(1, "3"))
        assert second.counting.read_records <= BOUND
        # What the second wrote is a conflict to the first, which then decides anew.
        first.counting.read_records = 0
        first.does(ask.check_in(value="4"))
        assert first.counting.read_records <= BOUND
        assert first.state() == second.log_state()


def test_a_short_stream_has_none(tmp_path: Path) -> None:
    planned(tmp_path, world.SHORT)
    with bench(tmp_path) as made:
        made.does(ask.check_in(value="1"))
    assert not snapshots_file(tmp_path / "okr-ledger.db").exists()


def damage(folder: Path, statement: str, *given: Any) -> None:
    with closing(sqlite3.connect(snapshots_file(folder / "okr-ledger.db"))) as file, file:
        assert file.execute(statement, given).rowcount == 1


class OtherCode(Domain):
    def code(self) -> bytes:
        return b"another release"


def other_state(folder: Path) -> None:
    damage(folder, "UPDATE snapshots SET state = CAST(state || x'00' AS BLOB)")


def other_version(folder: Path) -> None:
    damage(folder, "UPDATE snapshots SET version = version - 1")


def no_database(folder: Path) -> None:
    for file in folder.glob("*.snapshots.db*"):
        file.write_bytes(b"not a database" * 1000)


def gone(folder: Path) -> None:
    for file in folder.glob("*.snapshots.db*"):
        file.unlink()


USELESS: list[tuple[Callable[[Path], None], str]] = [
    (other_state, "it is damaged"),
    (other_version, "it is damaged"),
    (no_database, "snapshots cannot be read"),
    (gone, ""),
]


@pytest.mark.parametrize(("spoil", "told"), USELESS)
def test_what_is_damaged_or_gone_is_told_of_and_made_anew(
    long: Path, spoil: Callable[[Path], None], told: str
) -> None:
    spoil(long)
    with capture_logs() as logs, bench(long) as made:
        made.does(ask.check_in(value="7"))
        assert made.counting.read_records > LONG
        made.state()
    assert told in " ".join(f"{entry['event']} {entry.get('reason', '')}" for entry in logs)
    assert bool(logs) == bool(told)
    with bench(long) as made:
        made.does(ask.check_in(value="8"))
        assert made.counting.read_records <= BOUND


def test_what_other_code_made_is_not_used(long: Path) -> None:
    with capture_logs() as logs, bench(long, codec=OtherCode()) as made:
        made.does(ask.check_in(value="7"))
        assert made.counting.read_records > LONG
        made.state()
    assert [entry["reason"] for entry in logs] == ["it is of other code or of another log"]


def test_what_is_of_another_log_is_not_used(long: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    planned(other, LONG)
    snapshots_file(other / "okr-ledger.db").write_bytes(
        snapshots_file(long / "okr-ledger.db").read_bytes()
    )
    with capture_logs() as logs, bench(other) as made:
        made.does(ask.check_in(value="7"))
        made.state()
    assert [entry["reason"] for entry in logs] == ["it is of other code or of another log"]


def test_what_is_ahead_of_a_log_from_a_backup_is_not_used(long: Path) -> None:
    file = long / "okr-ledger.db"
    backup = file.read_bytes()
    with bench(long) as made:
        made.does(*[ask.check_in(value=str(number)) for number in range(EVERY)])
    for rest in long.glob("okr-ledger.db*"):
        rest.unlink()
    file.write_bytes(backup)
    with capture_logs() as logs, bench(long) as made:
        made.does(ask.check_in(value="7"))
        made.state()
    assert [entry["reason"] for entry in logs] == ["the log has another record at its version"]


def test_a_full_disk_costs_nothing_but_the_snapshot(
    long: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(SnapshotFile, "_write", full)
    with capture_logs() as logs, bench(long) as made:
        made.does(*[ask.check_in(value=str(number)) for number in range(EVERY)])
        made.state()
    assert [entry["event"] for entry in logs] == ["snapshots cannot be written"]


def test_states_that_wait_are_bounded(long: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WAITING_AT_MOST", 1)
    monkeypatch.setattr(module, "GATHER_SECONDS", 60.0)
    with bench(long) as made:
        state = made.state()
        made.snapshots.offer(ask.AWARENESS, state, state.version)
        made.snapshots.offer("objectives/another", state, state.version)
        made.snapshots.offer(ask.AWARENESS, state, state.version)
        assert made.snapshots._waiting.keys() == {ask.AWARENESS}
