"""A slow fold over the raw events agrees with every read, whenever and whatever is asked.

More of it: OKR_MODEL_SEEDS=1,2,3 OKR_MODEL_EVENTS=5000 OKR_MODEL_ROUNDS=50 pytest tests/model
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from random import Random
from typing import Any, Final

import pytest
from google.protobuf.message import Message

from ledger import key_results, span
from ledger.causes import parts_of
from ledger.key_results import key_result_of
from ledger.scoring.attribution import Cause
from ledger.scoring.policy import PRESETS
from okr.v1 import audit_service_pb2 as audit
from okr.v1 import events_pb2 as events
from okr.v1 import replay_service_pb2 as replay
from okr.v1 import score_service_pb2 as scores
from projections import board
from projections.known_check_ins import in_force
from projections.source import Tables
from tests.model.boxes import Clock
from tests.model.comparison import Comparison
from tests.model.known import Known, given, raw_events
from tests.model.reads import ANSWERS
from tests.model.records import computed, corrected, depending, sealed, was
from tests.model.writing import writing
from tests.model.year import Year
from tests.support.serving import shared_loop
from tests.support.whole import request_types, whole_service

READS: Final = ("okr.v1.ScoreService", "okr.v1.AuditService", "okr.v1.ReplayService")
EVENTS: Final = int(os.environ.get("OKR_MODEL_EVENTS", "2000"))
ROUNDS: Final = int(os.environ.get("OKR_MODEL_ROUNDS", "10"))
SEEDS: Final = [int(seed) for seed in os.environ.get("OKR_MODEL_SEEDS", "1").split(",")]
LEFT_OUT: Final = {
    "ListScoreChanges": "asked for with AttributeScore",
    "GetPolicy": "follows from no event",
    "ListPolicies": "follows from no event",
    # Of hashes and signatures, which tests/api/test_proofs.py holds against the stored bytes.
    "GetCheckpoint": "tests/api/test_proofs.py",
    "GetInclusionProof": "tests/api/test_proofs.py",
    "GetConsistencyProof": "tests/api/test_proofs.py",
    # Of people, whose names no other read shows.
    "GetPerson": "tests/api/test_erasure.py",
    "ListPeople": "tests/api/test_erasure.py",
    # Streams of what is compared, and a summary of it.
    "WatchEvents": "tests/system/test_watch.py",
    "WatchScores": "tests/api/test_watch_scores.py",
    "GetRetrospective": "tests/projections/test_retrospective.py",
}
OF_PEOPLE: Final = {"PersonRegistered", "PersonErased"}
"""What no request makes yet."""
EVERY: Final[tuple[type[Message], ...]] = (
    *ANSWERS,
    scores.ExplainScoreRequest,
    audit.AttributeScoreRequest,
    audit.ComparePlansRequest,
    replay.ReplayCycleRequest,
)


@pytest.fixture(scope="module", params=SEEDS)
def compared(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, each_database: str
) -> Iterator[Comparison]:
    """A random year of at least 2 000 events, and what asks about it."""
    folder, clock, seed = tmp_path_factory.mktemp("year"), Clock(), request.param
    with writing(folder, clock) as writer:
        Year(clock, Random(seed), writer).told(EVENTS)
    with whole_service(shared_loop(), folder, clock=clock) as me:
        facts = raw_events(me)
        assert len(facts) >= EVENTS
        yield Comparison(me, facts, Random(seed), clock)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_every_read_agrees_with_the_model(compared: Comparison) -> None:
    compared.run(EVERY, ROUNDS)
    assert compared.answered > ROUNDS * len(EVERY) / 2


def test_every_read_is_compared_or_left_out_for_a_reason() -> None:
    compared = {kind.DESCRIPTOR.name.removesuffix("Request") for kind in EVERY}
    there = {name for service in READS for name in request_types(service)}
    assert compared | LEFT_OUT.keys() == there
    assert not compared & LEFT_OUT.keys()


@pytest.mark.slow
def test_what_events_say_was_so_and_comes_of_it_is_what_the_model_says(
    compared: Comparison,
) -> None:
    for fact in compared.facts:
        told, before = fact.payload, Known(compared.facts[: fact.position - 1])
        if fact.kind == "CycleSealed":
            assert told == sealed(fact, Known(compared.facts[: told.closing_position]))
        elif fact.kind in ("ObjectiveGraded", "ObjectiveRegraded"):
            assert given(told, "computed_score") == computed(fact, before)
        elif fact.kind == "CheckInCorrected":
            said = {field.name: value for field, value in told.ListFields()}
            assert {n: v for n, v in said.items() if n.endswith("_before")} == corrected(
                fact, before
            )
        if hasattr(told, "changed"):
            assert told.before == was(fact, before)
        if hasattr(told, "dependants"):
            assert list(told.dependants) == depending(fact, before)


@pytest.mark.slow
def test_a_year_holds_every_kind_of_event_and_every_policy(compared: Comparison) -> None:
    kinds = {fact.kind for fact in compared.facts}
    assert kinds | OF_PEOPLE == {*events.DESCRIPTOR.message_types_by_name}
    drafted = [fact.payload.definition for fact in compared.facts if fact.kind == "CycleDrafted"]
    revised = [fact.payload.after for fact in compared.facts if fact.kind == "CycleRevised"]
    assert {*PRESETS} <= {definition.policy.name for definition in (*drafted, *revised)}


IN_SCORECARDS: Final = scores.GetScorecardRequest
FAULTS: Final[dict[str, tuple[Any, str, Any, type[Message]]]] = {
    "the original plan follows the revisions": (
        board,
        "_planned_definition",
        lambda name, known, _: (found := key_result_of(name, known)) and found.definition,
        IN_SCORECARDS,
    ),
    "a check-in is judged by the definition of now": (
        board,
        "_judged",
        lambda *_: None,
        IN_SCORECARDS,
    ),
    "the latest entry wins, whatever its day": (
        key_results,
        "in_order",
        lambda revisions, day: [r for r in revisions if r.effective <= day],
        IN_SCORECARDS,
    ),
    "the newest check-in counts, whatever day is asked about": (
        Tables,
        "last_check_ins",
        lambda self, names, known, _: in_force(self.connection, names, known, board.LAST_DAY),
        IN_SCORECARDS,
    ),
    "corrections are told as progress": (
        span,
        "parts_of",
        lambda fact: [(Cause.PROGRESS, part) for _, part in parts_of(fact)],
        audit.AttributeScoreRequest,
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_in_a_read_is_found(
    compared: Comparison, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    module, name, wrong, kind = FAULTS[fault]
    monkeypatch.setattr(module, name, wrong)
    with pytest.raises(AssertionError):
        compared.run([kind], 100)
