"""Revisions of key results and objectives: of one, of a cycle, of a team, and two compared."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import pytest

from okr.v1 import audit_service_pb2 as audit
from okr.v1 import score_service_pb2 as scores
from okr.v1.resources_pb2 import KeyResultRevision, ObjectiveRevision
from okr.v1.values_pb2 import Category, ObjectiveState
from tests.api.story import ANNA, NEWSLETTER, Told, at, told
from tests.support.ask import (
    AWARENESS,
    FOLLOWERS,
    Q3,
    TRAFFIC,
    WHY,
    abandon,
    commit,
    cycle,
    day,
    grade,
    objective,
    team,
    update_objective,
)
from tests.support.serving import LoopThread
from tests.support.whole import Caller, whole_service

EVERY_KEY_RESULT: Final = "objectives/-/keyResults/-"
EVERY_OBJECTIVE: Final = "objectives/-"
MARKETING, SALES = "teams/marketing", "teams/sales"


@pytest.fixture(scope="module")
def story(loop: LoopThread, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    """The story, then: a title and the team of `awareness` change, and it is graded.

    Another cycle has an objective of marketing, given up. Sales gets a team below it.
    """
    with whole_service(loop, tmp_path_factory.mktemp("story")) as me:
        story = told(me)
        me.ask(update_objective(title="Márka", on="2024-08-20", because="clearer"), ANNA)
        me.all_of(
            update_objective(team=SALES, on="2024-08-21", because=WHY),
            grade(on="2024-09-30", override_score="0.9", because="Megbeszéltük"),
            cycle("q4", first="2024-10-01", last="2024-12-31"),
            *(team("inside", parent=SALES), objective("next", cycle="cycles/q4")),
            commit("cycles/q4"),
            abandon("objectives/next", because=WHY),
            objective("own", team="teams/inside", cycle="cycles/q4", because=WHY),
        )
        yield story


def of_objectives(me: Caller, parent: str = AWARENESS, **fields: Any) -> list[ObjectiveRevision]:
    answer = me.ask(audit.ListObjectiveRevisionsRequest(parent=parent, **fields))
    return list(answer.revisions)


def of_key_results(me: Caller, parent: str, **fields: Any) -> list[KeyResultRevision]:
    answer = me.ask(audit.ListKeyResultRevisionsRequest(parent=parent, **fields))
    return list(answer.revisions)


def names(revisions: Any) -> list[str]:
    """The short names, for example "awareness/followers/3"."""
    return ["/".join(each.name.split("/")[1::2]) for each in revisions]


def test_every_revision_of_an_objective_tells_who_when_why_and_what_it_did(story: Told) -> None:
    graded, moved, titled, created = of_objectives(story.me)
    assert names([graded, created]) == ["awareness/4", "awareness/1"]
    assert (titled.actor, titled.reason) == ("people/anna", "clearer")
    assert titled.category == Category.CATEGORY_MARKET_CHANGE
    assert (titled.before.title, titled.after.title) == ("awareness", "Márka")
    assert list(titled.changed.paths) == ["title"]
    assert titled.effective_date == day("2024-08-20")
    assert titled.score_before == titled.score_after
    assert (moved.before.team, moved.after.team) == (MARKETING, SALES)
    assert (graded.score_before, graded.score_after) == (moved.score_after, "0.9")
    assert graded.snapshot.state == ObjectiveState.OBJECTIVE_STATE_GRADED
    assert graded.snapshot.final_score == "0.9"
    assert list(graded.snapshot.key_results) == [FOLLOWERS, TRAFFIC, NEWSLETTER]
    assert (created.after, created.after_plan_commitment) == (created.snapshot.definition, False)
    assert not created.HasField("score_before")
    assert created.snapshot.state == ObjectiveState.OBJECTIVE_STATE_DRAFT
    current = story.me.ask(scores.GetObjectiveRequest(name=AWARENESS)).objective
    assert graded.snapshot == current
    (gone, _) = of_objectives(story.me, "objectives/next")
    assert gone.event_type == "okr.v1.ObjectiveAbandoned"
    assert not gone.HasField("score_after")


def test_a_single_revision_is_that_of_the_list(story: Told) -> None:
    for number, listed in zip((4, 3, 2, 1), of_objectives(story.me), strict=True):
        request = audit.GetObjectiveRevisionRequest(name=f"{AWARENESS}/revisions/{number}")
        assert story.me.ask(request).revision == listed
    for name in (f"{AWARENESS}/revisions/5", "objectives/none/revisions/1"):
        error = story.me.refused(audit.GetObjectiveRevisionRequest(name=name))
        assert (error.reason, error.info.metadata["resource"]) == ("RESOURCE_NOT_FOUND", name)
        assert error.resource.resource_type == "okr.v1.ObjectiveRevision"


def test_a_list_is_of_an_objective_a_cycle_or_a_team(story: Told) -> None:
    me = story.me
    assert names(of_key_results(me, f"{AWARENESS}/keyResults/-")) == [
        *("awareness/followers/3", "awareness/newsletter/1", "awareness/followers/2"),
        *("awareness/traffic/1", "awareness/followers/1"),
    ]
    assert names(of_key_results(me, EVERY_KEY_RESULT, cycle=Q3)) == [
        *("awareness/followers/3", "awareness/newsletter/1", "awareness/followers/2"),
        *("awareness/traffic/1", "awareness/followers/1", "revenue/customers/1"),
    ]
    assert names(of_objectives(me, EVERY_OBJECTIVE, cycle=Q3)) == [
        *("awareness/4", "awareness/3", "awareness/2", "awareness/1", "revenue/1"),
    ]
    # Who gave it away and who got it both see that it moved.
    assert names(of_objectives(me, EVERY_OBJECTIVE, team=MARKETING)) == [
        *("next/2", "next/1", "awareness/3", "awareness/2", "awareness/1"),
    ]
    assert names(of_objectives(me, EVERY_OBJECTIVE, team=SALES)) == [
        *("own/1", "awareness/4", "awareness/3", "revenue/1"),
    ]
    assert names(of_objectives(me, EVERY_OBJECTIVE, team=SALES, cycle=Q3)) == [
        *("awareness/4", "awareness/3", "revenue/1"),
    ]
    assert names(of_key_results(me, EVERY_KEY_RESULT, team=SALES)) == [
        *("own/traffic/1", "own/followers/1", "revenue/customers/1"),
    ]
    wide = of_key_results(me, EVERY_KEY_RESULT, cycle=Q3, after_plan_commitment=True)
    third, second, _ = of_key_results(me, FOLLOWERS)
    assert wide == [third, *of_key_results(me, NEWSLETTER), second]


def test_a_wide_list_is_of_its_instants_and_stable_under_writes(story: Told) -> None:
    me = story.me
    early = of_key_results(me, EVERY_KEY_RESULT, cycle=Q3, as_of=at(story.week_3))
    assert names(early)[-1] == "revenue/customers/1"
    assert len(early) == 3
    by_day = of_key_results(me, EVERY_KEY_RESULT, cycle=Q3, as_of=at(0, "2024-08-04"))
    assert names(by_day) == names(early)

    request = audit.ListKeyResultRevisionsRequest(parent=EVERY_KEY_RESULT, cycle=Q3, page_size=2)
    paged: list[str] = []
    while True:
        page = me.ask(request)
        paged += names(page.revisions)
        assert len(page.revisions) == 2
        if not page.next_page_token:
            break
        request.page_token = page.next_page_token
        me.ask(team(f"t-{len(paged)}"))
    assert paged == names(of_key_results(me, EVERY_KEY_RESULT, cycle=Q3))


@pytest.mark.parametrize(
    ("request_", "reason", "told_"),
    [
        (audit.ListKeyResultRevisionsRequest(parent=EVERY_KEY_RESULT), "FIELD_INVALID", "cycle"),
        (audit.ListObjectiveRevisionsRequest(parent=EVERY_OBJECTIVE), "FIELD_INVALID", "cycle"),
        (
            audit.ListKeyResultRevisionsRequest(parent="objectives/-/keyResults/followers"),
            "FIELD_INVALID",
            "parent",
        ),
        (
            audit.ListObjectiveRevisionsRequest(parent=EVERY_OBJECTIVE, cycle="cycles/none"),
            "RESOURCE_NOT_FOUND",
            "cycles/none",
        ),
        (
            audit.ListObjectiveRevisionsRequest(parent=EVERY_OBJECTIVE, team="teams/none"),
            "RESOURCE_NOT_FOUND",
            "teams/none",
        ),
        (
            audit.ListObjectiveRevisionsRequest(parent="objectives/none"),
            "RESOURCE_NOT_FOUND",
            "objectives/none",
        ),
        (
            audit.ListKeyResultRevisionsRequest(parent="objectives/none/keyResults/-"),
            "RESOURCE_NOT_FOUND",
            "objectives/none",
        ),
        (
            audit.CompareKeyResultRevisionsRequest(name=FOLLOWERS, first=1, second=9),
            "RESOURCE_NOT_FOUND",
            f"{FOLLOWERS}/revisions/9",
        ),
        (
            audit.CompareObjectiveRevisionsRequest(name=AWARENESS, first=9, second=1),
            "RESOURCE_NOT_FOUND",
            f"{AWARENESS}/revisions/9",
        ),
        (
            audit.CompareObjectiveRevisionsRequest(name=AWARENESS, second=1),
            "FIELD_INVALID",
            "first",
        ),
    ],
)
def test_what_a_list_cannot_be_of_is_told(
    story: Told, request_: Any, reason: str, told_: str
) -> None:
    error = story.me.refused(request_)
    assert error.reason == reason
    assert told_ in (error.fields or [error.info.metadata["resource"]])


def test_any_two_revisions_are_compared(story: Told) -> None:
    me = story.me
    third, second, first = of_key_results(me, FOLLOWERS)
    forth = me.ask(audit.CompareKeyResultRevisionsRequest(name=FOLLOWERS, first=1, second=3))
    assert (forth.first, forth.second) == (first, third)
    assert list(forth.changed.paths) == ["target", "target_change_percent"]
    assert (forth.before.target, forth.before.target_change_percent) == ("1200", "20")
    assert forth.after.target == "1150"
    assert (second.score_after, third.score_after) == ("1", "0.6")
    back = me.ask(audit.CompareKeyResultRevisionsRequest(name=FOLLOWERS, first=3, second=2))
    assert (back.before.target, back.after.target, back.difference) == ("1150", "1100", "0.4")
    same = me.ask(audit.CompareKeyResultRevisionsRequest(name=FOLLOWERS, first=2, second=2))
    assert (list(same.changed.paths), same.difference) == ([], "0")
    objectives = me.ask(audit.CompareObjectiveRevisionsRequest(name=AWARENESS, first=1, second=4))
    assert list(objectives.changed.paths) == ["title", "team"]
    assert (objectives.before.title, objectives.after.team) == ("awareness", SALES)
    assert objectives.difference == "0.9"
    early = audit.CompareKeyResultRevisionsRequest(
        name=FOLLOWERS, first=1, second=3, as_of=at(story.adjusted)
    )
    assert me.refused(early).reason == "RESOURCE_NOT_FOUND"
