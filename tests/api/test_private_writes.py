"""What writers and watchers are told of private objectives that are not theirs, as they happen."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import takewhile
from typing import Any

import pytest

from okr import seals
from okr.v1 import audit_service_pb2 as audit
from okr.v1 import replay_service_pb2 as replay
from okr.v1 import score_service_pb2 as scores
from okr.v1.values_pb2 import AsOf, Visibility
from tests.api.permissions import LETTERS
from tests.api.secrets import CUSTOMERS, MERGER, PRIVATE, REACH, REVENUE, SUPPORTS, plan
from tests.support.ask import (
    AWARENESS,
    FOLLOWERS,
    MARKETING,
    Q3,
    WHY,
    adjust,
    align,
    check_in,
    close,
    lesson,
    new,
    objective,
    review,
    revise,
    team,
    update_objective,
    update_team,
)
from tests.support.identities import Callers, authenticated_service
from tests.support.serving import LoopThread
from tests.support.whole import Caller


@pytest.fixture(scope="module")
def callers(loop: LoopThread, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callers]:
    with authenticated_service(loop, tmp_path_factory.mktemp("private-writes")) as found:
        root = found.named("people/root", *LETTERS.values())
        root.all_of(*plan())
        root.all_of(
            objective("deals", new("won", target="9"), team="teams/sales", because=WHY),
            # What is private depends on what others write to.
            align("objectives/deals", MERGER, because=WHY),
            align(CUSTOMERS, MERGER, kind=SUPPORTS, because=WHY),
        )
        yield found


@pytest.fixture
def root(callers: Callers) -> Caller:
    return callers.named("people/root", *LETTERS.values())


@pytest.fixture
def seller(callers: Callers) -> Caller:
    """An editor of sales, to whom marketing's private objectives are hidden."""
    return callers.named("people/sally", "editor:teams/sales", "viewer", "cycle-administrator")


def held(adjustment: str) -> Any:
    return review("sales", team="teams/sales", adjustments=[adjustment])


def said(message: Any) -> bytes:
    return message.SerializeToString()  # type: ignore[no-any-return]


def test_an_error_names_no_hidden_parent(seller: Caller) -> None:
    refused = seller.refused(align("objectives/deals", REVENUE, because=WHY))

    assert refused.reason == "ALIGNMENT_SECOND_PARENT"
    assert dict(refused.info.metadata) == {"child": "objectives/deals", "parent": "(not shown)"}
    assert "zebra" not in refused.message


def test_that_an_id_is_taken_is_told_and_nothing_else(seller: Caller) -> None:
    refused = seller.refused(objective("zebra-merger", team="teams/sales", because=WHY))

    assert refused.reason == "RESOURCE_EXISTS"
    assert dict(refused.info.metadata) == {"resource": "(not shown)"}
    assert refused.resource.resource_name == "(not shown)"


def test_a_write_about_something_hidden_is_refused_as_if_it_did_not_exist(
    seller: Caller, root: Caller
) -> None:
    root.ask(adjust(revise(REACH, target="90"), name="zebra-week", because="zebra"))
    for of, about in ((lesson, "objectives/{}-merger"), (held, "adjustments/{}-week")):
        hidden, absent = (seller.refused(of(about.format(own))) for own in ("zebra", "other"))
        assert (hidden.code, hidden.reason) == (absent.code, absent.reason)
        assert hidden.message == absent.message.replace("other", "zebra")
    assert seller.refused(held("adjustments/zebra-week")).reason == "RESOURCE_NOT_FOUND"


def test_the_answer_to_a_write_names_no_hidden_dependant(seller: Caller, root: Caller) -> None:
    change = revise(CUSTOMERS, target="23")
    answer = seller.ask(adjust(change, name="a-seller", because=WHY))

    assert b"zebra" not in said(answer)
    root.token = seller.token
    seen = root.ask(audit.GetAdjustmentRequest(name="adjustments/a-seller")).adjustment
    assert list(seen.changes[0].dependants) == [MERGER]
    assert list(answer.adjustment.changes[0].dependants) == []


def test_a_watch_goes_on_past_what_is_hidden(callers: Callers, root: Caller) -> None:
    olga = callers.named("people/olga", "viewer")
    watch = replay.WatchEventsRequest(from_now=True, checkpoint_seconds=1)
    with olga.watch(watch) as passed:
        begin = next(passed).position
        root.ask(check_in(REACH, "1", on="2024-07-08", note="zebra"))
        hidden = root.head()
        told = list(takewhile(lambda each: each.position < hidden, passed))
        assert not any(each.events for each in told)
        root.ask(check_in(value="1001", on="2024-07-08"))
        (event,) = next(each for each in passed if each.events).events
    assert begin < hidden < event.header.position


def test_watched_scores_move_by_what_is_hidden_without_its_name(
    callers: Callers, root: Caller
) -> None:
    olga = callers.named("people/olga", "viewer")
    with olga.watch(replay.WatchScoresRequest(cycle=Q3)) as moved:
        next(moved)
        head = root.ask(check_in(REACH, "90", on="2024-07-15")).position
        answer = next(each for each in moved if each.position >= head)
    assert {move.name for move in answer.moves} >= {Q3, MARKETING, "teams/company"}
    assert head not in answer.event_positions
    assert b"zebra" not in said(answer)


def test_what_is_made_private_is_hidden_at_once_and_shown_again(
    callers: Callers, root: Caller
) -> None:
    olga = callers.named("people/olga", "viewer")
    read = scores.GetKeyResultRequest(name=FOLLOWERS)
    assert olga.ask(read).key_result.key_result.name == FOLLOWERS
    for _ in range(3):
        root.ask(update_objective(AWARENESS, visibility=PRIVATE, because=WHY))
        olga.token = root.token
        assert olga.refused(read).reason == "RESOURCE_NOT_FOUND"
        assert root.ask(read).key_result.key_result.name == FOLLOWERS
        root.ask(update_objective(AWARENESS, visibility=Visibility.VISIBILITY_PUBLIC, because=WHY))
        olga.token = root.token
        assert olga.ask(read).key_result.key_result.name == FOLLOWERS


def test_the_team_below_sees_it_and_its_owner_does(callers: Callers) -> None:
    read = scores.GetObjectiveRequest(name=MERGER)
    for caller in (
        callers.named("people/erik", "contributor:teams/europe", "viewer"),
        callers.named("people/mark", "contributor:teams/marketing"),
        callers.named("people/cora", "editor:teams/company"),
        callers.named("people/zebra-owner", "viewer"),
        callers.named("people/audrey", "auditor"),
    ):
        assert caller.ask(read).objective.name == MERGER
    for caller in (
        callers.named("people/sam", "contributor:teams/sales", "viewer"),
        callers.named("people/vera", "viewer:teams/marketing"),
        callers.named("people/otto", "operator", "viewer"),
    ):
        absent = caller.refused(scores.GetObjectiveRequest(name="objectives/other"))
        assert caller.refused(read).reason == absent.reason != ""


def test_a_service_sees_what_it_and_whom_it_acts_for_see(callers: Callers) -> None:
    bot = callers.named("services/bot", "delegate", "contributor:teams/marketing", "viewer")
    read = scores.GetObjectiveRequest(name=MERGER)
    assert bot.ask(read).objective.name == MERGER
    # Nobody has granted Olga anything: acting for her, the bot may do nothing.
    for_olga = [("okr-on-behalf-of", "people/olga")]
    assert bot.refused(read, for_olga).reason == "NOT_PERMITTED"


def test_a_team_that_moves_takes_what_it_sees_along(callers: Callers, root: Caller) -> None:
    root.ask(team("field", parent="teams/sales"))
    fiona = callers.named("people/fiona", "contributor:teams/field", "viewer")
    read = scores.GetObjectiveRequest(name=MERGER)
    assert fiona.refused(read).reason == "RESOURCE_NOT_FOUND"

    root.ask(update_team("teams/field", parent=MARKETING))

    assert fiona.ask(read).objective.name == MERGER


def test_who_closes_a_cycle_seals_what_they_do_not_see(seller: Caller, root: Caller) -> None:
    """The last of the story: the cycle takes nothing more."""
    answer = seller.ask(close(because="over"))
    assert b"zebra" not in said(answer)

    root.token = seller.token
    seal = root.ask(scores.GetSealRequest(name="cycles/q3/seals/1")).seal
    as_of = AsOf(position=seal.closing_position, effective_at=seal.effective_date)
    card = root.ask(scores.GetScorecardRequest(cycle=Q3, as_of=as_of)).scorecard
    assert MERGER in {line.name for line in seal.objective_scores}
    assert seals.differences(seal, card) == []
    assert seals.not_shown(seal, card) == 0
    seen = seller.ask(scores.GetScorecardRequest(cycle=Q3, as_of=as_of)).scorecard
    assert seals.not_shown(answer.seal, seen) > 0
