"""A generated ledger is one that the service would have written."""

from __future__ import annotations

from collections import Counter
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from benchmarks.generate import generate
from benchmarks.organisation import Habits
from ledger.context import Context
from ledger.decisions import decide
from ledger.event import Record, fact_of
from ledger.log.database import Database
from ledger.log.opening import open_log
from ledger.values import recorded_day
from okr.v1 import ledger_service_pb2 as api
from okr.v1.event_record_pb2 import EventMetadata
from okr.v1.events_pb2 import CheckInRecorded
from okr.v1.score_service_pb2 import GetScorecardRequest
from service.verification.walk import faults
from tests.support.scenario import Scenario
from tests.support.serving import shared_loop
from tests.support.whole import whole_service

EVENTS = 800
LAST_YEAR = date.today().year - 1  # noqa: DTZ011 - any day of the year will do
HABITS = Habits(fed=0.01, late=0.3, corrected=0.1, retracted=0.05, adjusting=1.0, graded=0.5)


def database(folder: Path) -> Database:
    return Database(f"sqlite:///{folder / 'okr-ledger.db'}")


def generated(folder: Path, seed: int = 7, events: int = EVENTS) -> list[Record]:
    folder.mkdir(exist_ok=True)
    told: list[int] = []
    where = database(folder)
    generate(where, events, seed, habits=HABITS, teams=3, on_events=told.append)
    assert told == sorted(told)
    with closing(open_log(where, read_only=True)) as log:
        assert list(faults(log)) == []
        return log.read(0, 2 * events)


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> list[Record]:
    return generated(tmp_path_factory.mktemp("generated"))


def test_it_has_what_a_ledger_has(records: list[Record]) -> None:
    assert EVENTS <= len(records) < EVENTS + 50
    counted = Counter(record.event_type.removeprefix("okr.v1.") for record in records)
    assert counted.keys() >= {
        *("TeamRegistered", "CycleDrafted", "ObjectiveCreated", "KeyResultAdded", "Aligned"),
        *("PlanCommitted", "CheckInRecorded", "CheckInCorrected", "CheckInRetracted"),
        *("StrategyAdjusted", "KeyResultRevised", "KeyResultDropped", "ObjectiveGraded"),
    }
    assert counted["CheckInRecorded"] > EVENTS / 2


def test_a_seed_makes_one_ledger(records: list[Record], tmp_path: Path) -> None:
    assert generated(tmp_path / "same") == records
    assert generated(tmp_path / "other", seed=8) != records


def test_its_check_ins_are_what_the_service_would_have_written(records: list[Record]) -> None:
    """Each one is asked for again, of the ledger that it came to, and decided to the same bytes."""
    scenario = Scenario()
    late = 0
    for record in records:
        fact, metadata = fact_of(record), EventMetadata.FromString(record.metadata)
        if isinstance(fact, CheckInRecorded):
            request = api.RecordCheckInRequest(
                parent=fact.key_result,
                measurement=fact.measurement,
                note=fact.note.plain,
                effective_date=metadata.effective_date,
            )
            if fact.HasField("instant"):
                request.instant.CopyFrom(fact.instant)
            if fact.HasField("confidence"):
                request.confidence = fact.confidence
            actor = metadata.actor.plain
            context = Context(record.recorded_us, actor, "", "", str, lambda: 0)
            decision = decide(scenario.view(), request, context)
            (event,) = decision.events
            assert event.stream == record.stream
            assert event.fact.SerializeToString() == record.payload
            assert decision.metadata.SerializeToString() == record.metadata
            recorded = datetime.fromtimestamp(record.recorded_us / 1e6, UTC).date()
            late += recorded_day(metadata.effective_date) < recorded
        scenario.append(record, fact, metadata)
    assert late > EVENTS / 20


def test_every_scorecard_of_it_is_served(tmp_path: Path) -> None:
    records = generated(tmp_path)
    cycles = [r.stream for r in records if r.event_type == "okr.v1.PlanCommitted"]
    assert len(cycles) > 1
    with whole_service(shared_loop(), tmp_path) as caller:
        for cycle in cycles:
            scorecard = caller.ask(GetScorecardRequest(cycle=cycle)).scorecard
            assert scorecard.score
            assert len(scorecard.objectives) >= 6


def test_more_events_than_time_is_refused(tmp_path: Path) -> None:
    quiet = Habits(fed=0, late=0)
    with pytest.raises(ValueError, match="too small"):
        generate(database(tmp_path), 10**9, 1, habits=quiet, teams=1, first_year=LAST_YEAR)
    with pytest.raises(ValueError, match="has events already"):
        generate(database(tmp_path), 10, 1)


@pytest.mark.contract
def test_on_postgres_the_same_ledger_is_made(
    records: list[Record], postgres_database: Database
) -> None:
    generate(postgres_database, EVENTS, 7, habits=HABITS, teams=3)
    with closing(open_log(postgres_database, read_only=True)) as log:
        assert log.read(0, 2 * EVENTS) == records
