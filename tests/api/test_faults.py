"""The faults that other OKR systems have, each as a test that a system with that fault fails.

One heading a fault; what is ours in its place has finer tests beside these.
"""

from __future__ import annotations

from typing import Any, Final

import pytest

from okr.v1 import audit_service_pb2 as audit
from okr.v1 import events_pb2 as facts
from okr.v1 import score_service_pb2 as scores
from okr.v1.resources_pb2 import KeyResultRevision, ScoreCause, Status
from okr.v1.values_pb2 import (
    AsOf,
    Category,
    CycleState,
    KeyResultState,
    ObjectiveState,
    PersonalText,
)
from tests.support.ask import (
    AWARENESS,
    FOLLOWERS,
    MARKETING,
    Q3,
    TRAFFIC,
    abandon,
    amend,
    check_in,
    close,
    commit,
    correct,
    cycle,
    day,
    drop,
    new,
    objective,
    phased,
    reopen,
    retire,
    retract,
    revise,
    team,
)
from tests.support.whole import METHODS, Caller

ANNA: Final = [("okr-actor", "people/anna")]
BEA: Final = [("okr-actor", "services/crm"), ("okr-on-behalf-of", "people/bea")]
RETARGETED: Final = ("target", "target_change_percent")
ONCE: Final = "0d4a5c1e-8a8b-4f0e-9a35-6d9c8d1f2b7a"


@pytest.fixture
def quarter(me: Caller) -> Caller:
    """The third quarter of 2024, committed: followers 1000 → 1200, traffic 0 → 10."""
    me.all_of(cycle(first="2024-07-01", last="2024-09-30"), team())
    me.ask(objective(), ANNA)
    me.ask(commit())
    return me


def key_result(me: Caller, name: str = FOLLOWERS, on: str = "", position: int = 0) -> Any:
    as_of = AsOf(effective_at=day(on) if on else None)
    if position:
        as_of.position = position
    return me.ask(scores.GetKeyResultRequest(name=name, as_of=as_of)).key_result


def revisions(me: Caller, name: str = FOLLOWERS) -> list[KeyResultRevision]:
    """The first one first."""
    request = audit.ListKeyResultRevisionsRequest(parent=name, order_by="position")
    return list(me.ask(request).revisions)


def check_ins(me: Caller, name: str = FOLLOWERS) -> Any:
    """In order of their effective days."""
    return me.ask(scores.ListCheckInsRequest(parent=name)).check_ins


def events(me: Caller, *types: str) -> Any:
    request = audit.ListEventsRequest(event_types=[f"okr.v1.{each}" for each in types])
    return me.ask(request).events


# A changed target overwrites the old one and re-scores the past.


def test_a_changed_target_leaves_the_old_one_and_the_past(quarter: Caller) -> None:
    quarter.ask(check_in(value="1100", on="2024-07-08"))
    before = key_result(quarter, on="2024-08-04")
    quarter.ask(revise(target="1100", mask=RETARGETED, on="2024-08-05", because="too high"))
    assert key_result(quarter, on="2024-08-04").score == before.score == "0.5"
    # 100 of the 100 wanted now; of the 200 of the plan; of the 200 wanted when it was measured.
    now = key_result(quarter)
    assert (now.score, now.original_score, now.as_judged_score) == ("1", "0.5", "0.5")
    targets = [each.snapshot.definition.target for each in revisions(quarter)]
    assert targets == ["1200", "1100"]


# The audit names the wrong person, or only some fields.


def test_a_revision_names_who_made_it_and_every_field_that_changed(quarter: Caller) -> None:
    changes: dict[str, tuple[Any, Any]] = {
        "title": ("followers", "Követők"),
        "unit": ("követő", "fő"),
        "baseline": ("1000", "1010"),
        "target": ("1200", "1300"),
        "target_change_percent": ("20", ""),
        "weight": ("1", "2"),
        "owner": (PersonalText(), PersonalText(plain="people/csaba")),
    }
    after = {name: pair[1] for name, pair in changes.items() if pair[1]}
    quarter.ask(revise(**after, mask=tuple(changes), because="Újra mértük"), BEA)
    created, revised = revisions(quarter)
    assert (created.actor, created.on_behalf_of) == ("people/anna", "")
    assert (revised.actor, revised.on_behalf_of) == ("services/crm", "people/bea")
    assert (revised.reason, revised.category) == ("Újra mértük", Category.CATEGORY_MARKET_CHANGE)
    assert set(revised.changed.paths) == set(changes)
    told = {name: (getattr(revised.before, name), getattr(revised.after, name)) for name in changes}
    assert told == changes


# A second edit on the same day erases the first.


def test_a_second_edit_on_the_same_day_stands_beside_the_first(quarter: Caller) -> None:
    quarter.all_of(
        check_in(value="1050", on="2024-07-08"),
        check_in(value="1060", on="2024-07-08"),
        revise(title="a", on="2024-08-05", because="first"),
        revise(title="b", on="2024-08-05", because="second"),
        *(correct(1, "1051"), correct(1, "1052")),
    )
    assert [each.measurement.value for each in check_ins(quarter)] == ["1052", "1060"]
    assert key_result(quarter).value == "1060"
    assert [(each.reason, each.after.title) for each in revisions(quarter)[1:]] == [
        *(("first", "a"), ("second", "b")),
    ]
    corrected = [
        facts.CheckInCorrected.FromString(each.payload).measurement.value
        for each in events(quarter, "CheckInCorrected")
    ]
    assert corrected == ["1051", "1052"]


# Editing an old check-in makes it the newest; its author is replaced.


def test_a_corrected_check_in_keeps_its_place_and_its_author(quarter: Caller) -> None:
    quarter.ask(check_in(value="1050", on="2024-07-08"), ANNA)
    quarter.ask(check_in(value="1100", on="2024-07-15"), ANNA)
    quarter.ask(correct(1, "1010"), BEA)
    assert (key_result(quarter).value, key_result(quarter).score) == ("1100", "0.5")
    assert key_result(quarter, on="2024-07-14").value == "1010"
    corrected, later = check_ins(quarter)
    assert [each.effective_date for each in (corrected, later)] == [
        *(day("2024-07-08"), day("2024-07-15")),
    ]
    assert (corrected.actor, corrected.corrected_by) == ("people/anna", "services/crm")
    assert (later.actor, later.corrected_by) == ("people/anna", "")


# Deleting a goal deletes its history.


def test_what_is_given_up_keeps_its_history(quarter: Caller) -> None:
    quarter.all_of(
        *(check_in(value="1100", on="2024-07-08"), check_in(TRAFFIC, "5", on="2024-07-08")),
        *(retract(1, TRAFFIC), drop(TRAFFIC, because="no"), abandon(because="no longer wanted")),
        retire(MARKETING),
    )
    states = (ObjectiveState.OBJECTIVE_STATE_ABANDONED, KeyResultState.KEY_RESULT_STATE_DROPPED)
    read = scores.GetObjectiveRequest(name=AWARENESS)
    assert (quarter.ask(read).objective.state, key_result(quarter, TRAFFIC).key_result.state) == (
        states
    )
    assert [each.event_type for each in revisions(quarter, TRAFFIC)] == [
        *("okr.v1.KeyResultAdded", "okr.v1.KeyResultDropped"),
    ]
    (retracted,) = check_ins(quarter, TRAFFIC)
    assert (retracted.retracted, retracted.measurement.value) == (True, "5")
    assert key_result(quarter).value == "1100"
    assert quarter.ask(scores.GetTeamRequest(name=MARKETING)).team.retired


def test_nothing_in_the_api_deletes() -> None:
    names = {method.name for method in METHODS.values()}
    assert not [name for name in names if name.startswith(("Delete", "Remove", "Purge", "Archive"))]


# Archiving a poor key result raises the score in silence.


def test_dropping_a_poor_key_result_is_told_as_a_change_of_scope(quarter: Caller) -> None:
    quarter.all_of(check_in(value="1160", on="2024-07-08"), check_in(TRAFFIC, "2", on="2024-07-08"))
    before = quarter.head()
    quarter.ask(drop(TRAFFIC, because="Nem mérhető", on="2024-08-05"), ANNA)
    since = audit.AttributeScoreRequest(subject=AWARENESS, since=AsOf(position=before))
    found = quarter.ask(since).attribution
    # 0.8 and 0.2, and 0.8 alone.
    assert (found.score_before, found.score_after) == ("0.5", "0.8")
    (moved,) = found.movements
    assert (moved.cause, moved.difference) == (ScoreCause.SCORE_CAUSE_SCOPE, "0.3")
    assert (moved.about, moved.actor, moved.reason) == (TRAFFIC, "people/anna", "Nem mérhető")
    (block,) = quarter.ask(scores.GetScorecardRequest(cycle=Q3)).scorecard.objectives
    assert (block.score, block.original_score) == ("0.8", "0.5")


def test_after_plan_commitment_nothing_is_dropped_without_a_reason(quarter: Caller) -> None:
    assert quarter.refused(drop(TRAFFIC)).reason == "REASON_REQUIRED"


# Reopening a closed period loses its closing comment.


def test_a_period_that_is_opened_again_keeps_its_closing_comment(quarter: Caller) -> None:
    quarter.ask(check_in(value="1100", on="2024-07-08"))
    closed = quarter.ask(close(because="Jó negyedév volt"), ANNA).seal
    amended = quarter.ask(amend(FOLLOWERS, "Hibás export", amended_value="1090")).amendment
    quarter.ask(reopen(because="Újraszámoljuk"), BEA)
    quarter.ask(correct(1, "1090"))
    quarter.ask(close(because="Most már jó"), BEA)
    kept, latest = quarter.ask(scores.ListSealsRequest(cycle=Q3)).seals
    assert (kept.reason, kept.actor) == ("Jó negyedév volt", "people/anna")
    assert (kept.score, latest.score) == (closed.score, "0.225")
    assert kept.key_result_digest == closed.key_result_digest != latest.key_result_digest
    assert (kept.reopening.reason, latest.reason) == ("Újraszámoljuk", "Most már jó")
    assert list(quarter.ask(scores.ListAmendmentsRequest(cycle=Q3)).amendments) == [amended]
    read = scores.GetCycleRequest(name=Q3)
    assert quarter.ask(read).cycle.state == CycleState.CYCLE_STATE_SEALED


# Decreasing metrics score wrongly.


def test_a_decreasing_metric_scores_by_its_way_down(me: Caller) -> None:
    me.all_of(
        *(cycle(first="2024-07-01", last="2024-09-30"), team()),
        objective("churn", new("lost", baseline="200", target="120")),
        commit(),
    )
    lost = "objectives/churn/keyResults/lost"
    expected = {
        # Up from 200 is worse than nothing done, and below 120 is no more than all of it.
        "240": ("0", "-0.5"),
        "200": ("0", "0"),
        "160": ("0.5", "0.5"),
        "120": ("1", "1"),
        "100": ("1", "1.25"),
    }
    found = {}
    for value in expected:
        me.ask(check_in(lost, value, on="2024-08-15"))
        line = key_result(me, lost)
        found[value] = (line.score, line.attainment)
    assert found == expected
    # On 15 August 45 of 91 days have passed: half of the way is enough, a fifth is not.
    me.ask(check_in(lost, "160", on="2024-08-15"))
    assert key_result(me, lost, on="2024-08-15").status == Status.STATUS_ON_TRACK
    me.ask(check_in(lost, "184", on="2024-08-15"))
    line = key_result(me, lost, on="2024-08-15")
    assert (line.status, line.score) == (Status.STATUS_AT_RISK, "0.2")


# The plan no longer fits the edited target.


def test_a_plan_by_dates_that_a_new_target_does_not_fit_is_refused_or_given_anew(
    me: Caller,
) -> None:
    planned = phased(("2024-07-31", "4"), ("2024-09-30", "10"))
    me.all_of(
        *(cycle(first="2024-07-01", last="2024-09-30"), team()),
        objective("awareness", new("traffic", target="10", trajectory=planned)),
        commit(),
    )
    lowered: dict[str, Any] = {"target": "8", "on": "2024-08-05", "because": "less budget"}
    error = me.refused(revise(TRAFFIC, **lowered))
    assert error.reason == "TRAJECTORY_MISFIT"
    assert error.info.metadata == {"resource": TRAFFIC, "field": "trajectory"}
    assert [each.number for each in revisions(me, TRAFFIC)] == [1]
    anew = phased(("2024-07-31", "4"), ("2024-09-30", "8"))
    me.ask(revise(TRAFFIC, trajectory=anew, **lowered))
    revised = revisions(me, TRAFFIC)[-1]
    assert list(revised.changed.paths) == ["target", "trajectory"]
    assert (revised.before.trajectory, revised.after.trajectory) == (planned, anew)
    assert key_result(me, TRAFFIC, on="2024-09-30").expected_value == "8"


def test_a_straight_plan_follows_the_new_target_from_its_day(quarter: Caller) -> None:
    quarter.ask(revise(TRAFFIC, target="5", on="2024-08-05", because="less budget"))
    # 34 and 35 of 91 days, of 10 and then of 5.
    expected = {"2024-08-04": "3.736263736264", "2024-08-05": "1.923076923077"}
    found = {on: key_result(quarter, TRAFFIC, on=on).expected_value for on in expected}
    assert found == expected


# A retry posts twice; history is not in the API.


def test_a_retry_is_answered_and_not_posted_twice(quarter: Caller) -> None:
    request = check_in(value="1100", on="2024-07-08", request_id=ONCE)
    first = quarter.ask(request)
    quarter.ask(check_in(value="1150", on="2024-07-15"))
    assert quarter.ask(request) == first
    assert [each.measurement.value for each in check_ins(quarter)] == ["1100", "1150"]
    other = check_in(value="1101", on="2024-07-08", request_id=ONCE)
    assert quarter.refused(other).reason == "REQUEST_ID_REUSED"


def test_the_whole_history_is_in_the_api(quarter: Caller) -> None:
    written = [
        quarter.ask(request).position
        for request in (
            check_in(value="1100", on="2024-07-08"),
            *(correct(1, "1110"), retract(1), drop(because="no"), close()),
        )
    ]
    told = events(quarter)
    assert [each.header.position for each in told] == list(range(1, quarter.head() + 1))
    assert [told[position - 1].header.event_type for position in written] == [
        *("okr.v1.CheckInRecorded", "okr.v1.CheckInCorrected", "okr.v1.CheckInRetracted"),
        *("okr.v1.KeyResultDropped", "okr.v1.CycleSealed"),
    ]
