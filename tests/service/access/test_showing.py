"""What is left of messages when some objectives are hidden."""

from __future__ import annotations

from google.protobuf.message import Message

from okr.v1 import events_pb2 as facts
from okr.v1 import plan_comparison_pb2 as plans
from okr.v1 import replay_service_pb2 as replay
from okr.v1 import resources_pb2 as resources
from okr.v1 import retrospective_pb2 as back
from okr.v1 import score_service_pb2 as scores
from okr.v1.event_record_pb2 import Event, EventHeader, EventMetadata
from okr.v1.explanation_pb2 import ScoreExplanation, ScoreStep
from okr.v1.ledger_service_pb2 import (
    CreateObjectiveRequest,
    DropKeyResultRequest,
    StrategyChange,
)
from okr.v1.values_pb2 import FinalScore
from service.access.showing import Left, pruned
from tests.support.evaluator import evaluated

SECRET = "objectives/secret"
SECRET_KR = "objectives/secret/keyResults/k"
OPEN = "objectives/open"
OPEN_KR = "objectives/open/keyResults/k"
UNDONE = "adjustments/undone"

Foreseen = facts.AdjustmentProposed.Foreseen
Kind = ScoreStep.Operation


def hidden(name: str) -> bool:
    return name in (UNDONE, SECRET) or name.startswith(f"{SECRET}/")


def left(message: Message) -> Left:
    found = pruned(message, hidden)
    if found is not Left.NOTHING:
        assert b"secret" not in message.SerializeToString()
    return found


def event(fact: Message, stream: str, metadata: EventMetadata | None = None) -> Event:
    stored = metadata or EventMetadata()
    shown = Event(
        name="events/1",
        header=EventHeader(stream=stream, event_type=fact.DESCRIPTOR.full_name),
        metadata=stored.SerializeToString(),
        payload=fact.SerializeToString(),
        decoded_metadata=stored,
    )
    shown.decoded_payload.Pack(fact)
    return shown


def test_a_message_without_anything_hidden_stays_as_it_is() -> None:
    card = resources.Scorecard(
        objectives=[resources.ObjectiveScore(objective=resources.Objective(name=OPEN))]
    )
    before = card.SerializeToString()

    assert left(card) is Left.ALL
    assert card.SerializeToString() == before


def test_a_scorecard_keeps_its_numbers_and_loses_hidden_lines() -> None:
    card = resources.Scorecard(
        score="0.5",
        teams=[resources.TeamScore(score="0.5", objective_count=2)],
        objectives=[
            resources.ObjectiveScore(
                objective=resources.Objective(name=SECRET), key_results=[_line(SECRET_KR)]
            ),
            resources.ObjectiveScore(
                objective=resources.Objective(name=OPEN),
                key_results=[_line(OPEN_KR)],
                children=[resources.ChildScore(name=SECRET_KR), resources.ChildScore(name="x")],
            ),
        ],
        seal=resources.Seal(objective_scores=[FinalScore(name=SECRET)]),
        amendments=[resources.Amendment(subject=SECRET_KR), resources.Amendment()],
    )

    assert left(card) is Left.PART

    (line,) = card.objectives
    assert line.objective.name == OPEN
    assert [child.name for child in line.children] == ["x"]
    assert (card.score, card.teams[0].objective_count) == ("0.5", 2)
    assert not card.seal.objective_scores
    assert len(card.amendments) == 1


def test_an_answer_about_something_hidden_is_nothing() -> None:
    for answer in (
        scores.GetObjectiveResponse(objective=resources.Objective(name=SECRET)),
        scores.GetKeyResultResponse(key_result=_line(SECRET_KR)),
        scores.GetLessonResponse(lesson=resources.Lesson(subject=SECRET_KR)),
        scores.GetCheckInResponse(check_in=resources.CheckIn(name=f"{SECRET_KR}/checkIns/1")),
        scores.GetAlignmentResponse(alignment=resources.Alignment(child=OPEN, parent=SECRET)),
    ):
        assert left(answer) is Left.NOTHING


def test_what_is_mentioned_goes_and_what_mentions_it_stays() -> None:
    key_result = resources.KeyResult(
        name=OPEN_KR,
        continued_from=SECRET_KR,
        continued_by=[SECRET_KR, "objectives/o/keyResults/k"],
    )
    assert left(key_result) is Left.PART
    assert key_result.continued_from == ""
    assert list(key_result.continued_by) == ["objectives/o/keyResults/k"]

    review = resources.Review(name="reviews/r", adjustments=[UNDONE, "adjustments/done"])
    assert left(review) is Left.PART
    assert list(review.adjustments) == ["adjustments/done"]


def test_an_adjustment_shows_what_it_changed_of_the_rest() -> None:
    adjustment = resources.Adjustment(
        name="adjustments/done",
        changes=[
            resources.AdjustmentChange(subject=SECRET_KR),
            resources.AdjustmentChange(subject=OPEN_KR, dependants=[SECRET, OPEN]),
            # An alignment to something hidden is about that too.
            resources.AdjustmentChange(
                subject=OPEN, alignment=resources.Alignment(child=OPEN, parent=SECRET)
            ),
        ],
        effects=[resources.ScoreEffect(name=SECRET_KR), resources.ScoreEffect(name="teams/t")],
    )

    assert left(adjustment) is Left.PART
    (change,) = adjustment.changes
    assert list(change.dependants) == [OPEN]
    assert [effect.name for effect in adjustment.effects] == ["teams/t"]
    assert left(resources.Adjustment(name=UNDONE)) is Left.NOTHING


def test_events_about_something_hidden_are_dropped() -> None:
    for fact, stream in (
        (facts.KeyResultDropped(key_result=SECRET_KR), SECRET),
        (facts.Aligned(child=OPEN, parent=SECRET), "alignment"),
        (facts.Aligned(child=SECRET_KR, parent=OPEN), "alignment"),
        (facts.LessonRecorded(subject=SECRET), "cycles/c"),
        (facts.StrategyAdjusted(adjustment=UNDONE, subjects=[SECRET]), UNDONE),
    ):
        assert left(event(fact, stream)) is Left.NOTHING


def test_an_event_that_mentions_something_hidden_goes_without_its_bytes() -> None:
    shown = event(facts.KeyResultDropped(key_result=OPEN_KR, dependants=[SECRET, OPEN]), OPEN)
    metadata = shown.metadata

    assert left(shown) is Left.PART

    decoded = facts.KeyResultDropped()
    assert shown.decoded_payload.Unpack(decoded)
    assert list(decoded.dependants) == [OPEN]
    assert (shown.payload, shown.metadata) == (b"", metadata)


def test_metadata_that_mention_something_hidden_go_too() -> None:
    metadata = EventMetadata(request_id="r", adjustment=UNDONE)
    shown = event(facts.TeamRetired(team="teams/t"), "teams/t", metadata)

    assert left(shown) is Left.PART
    assert shown.metadata == b""
    assert shown.decoded_metadata == EventMetadata(request_id="r")
    assert shown.payload


def test_an_event_that_this_version_does_not_know_is_dropped() -> None:
    shown = event(facts.TeamRetired(team="teams/t"), "teams/t")
    shown.header.event_type = "okr.v1.Newer"

    assert pruned(shown, hidden) is Left.NOTHING


def test_a_proposal_is_shown_without_what_it_asks_of_hidden_things() -> None:
    proposed = facts.AdjustmentProposed(
        adjustment="adjustments/done",
        changes=[
            StrategyChange(drop_key_result=DropKeyResultRequest(name=SECRET_KR)),
            StrategyChange(drop_key_result=DropKeyResultRequest(name=OPEN_KR)),
            StrategyChange(create_objective=CreateObjectiveRequest(objective_id="secret")),
        ],
        foreseen=[
            Foreseen(key_result_dropped=facts.KeyResultDropped(key_result=SECRET_KR)),
            Foreseen(key_result_dropped=facts.KeyResultDropped(key_result=OPEN_KR)),
            Foreseen(objective_created=facts.ObjectiveCreated(objective=SECRET)),
        ],
    )

    assert left(proposed) is Left.PART
    assert [c.drop_key_result.name for c in proposed.changes] == [OPEN_KR]
    assert len(proposed.foreseen) == 1


def test_a_movement_by_a_hidden_alignment_is_not_told() -> None:
    attribution = resources.ScoreAttribution(
        subject=OPEN,
        parts=[resources.ScorePart(difference="0.1", movement_count=2)],
        movements=[
            resources.ScoreMovement(about=f"{SECRET_KR}/checkIns/3"),
            resources.ScoreMovement(
                about=OPEN,
                change=resources.AdjustmentChange(
                    subject=OPEN, alignment=resources.Alignment(child=OPEN, parent=SECRET)
                ),
            ),
            resources.ScoreMovement(about=OPEN_KR),
        ],
    )

    assert left(attribution) is Left.PART
    assert [m.about for m in attribution.movements] == [OPEN_KR]
    assert attribution.parts[0].difference == "0.1"


def test_what_only_a_hidden_change_put_on_the_attention_list_is_not_on_it() -> None:
    changed = resources.DeviationFinding(subject=SECRET_KR, reason="because")
    silent = resources.DeviationFinding(kind=resources.DEVIATION_KIND_STALE)
    listed = scores.ListDeviationsResponse(
        deviations=[
            resources.Deviation(name=OPEN, findings=[changed]),
            resources.Deviation(
                name=OPEN_KR,
                findings=[silent, changed],
                dependants=[resources.Dependant(name=SECRET), resources.Dependant(name=OPEN)],
            ),
        ]
    )

    assert left(listed) is Left.PART
    (deviation,) = listed.deviations
    assert list(deviation.findings) == [silent]
    assert [each.name for each in deviation.dependants] == [OPEN]


def test_two_plans_differ_in_what_is_shown() -> None:
    realigned, redefined = (
        plans.PLAN_CHANGE_KIND_REALIGNED,
        plans.PLAN_CHANGE_KIND_REDEFINED,
    )
    comparison = plans.PlanComparison(
        changes=[
            plans.PlanChange(subject=SECRET, kind=redefined),
            plans.PlanChange(subject=SECRET_KR, kind=plans.PLAN_CHANGE_KIND_DROPPED),
            plans.PlanChange(subject=OPEN, kind=redefined),
            plans.PlanChange(
                subject=OPEN,
                kind=realigned,
                alignments_after=[resources.Alignment(child=OPEN, parent=SECRET)],
            ),
            plans.PlanChange(subject=OPEN_KR, kind=redefined),
        ],
        totals=[
            plans.PlanChangeTotal(kind=plans.PLAN_CHANGE_KIND_DROPPED, key_results=1),
            plans.PlanChangeTotal(kind=realigned, objectives=1),
            plans.PlanChangeTotal(kind=redefined, objectives=2, key_results=1),
        ],
    )

    assert left(comparison) is Left.PART
    assert [change.subject for change in comparison.changes] == [OPEN, OPEN_KR]
    assert list(comparison.totals) == [
        plans.PlanChangeTotal(kind=redefined, objectives=1, key_results=1)
    ]


def test_a_frame_counts_the_events_that_it_shows() -> None:
    dropped = event(facts.KeyResultDropped(key_result=SECRET_KR), SECRET)
    kept = event(facts.KeyResultDropped(key_result=OPEN_KR), OPEN)
    frame = replay.ReplayFrame(events=[dropped, kept], event_count=900)

    assert left(frame) is Left.PART
    assert (len(frame.events), frame.event_count) == (1, 899)


def test_a_retrospective_names_nobody_who_owns_hidden_things_only() -> None:
    looked_back = back.Retrospective(
        objectives=[
            back.ObjectiveOutcome(
                objective=resources.Objective(name=name),
                key_results=[
                    back.KeyResultOutcome(key_result=resources.KeyResult(name=part), owner=owner)
                ],
            )
            for name, part, owner in (
                (SECRET, SECRET_KR, "people/secret"),
                (OPEN, OPEN_KR, "people/known"),
            )
        ],
        discipline_by_owner=[
            back.Discipline(name="people/secret", due=1),
            back.Discipline(name="people/known", due=2),
        ],
        discipline=back.Discipline(due=3),
        carry_overs=[back.CarryOverSuggestion(key_result=SECRET_KR)],
    )

    assert left(looked_back) is Left.PART
    assert [each.name for each in looked_back.discipline_by_owner] == ["people/known"]
    assert looked_back.discipline.due == 3
    assert not looked_back.carry_overs


def test_an_explanation_leads_to_the_same_score_without_hidden_steps() -> None:
    explanation = ScoreExplanation(
        name="teams/t",
        score="0.5",
        steps=[
            ScoreStep(
                operation=Kind.OPERATION_FACT,
                value="0.2",
                subject=SECRET_KR,
                event_position=7,
                field="measurement.value",
            ),
            ScoreStep(operation=Kind.OPERATION_ROUND, inputs=[0], value="0.2", subject=SECRET),
            ScoreStep(operation=Kind.OPERATION_FACT, value="0.8", subject=OPEN, event_position=8),
            ScoreStep(operation=Kind.OPERATION_CHOICE, text="MEAN_OF_OBJECTIVES"),
            ScoreStep(operation=Kind.OPERATION_OR_ELSE, inputs=[1], value="0.2"),
            ScoreStep(
                operation=Kind.OPERATION_ROUND,
                inputs=[4],
                because=[3],
                value="0.2",
                subject="objectives/revenue",
            ),
            ScoreStep(operation=Kind.OPERATION_MEAN, inputs=[2, 5], because=[3], value="0.5"),
            ScoreStep(operation=Kind.OPERATION_ROUND, inputs=[6], value="0.5", subject="teams/t"),
        ],
    )

    assert left(explanation) is Left.PART
    assert str(evaluated(explanation)) == "0.500000000000"
    known, chosen, revenue, total, score = explanation.steps
    assert (known.subject, chosen.text) == (OPEN, "MEAN_OF_OBJECTIVES")
    assert revenue.operation == Kind.OPERATION_CONSTANT, "of it something hidden is a part"
    assert (list(revenue.inputs), revenue.subject) == ([], "objectives/revenue")
    assert (list(total.inputs), list(total.because)) == ([0, 2], [1])
    assert list(score.inputs) == [3]


def test_a_step_without_a_number_says_that_not_all_is_shown() -> None:
    explanation = ScoreExplanation(
        name="teams/t",
        steps=[
            ScoreStep(operation=Kind.OPERATION_NOTHING, subject=SECRET, label="secret"),
            ScoreStep(operation=Kind.OPERATION_MEAN, inputs=[0], label="mean"),
        ],
    )

    assert left(explanation) is Left.PART
    (step,) = explanation.steps
    assert step.operation == Kind.OPERATION_NOTHING
    assert evaluated(explanation) is None


def _line(key_result: str) -> resources.KeyResultScore:
    return resources.KeyResultScore(
        key_result=resources.KeyResult(name=key_result),
        check_in=resources.CheckIn(name=f"{key_result}/checkIns/1"),
    )
