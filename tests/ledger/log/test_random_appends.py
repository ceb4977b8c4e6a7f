"""Both logs against a model of a log, under random appends, restarts and failures."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any, ClassVar, LiteralString

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)

from ledger.log.contract import (
    Accepted,
    Append,
    Conflict,
    Head,
    Outcome,
    Repeated,
    request_key,
)
from ledger.log.database import Database
from ledger.log.errors import LogUnavailable
from ledger.log.opening import open_log
from tests.contract.builders import event
from tools.postgres import Postgres

STREAMS = ["teams/a", "teams/b", "cycles/q4"]
Step = tuple[list[str], dict[str, int], str]

STEPS = st.lists(
    st.tuples(
        st.lists(st.sampled_from(STREAMS), min_size=1, max_size=3),
        # How far each guard is from the newest version.
        st.fixed_dictionaries({s: st.sampled_from([0, 0, 0, 0, 1, -1]) for s in STREAMS}),
        st.sampled_from(["", "", "r1", "r2", "r3", "r4"]),
    ),
    min_size=1,
    max_size=5,
)


class Model:
    """The log in a few lines: streams of positions, and requests."""

    def __init__(self) -> None:
        self.events: list[tuple[int, str, int, int]] = []
        self.versions = dict.fromkeys(STREAMS, 0)
        self.requests: dict[bytes, Repeated] = {}
        self.time = 0

    def append(self, batch: list[Append], recorded_us: int) -> list[Outcome]:
        outcomes: list[Outcome] = []
        spoilt: set[str] = set()
        now = max(self.time, recorded_us)
        for each in batch:
            request = each.request.digest if each.request else b""
            written = [e.stream for e in each.events]
            if request in self.requests:
                outcomes.append(self.requests[request])
                spoilt.update(written)
                continue
            stale = [s for s, v in each.guards.items() if self.versions[s] != v or s in spoilt]
            if stale:
                outcomes.append(Conflict(stale[0]))
                spoilt.update(written)
                continue
            first = len(self.events) + 1
            for stream in written:
                self.versions[stream] += 1
                row = (len(self.events) + 1, stream, self.versions[stream], now)
                self.events.append(row)
            self.time = now
            if request:
                self.requests[request] = Repeated(first, len(self.events), b"h")
            outcomes.append(Accepted(first, len(self.events), now))
        return outcomes


class RandomAppends(RuleBasedStateMachine):
    """Appends, fails and restarts; nothing can be written between `make_fault` and `end_fault`."""

    make_fault: ClassVar[LiteralString]
    end_fault: ClassVar[LiteralString]

    def __init__(self) -> None:
        super().__init__()
        self.database = self.new_database()
        self.log: Any = open_log(self.database)
        self.model = Model()

    def new_database(self) -> Database:
        raise NotImplementedError

    def change(self, statement: LiteralString) -> None:
        raise NotImplementedError

    def batch(self, steps: list[Step]) -> list[Append]:
        versions = dict(self.model.versions)
        batch = []
        for streams, off, request in steps:
            key = request_key("services/metrics", request, b"h") if request else None
            guards = {s: max(0, versions[s] + off[s]) for s in STREAMS}
            batch.append(Append([event(stream) for stream in streams], guards, key))
            if not any(off.values()):
                for stream in streams:
                    versions[stream] += 1
        return batch

    @rule(steps=STEPS, recorded_us=st.integers(0, 1_000))
    def append(self, steps: list[Step], recorded_us: int) -> None:
        batch = self.batch(steps)
        expected = self.model.append(batch, recorded_us)
        assert self.log.append_batch(batch, recorded_us) == expected

    @rule(steps=STEPS)
    def fail(self, steps: list[Step]) -> None:
        self.change(self.make_fault)
        try:
            outcomes = self.log.append_batch(self.batch(steps), 0)
            assert not any(isinstance(outcome, Accepted) for outcome in outcomes)
        except LogUnavailable:
            pass
        self.change(self.end_fault)

    @rule()
    def restart(self) -> None:
        self.log.close()
        self.log = open_log(self.database)

    @rule(recorded_us=st.integers(0, 1_001))
    def position_at(self, recorded_us: int) -> None:
        at_or_before = [p for p, _, _, time in self.model.events if time <= recorded_us]
        assert self.log.position_at(recorded_us) == max(at_or_before, default=0)

    @invariant()
    def same_as_the_model(self) -> None:
        records = self.log.read(0, 100_000)
        rows = [(r.position, r.stream, r.stream_version, r.recorded_us) for r in records]
        assert rows == self.model.events
        assert self.log.head() == Head(len(rows), rows[-1][3] if rows else 0)
        for stream in STREAMS:
            expected = [record for record in records if record.stream == stream]
            assert self.log.read_stream(stream) == expected
        keys = [request_key("services/metrics", f"r{n}", b"") for n in range(1, 5)]
        assert self.log.find_requests(keys) == [self.model.requests.get(key.digest) for key in keys]

    def teardown(self) -> None:
        self.log.close()


class OnSQLite(RandomAppends):
    make_fault = "CREATE TRIGGER fault BEFORE INSERT ON events BEGIN SELECT RAISE(FAIL, ''); END"
    end_fault = "DROP TRIGGER fault"

    def new_database(self) -> Database:
        self.folder = Path(tempfile.mkdtemp())
        return Database(f"sqlite:///{self.folder / 'okr-ledger.db'}")

    def change(self, statement: LiteralString) -> None:
        with self.log.datastore.raw("set", writes=True) as connection:
            connection.execute(statement)

    def teardown(self) -> None:
        super().teardown()
        shutil.rmtree(self.folder)


class OnPostgres(RandomAppends):
    make_fault = (
        "CREATE TRIGGER fault BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION refuse_change()"
    )
    end_fault = "DROP TRIGGER fault ON events"
    server: ClassVar[Postgres]
    numbers: ClassVar[Iterator[int]] = count(1)

    def new_database(self) -> Database:
        return Database(self.server.url(), schema=f"okr_random_{next(self.numbers)}")

    def change(self, statement: LiteralString) -> None:
        with self.log.datastore.writing("set") as connection:
            connection.execute(statement)


SETTINGS = settings(max_examples=25, stateful_step_count=20, deadline=None)
TestOnSQLite = pytest.mark.slow(OnSQLite.TestCase)
TestOnSQLite.settings = SETTINGS


@pytest.mark.slow
@pytest.mark.contract
def test_on_postgresql(postgres: Postgres) -> None:
    OnPostgres.server = postgres
    run_state_machine_as_test(OnPostgres, settings=SETTINGS)
