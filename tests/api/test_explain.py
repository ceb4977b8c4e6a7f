"""Every score's arithmetic, followed by a caller to the very score, down to the events."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, timedelta
from random import Random
from typing import Any, TypeAlias

import pytest
from google.protobuf.message import Message

from ledger.event import EVENT_TYPES
from ledger.scoring.policy import AS_STANDARD, PRESETS
from okr.v1 import audit_service_pb2 as audit
from okr.v1 import score_service_pb2 as scores
from okr.v1.explanation_pb2 import ScoreExplanation, ScoreKind, ScoreStep
from okr.v1.values_pb2 import AsOf, ScoringPolicy
from tests.api.story import CUSTOMERS, NEWSLETTER, REVENUE, Told, at, told
from tests.support.ask import (
    AWARENESS,
    FOLLOWERS,
    Q3,
    WHY,
    check_in,
    commit,
    cycle,
    day,
    new,
    objective,
    revise,
    team,
)
from tests.support.evaluator import evaluated
from tests.support.random_quarter import DAYS, FIRST, KEY_RESULTS, Quarter, any_policy, teams
from tests.support.serving import LoopThread
from tests.support.whole import Caller, whole_service

Op = ScoreStep.Operation
CURRENT = ScoreKind.SCORE_KIND_CURRENT
ORIGINAL = ScoreKind.SCORE_KIND_ORIGINAL
AS_JUDGED = ScoreKind.SCORE_KIND_AS_JUDGED
FIELDS = {CURRENT: "score", ORIGINAL: "original_score", AS_JUDGED: "as_judged_score"}

Kind: TypeAlias = ScoreKind.ValueType


@pytest.fixture(scope="module")
def story(loop: LoopThread, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    with whole_service(loop, tmp_path_factory.mktemp("story")) as me:
        yield told(me)


@pytest.fixture(scope="module")
def company(loop: LoopThread, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Caller]:
    with whole_service(loop, tmp_path_factory.mktemp("company")) as me:
        teams(me)
        yield me


def explained(
    me: Caller, name: str, kind: Kind = CURRENT, as_of: AsOf | None = None, cycle: str = ""
) -> ScoreExplanation:
    request = scores.ExplainScoreRequest(name=name, cycle=cycle, kind=kind, as_of=as_of)
    explanation: ScoreExplanation = me.ask(request).explanation
    return explanation


def lines(card: Any) -> Iterator[tuple[str, str, Any]]:
    """Every line of a scorecard that has scores: its name, its cycle if it is a team's, itself."""
    yield card.cycle.name, "", card
    for line in card.teams:
        yield line.team.name, card.cycle.name, line
    for block in card.objectives:
        yield block.objective.name, "", block
        for key_result in block.key_results:
            yield key_result.key_result.name, "", key_result


def all_explained(me: Caller, cycle: str, as_of: AsOf) -> Iterator[ScoreExplanation]:
    """Every explanation of a scorecard, each of which has led to the scorecard's figure."""
    card = me.ask(scores.GetScorecardRequest(cycle=cycle, as_of=as_of)).scorecard
    for name, of_cycle, line in lines(card):
        for kind, field in FIELDS.items():
            told = explained(me, name, kind, as_of, of_cycle)
            number = evaluated(told)
            shown = getattr(line, field) if line.HasField(field) else None
            assert (None if number is None else format(number.normalize(), "f")) == shown, name
            assert (told.score if told.HasField("score") else None) == shown
            assert told.effective_at == card.effective_at
            yield told


def facts_by_position(me: Caller) -> dict[int, Message]:
    found: dict[int, Message] = {}
    while True:
        request = audit.ListEventsRequest(after_position=len(found), page_size=1000)
        events = me.ask(request).events
        if not events:
            return found
        for event in events:
            kind = EVENT_TYPES[event.header.event_type]
            found[event.header.position] = kind.FromString(event.payload)


def recorded(fact: Any, path: str) -> Any:
    """What an event's payload holds at a path such as "definition.milestones[0].weight"."""
    for name, index in re.findall(r"(\w+)(?:\[(\d+)\])?", path):
        fact = getattr(fact, name)
        fact = fact[int(index)] if index else fact
    return fact


def check_leaves(explanation: ScoreExplanation, facts: dict[int, Message]) -> int:
    """Every leaf's event holds what the leaf says; how many leaves name one."""
    leaves = [step for step in explanation.steps if step.event_position]
    for step in leaves:
        if step.operation == Op.OPERATION_NOTHING:
            continue
        said = recorded(facts[step.event_position], step.field)
        if step.operation == Op.OPERATION_FACT:
            assert said == step.value, step
        elif step.field.endswith("completed"):
            assert ", ".join(said.ids) == step.text
        else:
            enum = ScoringPolicy.DESCRIPTOR.fields_by_name[step.field.rpartition(".")[2]].enum_type
            assert enum is not None
            assert enum.values_by_number[said].name.endswith(f"_{step.text}")
    for step in explanation.steps:
        if step.operation in (Op.OPERATION_FACT, Op.OPERATION_CHOICE):
            assert step.event_position, step
    return len(leaves)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_any_score_of_any_history_can_be_followed(company: Caller, seed: int) -> None:
    chance = Random(seed)
    quarter = Quarter(company, chance, f"q-{seed}", any_policy(chance))
    start = company.head()
    quarter.told(90)
    facts = facts_by_position(company)
    for _ in range(2):
        position = chance.randint((start + company.head()) // 2, company.head())
        on = FIRST + timedelta(days=chance.randrange(DAYS))
        as_of = AsOf(position=position, effective_at=day(on.isoformat()))
        checked = [
            check_leaves(each, facts) for each in all_explained(company, quarter.cycle, as_of)
        ]
        assert sum(checked) > 100
        check_teams(company, quarter.cycle, as_of)


def check_teams(me: Caller, cycle: str, as_of: AsOf) -> None:
    """Whatever is asked for, a score is the same: a team's own scorecard and the cycle's agree."""
    whole = me.ask(scores.GetScorecardRequest(cycle=cycle, as_of=as_of)).scorecard
    objectives = {line.objective.name: line for line in whole.objectives}
    for line in whole.teams:
        request = scores.GetScorecardRequest(cycle=cycle, team=line.team.name, as_of=as_of)
        own = me.ask(request).scorecard
        assert {field: getattr(own, field) for field in FIELDS.values()} == {
            field: getattr(line, field) for field in FIELDS.values()
        }
        for each in own.objectives:
            assert each == objectives[each.objective.name]


@pytest.mark.slow
@pytest.mark.parametrize("preset", sorted(set(PRESETS) - set(AS_STANDARD)))
def test_any_score_under_any_preset_can_be_followed(company: Caller, preset: str) -> None:
    chance = Random(preset)
    quarter = Quarter(company, chance, f"p-{preset}", ScoringPolicy(name=preset))
    quarter.told(25)
    last = AsOf(position=company.head(), effective_at=day(date(2024, 9, 30).isoformat()))
    assert sum(1 for _ in all_explained(company, quarter.cycle, last)) > 50


def told_in_words(explanation: ScoreExplanation) -> list[str]:
    """One line a step that calculates, as "label = value of a, b"."""

    def words(step: ScoreStep) -> str:
        inputs = ", ".join(explanation.steps[i].value for i in step.inputs)
        name = Op.Name(step.operation).removeprefix("OPERATION_")
        return f"{step.label} = {step.value} = {name} {inputs}"

    return [words(step) for step in explanation.steps if step.inputs]


def test_a_key_results_working_is_the_one_of_the_book(story: Told) -> None:
    told = explained(story.me, FOLLOWERS, CURRENT, at(0, "2024-08-20"))
    assert told_in_words(told) == [
        "way made = 90 = SUBTRACT 1090, 1000",
        "way to the target = 150 = SUBTRACT 1150, 1000",
        "attainment = 0.6 = DIVIDE 90, 150",
        "within the scale = 0.6 = CLAMP 0.6, 0, 1",
        "score = 0.6 = ROUND 0.6",
    ]
    where = {s.label: (s.event_position, s.field) for s in told.steps if s.event_position}
    assert where["target"] == (story.revised, "after.target")
    assert where["value"] == (story.revised - 1, "measurement.value")
    assert where["policy: clamp"] == (1, "definition.policy.clamp")
    baseline = story.me.ask(audit.GetEventRequest(name=f"events/{where['baseline'][0]}")).event
    assert baseline.header.event_type == "okr.v1.KeyResultAdded"


def test_a_corrected_check_in_is_explained_by_its_correction(story: Told) -> None:
    told = explained(story.me, FOLLOWERS, CURRENT, at(0, "2024-07-25"))
    (value,) = [step for step in told.steps if step.label == "value"]
    assert (value.value, value.event_position) == ("1110", story.corrected)
    before = explained(story.me, FOLLOWERS, CURRENT, at(story.late, "2024-07-25"))
    (value,) = [step for step in before.steps if step.label == "value"]
    assert (value.value, value.event_position) == ("1100", story.week_3)


def test_the_three_scores_stand_on_three_targets(story: Told) -> None:
    targets = {
        kind: [s.value for s in explained(story.me, FOLLOWERS, kind).steps if s.label == "target"]
        for kind in FIELDS
    }
    assert targets == {CURRENT: ["1150"], ORIGINAL: ["1200"], AS_JUDGED: ["1100"]}


def test_an_alignments_weight_names_the_event_that_aligned(story: Told) -> None:
    told = explained(story.me, REVENUE)
    (weight,) = [step for step in told.steps if step.label == "weight of the alignment"]
    event = story.me.ask(audit.GetEventRequest(name=f"events/{weight.event_position}")).event
    assert event.header.event_type == "okr.v1.Aligned"
    subjects = {step.subject for step in told.steps}
    assert {REVENUE, CUSTOMERS, AWARENESS, FOLLOWERS} <= subjects


def test_what_has_no_score_says_why(story: Told) -> None:
    later = explained(story.me, NEWSLETTER, ORIGINAL)
    assert not later.HasField("score")
    assert [step.label for step in later.steps] == ["added after plan commitment"]
    unmeasured = explained(story.me, NEWSLETTER)
    assert not unmeasured.HasField("score")
    assert "no check-in yet" in [step.label for step in unmeasured.steps]


def test_all_periods_are_judged_though_the_definition_keeps_no_bound_any_more(me: Caller) -> None:
    kept = f"{AWARENESS}/keyResults/kept"
    me.all_of(
        *(team(), cycle(first="2024-07-01", last="2024-09-30", policy={"name": "servicenow"})),
        objective("awareness", new("kept", **KEY_RESULTS["most"])),
        *(commit(), check_in(kept, "3", on="2024-07-02"), check_in(kept, "3", on="2024-07-09")),
        revise(
            kept,
            mask=("direction", "upper_bound", "baseline", "target"),
            direction="DIRECTION_INCREASE",
            baseline="0",
            target="12",
            on="2024-07-15",
            because=WHY,
        ),
    )
    as_of = AsOf(effective_at=day("2024-07-15"))
    scores_ = [explained(me, kept, kind, as_of).score for kind in (CURRENT, ORIGINAL, AS_JUDGED)]
    assert scores_ == ["0.25", "1", "1"]


def test_without_a_kind_the_current_score_is_explained(story: Told) -> None:
    assert explained(story.me, Q3, ScoreKind.SCORE_KIND_UNSPECIFIED) == explained(story.me, Q3)
