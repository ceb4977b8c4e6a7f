"""Another service: record this exactly once; what is the score now; tell me when it changes."""

from __future__ import annotations

from okr.v1 import score_service_pb2 as scores
from okr.v1.resources_pb2 import Status
from tests.story.figures import mean, of, said
from tests.story.quarter import (
    COMPANY,
    CUSTOMERS,
    ONCE,
    Q3,
    REVENUE,
    SALES,
    Told,
    at,
    moment,
)

AWARENESS_9_AUGUST = mean(of(1000, 2000), of(96, 240), of(96, 240), of(2, 10))
"""Followers, leads (which weigh 2) and webinars, measured an hour before the CRM spoke."""


def test_a_check_in_that_is_sent_again_is_recorded_once(story: Told) -> None:
    assert story.second_try == story.first_try
    found = story.me.ask(scores.ListCheckInsRequest(parent=CUSTOMERS)).check_ins
    assert [each.measurement.value for each in found[:5]] == ["4", "8", "12", "16", "20"]
    assert story.other_content is not None
    assert story.other_content.reason == "REQUEST_ID_REUSED"
    written = [e for e in story.events if e.decoded_metadata.request_id == ONCE]
    assert [e.header.position for e in written] == [story.first_try.position]


def test_the_score_now(story: Told) -> None:
    line = story.key_result(CUSTOMERS)
    assert (line.value, line.score) == ("56", said(of(56, 80)))
    on_9_august = story.key_result(CUSTOMERS, at("2024-08-09T12:00"))
    assert (on_9_august.value, on_9_august.score) == ("20", said(of(20, 80)))


def test_whoever_watches_the_scores_is_told_what_moved(story: Told) -> None:
    before, after = of(16, 80), of(20, 80)
    moved = after - before
    # Customers are half of revenue, which is half of the company, and of the cycle.
    revenue_before = mean(before, AWARENESS_9_AUGUST)
    whole_before = mean(AWARENESS_9_AUGUST, revenue_before)
    expected = {
        CUSTOMERS: (before, moved),
        REVENUE: (revenue_before, moved / 2),
        SALES: (revenue_before, moved / 2),
        COMPANY: (whole_before, moved / 4),
        Q3: (whole_before, moved / 4),
    }
    assert {m.name: (m.score_before, m.score_after, m.difference) for m in story.moved.moves} == {
        name: (said(score), said(score + difference), said(difference))
        for name, (score, difference) in expected.items()
    }
    assert list(story.moved.event_positions) == [story.first_try.position]
    customers = next(m for m in story.moved.moves if m.name == CUSTOMERS)
    # The value of 26 July was two weeks old; 20 of 80 are less than the 39 of 91 days passed.
    stale, behind = Status.STATUS_STALE, Status.STATUS_BEHIND
    assert (customers.status_before, customers.status_after) == (stale, behind)


def test_whoever_watches_the_ledger_is_told_every_event_once_and_in_order(story: Told) -> None:
    positions = [event.header.position for event in story.events]
    assert positions == list(range(1, story.me.head() + 1))
    recorded = {event.header.position: event.header.recorded_time for event in story.events}
    assert recorded[story.first_try.position] == moment("2024-08-09T09:00")
    assert recorded[story.planned] == moment("2024-07-01T09:00")
