"""What is said about a cycle: reviews and lessons."""

from __future__ import annotations

from ledger.refusals import DayInFuture, Exists, NotFound
from okr.v1 import events_pb2 as facts
from okr.v1.values_pb2 import Category, PersonalText, ReviewKind
from tests.support import ask
from tests.support.scenario import Scenario


def adjusted() -> Scenario:
    """The quarter with one adjustment, and an empty one after it."""
    return ask.committed().given(
        ask.adjust(ask.revise(target="1150")), ask.cycle("q4", "2026-10-01", "2026-12-31")
    )


def test_a_review_says_who_saw_what_and_decided_what() -> None:
    scenario = adjusted()
    request = ask.review(
        kind=ReviewKind.REVIEW_KIND_MONTHLY,
        team=ask.MARKETING,
        seen_position=5,
        participants=["people/anna", "Béla a CRM-től"],
        notes="Két hét csúszás",
        adjustments=["adjustments/week-6"],
        on="2026-08-10",
    )

    scenario.when(request).then(
        facts.ReviewHeld(
            review="reviews/week-6",
            cycle=ask.Q3,
            kind=ReviewKind.REVIEW_KIND_MONTHLY,
            team=ask.MARKETING,
            participants=[PersonalText(plain="people/anna"), PersonalText(plain="Béla a CRM-től")],
            seen_position=5,
            adjustments=["adjustments/week-6"],
            notes=PersonalText(plain="Két hét csúszás"),
        )
    )
    assert scenario.effective == "2026-08-10"
    scenario.when(request).then_refused(Exists, resource="reviews/week-6")


def test_without_more_a_review_is_todays_and_saw_the_head() -> None:
    scenario = ask.committed("2026-08-12T23:30:00+02:00")
    head = len(scenario.records)

    fact = scenario.when(ask.review("")).then_it_is(facts.ReviewHeld)

    assert fact.review == f"reviews/made-{head}"
    assert fact.seen_position == head
    assert not fact.HasField("notes")
    assert scenario.effective == "2026-08-12"


def test_a_review_saw_what_the_ledger_held() -> None:
    scenario = ask.committed()
    head = len(scenario.records)

    scenario.when(ask.review(seen_position=head + 1)).then_invalid("seen_position")
    assert scenario.when(ask.review(seen_position=head)).refusal is None


def test_a_review_may_come_after_the_cycle_but_not_from_the_future() -> None:
    scenario = ask.committed().on("2026-10-14")

    assert scenario.when(ask.review()).effective == "2026-10-14"
    scenario.when(ask.review("x", on="2026-10-15")).then_refused(DayInFuture)


def test_a_review_names_what_there_is() -> None:
    scenario = adjusted()
    scenario.when(ask.review(cycle="cycles/none")).then_refused(NotFound, resource="cycles/none")
    scenario.when(ask.review(team="teams/none")).then_refused(NotFound, resource="teams/none")
    scenario.when(ask.review(adjustments=["adjustments/none"])).then_refused(
        NotFound, resource="adjustments/none"
    )
    decided = ["adjustments/week-6"]
    scenario.when(ask.review(cycle="cycles/q4", adjustments=decided)).then_invalid("adjustments[0]")
    scenario.when(ask.review(participants=["a", "\u2003"])).then_invalid("participants[1]")


def test_a_lesson_is_numbered_within_its_cycle() -> None:
    scenario = adjusted().given(ask.review(), ask.lesson(parent="cycles/q4"))

    first = scenario.when(ask.lesson(ask.FOLLOWERS, "Korábban kérdezni", review="reviews/week-6"))
    first.then(
        facts.LessonRecorded(
            cycle=ask.Q3,
            number=1,
            subject=ask.FOLLOWERS,
            lesson=PersonalText(plain="Korábban kérdezni"),
        )
    )
    assert scenario.metadata.category == Category.CATEGORY_LEARNING
    assert scenario.metadata.review == "reviews/week-6"
    assert scenario.effective == ""
    second = scenario.when(ask.lesson(category=Category.CATEGORY_DEPENDENCY))
    assert second.then_it_is(facts.LessonRecorded).number == 2
    assert not scenario.metadata.review


def test_a_lesson_is_of_its_cycle() -> None:
    scenario = adjusted().given(ask.review())
    scenario.when(ask.lesson(ask.FOLLOWERS, parent="cycles/q4")).then_invalid("subject")
    scenario.when(ask.lesson(parent="cycles/q4", review="reviews/week-6")).then_invalid("review")
    scenario.when(ask.lesson(review="reviews/none")).then_refused(NotFound, resource="reviews/none")
    scenario.when(ask.lesson("objectives/none")).then_refused(NotFound, resource="objectives/none")
    scenario.when(ask.lesson("", " \n")).then_invalid("lesson")


def test_a_draft_can_be_spoken_of() -> None:
    for request in (ask.review(), ask.lesson(ask.AWARENESS)):
        assert ask.drafted().when(request).refusal is None
