"""An auditor: every revision, who, when, why and what it did; and that nothing was altered."""

from __future__ import annotations

from fractions import Fraction
from hashlib import sha256
from typing import Any

from okr.v1 import audit_service_pb2 as audit
from okr.v1 import events_pb2 as facts
from okr.v1 import score_service_pb2 as scores
from okr.v1.event_record_pb2 import EventMetadata
from okr.v1.plan_comparison_pb2 import PlanChangeKind
from okr.v1.resources_pb2 import AdjustmentState, ScoreCause
from tests.story.figures import mean, of, said, tenths
from tests.story.quarter import (
    AWARENESS,
    CUSTOMERS,
    FOLLOWERS,
    LEADS,
    MARKETING,
    Q3,
    REASON,
    REVENUE,
    SALES,
    TRAFFIC,
    WEBINARS,
    WEEK_6,
    WHY,
    Told,
    at,
    moment,
)
from tests.support.ask import day
from tests.support.texts import without_texts


def test_every_revision_of_a_key_result(story: Told) -> None:
    request = audit.ListKeyResultRevisionsRequest(parent=LEADS)
    lowered, planned = story.me.ask(request).revisions
    assert (planned.number, planned.after_plan_commitment) == (1, False)
    assert (planned.after.target, planned.after.weight) == ("400", "2")
    assert (lowered.number, lowered.after_plan_commitment) == (2, True)
    assert (lowered.actor, lowered.reason, lowered.category) == ("people/bea", WHY, REASON)
    assert lowered.recorded_time == moment("2024-08-07T16:00")
    assert lowered.effective_date == day("2024-08-07")
    assert list(lowered.changed.paths) == ["target"]
    assert (lowered.before.target, lowered.after.target) == ("400", "240")
    # 60 leads had come: 20 + 20 + 10 + 5 + 5.
    assert (lowered.score_before, lowered.score_after) == (said(of(60, 400)), said(of(60, 240)))
    # Against the plan, and as it was judged when it was measured, nothing has changed.
    for unchanged in (lowered.scores_before, lowered.scores_after):
        assert unchanged.original_score == unchanged.as_judged_score == said(of(60, 400))
    assert lowered.adjustment == WEEK_6


def test_who_proposed_and_who_approved(story: Told) -> None:
    assert story.proposed == story.before  # A proposal changes nothing.
    (made,) = story.me.ask(audit.ListAdjustmentsRequest(cycle=Q3)).adjustments
    assert (made.name, made.state) == (WEEK_6, AdjustmentState.ADJUSTMENT_STATE_APPLIED)
    assert (made.proposed.actor, made.proposed.reason) == ("people/anna", WHY)
    assert made.proposed.recorded_time == moment("2024-08-06T10:00")
    assert (made.decided.actor, made.decided.reason) == ("people/bea", "Megbeszéltük")
    assert made.decided.recorded_time == moment("2024-08-07T16:00")
    assert [change.subject for change in made.changes] == [LEADS, TRAFFIC, WEBINARS]


def test_everything_that_moved_a_key_results_score(story: Told) -> None:
    answer = story.me.ask(audit.ListScoreChangesRequest(subject=LEADS))
    told = [(change.cause, change.difference) for change in answer.changes]
    progress, correction = ScoreCause.SCORE_CAUSE_PROGRESS, ScoreCause.SCORE_CAUSE_CORRECTION
    assert told == [
        *((progress, said(of(more, 400))) for more in (20, 20, 10, 5, 5)),
        (ScoreCause.SCORE_CAUSE_TARGET, said(of(60, 240) - of(60, 400))),
        (progress, said(of(36, 240))),
        (correction, said(of(14 - 20, 240))),
        *((progress, said(of(more, 240))) for more in (18, 18, 18, 12, 12, 12, 24)),
    ]


def test_a_correction_has_its_own_author_and_leaves_the_entry(story: Told) -> None:
    name = f"{LEADS}/checkIns/2"
    now = story.me.ask(scores.GetCheckInRequest(name=name)).check_in
    assert (now.measurement.value, now.actor) == ("14", "people/csaba")
    assert now.corrected_by == "people/anna"
    then = scores.GetCheckInRequest(name=name, as_of=at("2024-08-11T23:00"))
    assert story.me.ask(then).check_in.measurement.value == "20"
    recorded = facts.CheckInRecorded.FromString(event(story, now.position).payload)
    assert (recorded.key_result, recorded.number) == (LEADS, 2)
    assert recorded.measurement.value == "20"
    corrected = event(story, now.corrected_position)
    assert corrected.decoded_metadata.actor.plain == "people/anna"
    assert corrected.decoded_metadata.reason.plain == "Hat kétszer szerepelt"


def event(story: Told, position: int) -> Any:
    return story.me.ask(audit.GetEventRequest(name=f"events/{position}")).event


def test_what_differs_between_the_plan_and_now(story: Told) -> None:
    found = story.me.ask(audit.ComparePlansRequest(cycle=Q3)).comparison
    kinds = {
        change.subject: PlanChangeKind.Name(change.kind).removeprefix("PLAN_CHANGE_KIND_")
        for change in found.changes
    }
    assert kinds == {LEADS: "RETARGETED", TRAFFIC: "DROPPED", WEBINARS: "ADDED"}
    assert (found.before.key_result_count, found.after.key_result_count) == (4, 4)
    assert len(found.changes) == len({p for c in found.changes for p in c.event_positions}) == 3


def test_the_ledgers_bytes_are_the_same_however_they_are_read(story: Told) -> None:
    listed: list[Any] = []
    request = audit.ListEventsRequest(page_size=30)
    while True:
        page = story.me.ask(request)
        listed += page.events
        if not page.next_page_token:
            break
        request.page_token = page.next_page_token
    # What the watch was told while the story was told, and what each event says alone.
    assert listed == story.events
    assert listed[4] == event(story, 5)
    times = [each.header.recorded_time.ToMicroseconds() for each in listed]
    assert times == sorted(times)
    for each in listed:
        kind = getattr(facts, each.header.event_type.removeprefix("okr.v1."))
        for message, stored, decoded in (
            (EventMetadata, each.metadata, each.decoded_metadata.SerializeToString()),
            (kind, each.payload, each.decoded_payload.value),
        ):
            # All but the texts of people, which are stored as nobody reads them.
            told = without_texts(message.FromString(decoded))
            assert without_texts(message.FromString(stored)) == told
        assert each.decoded_metadata.actor.plain.startswith(("people/", "services/"))
    own = [each for each in listed if each.header.stream == AWARENESS]
    assert [each.header.stream_version for each in own] == list(range(1, len(own) + 1))


FINAL: dict[str, tuple[Fraction | None, ...]] = {
    # The score now, against the plan, and as judged on the last check-in's day.
    FOLLOWERS: (of(2000, 2000),) * 3,
    LEADS: (of(204, 240), of(204, 400), of(204, 240)),
    TRAFFIC: (tenths(1),) * 3,
    WEBINARS: (tenths(8), None, tenths(8)),
    CUSTOMERS: (of(56, 80),) * 3,
}
"""Leads are 20 + 14 + 10 + 5 + 5, then 36, three times 18, three times 12, and 24."""


def test_the_seals_digest_is_that_of_scores_worked_out_by_hand(story: Told) -> None:
    seal = story.me.ask(scores.GetSealRequest(name=f"{Q3}/seals/1")).seal
    assert seal == story.sealed.seal
    lines = [
        "\t".join([name, *("" if score is None else said(score) for score in three)]) + "\n"
        for name, three in FINAL.items()
    ]
    assert seal.key_result_digest == sha256("".join(lines).encode()).digest()
    assert seal.key_result_count == len(lines)
    assert (seal.actor, seal.recorded_time) == ("people/bea", moment("2024-10-02T09:00"))


def test_the_sealed_scores_now_and_against_the_plan(story: Told) -> None:
    # Leads weigh 2. The plan had traffic, and no webinars.
    awareness = mean(1, of(204, 240), of(204, 240), tenths(8))
    planned = mean(1, of(204, 400), of(204, 400), tenths(1))
    revenue, revenue_planned = mean(tenths(7), awareness), mean(tenths(7), planned)
    seal = story.sealed.seal
    found = {
        each.name: (each.score, each.original_score)
        for each in (*seal.objective_scores, *seal.team_scores)
    }
    assert found[AWARENESS] == found[MARKETING] == (said(awareness), said(planned))
    assert found[REVENUE] == found[SALES] == (said(revenue), said(revenue_planned))
    assert (seal.score, seal.original_score) == (
        said(mean(awareness, revenue)),
        said(mean(planned, revenue_planned)),
    )


def test_an_amendment_stands_beside_the_seal_and_moves_nothing(story: Told) -> None:
    card = story.scorecard()
    (amendment,) = card.amendments
    assert amendment == story.amended.amendment
    assert (amendment.amended_value, amendment.amended_score) == ("54", said(of(54, 80)))
    assert card.seal == story.sealed.seal
    assert card.score == card.seal.score
    assert story.key_result(CUSTOMERS).score == said(of(56, 80))
