"""Watching a scorecard: what moves, when it moves, and never anything else than reads say."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from grpc import StatusCode

from ledger.log.clock import now_us
from ledger.tokens import Tokens
from okr.v1 import score_service_pb2 as scores
from okr.v1.operations_service_pb2 import GetStatusRequest
from okr.v1.replay_service_pb2 import ScoreMove, WatchScoresRequest, WatchScoresResponse
from okr.v1.resources_pb2 import STATUS_PENDING, STATUS_UNSPECIFIED, Scorecard
from okr.v1.values_pb2 import KeyResultState, ObjectiveState
from tests.api.case import INVALID, MISSING, REFUSED
from tests.api.conftest import days_from_today
from tests.support.ask import (
    abandon,
    add,
    align,
    check_in,
    commit,
    cycle,
    drop,
    new,
    objective,
    team,
    update_objective,
)
from tests.support.serving import LoopThread, refused
from tests.support.whole import Caller, whole_service

NOW = "cycles/now"
GROWTH = "objectives/growth"
WON = f"{GROWTH}/keyResults/won"
LEADS = "objectives/leads"
CALLS = f"{LEADS}/keyResults/calls"
WHY = "it is needed"


@pytest.fixture
def running(me: Caller) -> Caller:
    """A committed cycle around today: growth (won, 0 to 10) of sales, leads of marketing."""
    last = days_from_today(40)
    me.all_of(team("sales"), team("marketing"), cycle("now", days_from_today(-40), last))
    me.ask(cycle("next", days_from_today(41), days_from_today(80)))
    me.ask(objective("growth", new("won", target="10"), team="teams/sales", cycle=NOW))
    me.ask(objective("leads", new("calls", target="4"), team="teams/marketing", cycle=NOW))
    me.ask(commit(NOW))
    return me


def lines(card: Scorecard) -> dict[str, str]:
    """The scores of a scorecard by name, of what counts and has one."""
    found = {card.cycle.name: card.score}
    found |= {line.team.name: line.score for line in card.teams}
    for block in card.objectives:
        if block.objective.state != ObjectiveState.OBJECTIVE_STATE_ABANDONED:
            found[block.objective.name] = block.score
            found |= {
                line.key_result.name: line.score
                for line in block.key_results
                if line.key_result.state != KeyResultState.KEY_RESULT_STATE_DROPPED
            }
    return {name: score for name, score in found.items() if score}


def applied(known: dict[str, str], moves: list[ScoreMove]) -> dict[str, str]:
    """A scorecard's lines after moves, each of which has to begin where the line was."""
    for move in moves:
        assert known.get(move.name, "") == move.score_before, move
        moved = Decimal(move.score_after or 0) - Decimal(move.score_before or 0)
        assert Decimal(move.difference) == moved
        known[move.name] = move.score_after
    return {name: score for name, score in known.items() if score}


def next_moves(answers: Iterator[WatchScoresResponse]) -> WatchScoresResponse:
    """The next answer that tells of events; checkpoints pass."""
    return next(answer for answer in answers if answer.event_positions)


def test_a_watch_begins_with_the_scorecard_and_goes_on_with_what_moves(running: Caller) -> None:
    with running.watch(WatchScoresRequest(cycle=NOW)) as answers:
        first = next(answers)
        assert first.scorecard == running.ask(scores.GetScorecardRequest(cycle=NOW)).scorecard
        assert not first.moves
        written = running.ask(check_in(WON, "4"))
        moved = next_moves(answers)
    assert list(moved.event_positions) == [written.position]
    assert not moved.HasField("scorecard")
    found = {m.name: (m.score_before, m.score_after, m.difference) for m in moved.moves}
    assert found == {
        WON: ("", "0.4", "0.4"),
        GROWTH: ("0", "0.4", "0.4"),
        "teams/sales": ("0", "0.4", "0.4"),
        NOW: ("0", "0.2", "0.2"),
    }
    assert next(m for m in moved.moves if m.name == WON).status_before == STATUS_PENDING


def test_what_is_told_adds_up_to_the_scorecard(running: Caller) -> None:
    changes = (
        check_in(WON, "4"),
        check_in(CALLS, "1"),
        align(LEADS, GROWTH, because=WHY),
        add("more", parent=GROWTH, target="2", because=WHY),
        check_in(f"{GROWTH}/keyResults/more", "2"),
        drop(WON, because=WHY),
        update_objective(LEADS, team="teams/sales", because=WHY),
        objective("late", new("new", target="1"), team="teams/sales", cycle=NOW, because=WHY),
        abandon(LEADS, because=WHY),
    )
    with running.watch(WatchScoresRequest(cycle=NOW)) as answers:
        known = lines(next(answers).scorecard)
        for change in changes:
            written = running.ask(change)
            while True:
                answer = next(answers)
                known = applied(known, list(answer.moves))
                if answer.position >= written.position:
                    break
            card = running.ask(scores.GetScorecardRequest(cycle=NOW)).scorecard
            assert known == lines(card), change


def test_a_team_is_told_of_its_own_and_of_what_comes_to_it(running: Caller) -> None:
    with running.watch(WatchScoresRequest(cycle=NOW, team="teams/sales")) as answers:
        first = next(answers)
        assert first.scorecard.team == "teams/sales"
        running.ask(check_in(CALLS, "4"))
        mine = running.ask(check_in(WON, "5"))
        assert list(next_moves(answers).event_positions) == [mine.position]
        came = running.ask(update_objective(LEADS, team="teams/sales", because=WHY))
        moved = next_moves(answers)
        assert list(moved.event_positions) == [came.position]
        names = {move.name: move for move in moved.moves}
        assert names[LEADS].status_before == STATUS_UNSPECIFIED
        assert (names[LEADS].score_before, names[LEADS].score_after) == ("", "1")
        assert names["teams/sales"].difference == "0.25"
        theirs = running.ask(check_in(CALLS, "2"))
        assert list(next_moves(answers).event_positions) == [theirs.position]


def test_what_contributes_from_elsewhere_bears_on_the_scores(running: Caller) -> None:
    running.ask(align(LEADS, GROWTH, because=WHY))
    with running.watch(WatchScoresRequest(cycle=NOW, team="teams/sales")) as answers:
        next(answers)
        written = running.ask(check_in(CALLS, "2"))
        moved = next_moves(answers)
    assert list(moved.event_positions) == [written.position]
    assert GROWTH in {move.name for move in moved.moves}


def test_a_resumed_watch_tells_what_moved_meanwhile(running: Caller) -> None:
    with running.watch(WatchScoresRequest(cycle=NOW)) as answers:
        token = next(answers).token
    running.all_of(check_in(WON, "4"), check_in(WON, "6"), team("else"))
    with running.watch(WatchScoresRequest(cycle=NOW, resume_token=token)) as answers:
        first = next(answers)
    assert first.position >= running.head() - 1
    found = {m.name: (m.score_before, m.score_after) for m in first.moves}
    assert found[WON] == ("", "0.6")
    assert lines(first.scorecard)[WON] == "0.6"


def test_events_that_come_together_are_told_of_together(running: Caller) -> None:
    """A caller that does not read gets fewer answers, not later ones."""
    with running.watch(WatchScoresRequest(cycle=NOW)) as answers:
        known = lines(next(answers).scorecard)
        values = [str(n % 11) for n in range(60)]
        with ThreadPoolExecutor(20) as callers:
            done = callers.map(lambda value: running.ask(check_in(WON, value)), values)
            written = sorted(each.position for each in done)
        told: list[int] = []
        count = 0
        while told[-1:] != written[-1:]:
            answer = next_moves(answers)
            told += answer.event_positions
            known = applied(known, list(answer.moves))
            count += 1
    assert told == written
    assert count < len(written)
    assert known == lines(running.ask(scores.GetScorecardRequest(cycle=NOW)).scorecard)


def test_an_idle_watch_tells_that_it_lives_and_how_far_it_is(running: Caller) -> None:
    with running.watch(WatchScoresRequest(cycle=NOW, checkpoint_seconds=1)) as answers:
        next(answers)
        running.ask(team("else-where"))
        head = running.head()
        while (answer := next(answers)).position < head:
            assert not answer.moves
        assert not next(answers).moves


def test_scores_that_move_because_a_day_begins_are_told(loop: LoopThread, tmp_path: Path) -> None:
    ahead = [timedelta()]

    def clock() -> int:
        return now_us() + ahead[0] // timedelta(microseconds=1)

    with whole_service(loop, tmp_path, clock=clock) as me:
        me.all_of(team("sales"), cycle("now", days_from_today(-2), days_from_today(40)))
        me.ask(objective("growth", new("won", target="10"), team="teams/sales", cycle=NOW))
        me.all_of(commit(NOW), check_in(WON, "1"))
        with me.watch(WatchScoresRequest(cycle=NOW, checkpoint_seconds=1)) as answers:
            first = next(answers)
            ahead[0] = timedelta(days=20)
            moved = next(answer for answer in answers if answer.moves)
    before, after = (date(a.day.year, a.day.month, a.day.day) for a in (first, moved))
    assert after - before == timedelta(days=20)
    assert not moved.event_positions
    assert {move.name for move in moved.moves} >= {WON, GROWTH}
    assert {move.difference for move in moved.moves} == {"0"}


@pytest.mark.parametrize(
    ("request_", "code", "reason", "fields"),
    [
        (WatchScoresRequest(), INVALID, "FIELD_INVALID", ["cycle"]),
        (WatchScoresRequest(cycle="cycles/none"), MISSING, "RESOURCE_NOT_FOUND", []),
        (WatchScoresRequest(cycle=NOW, team="teams/none"), MISSING, "RESOURCE_NOT_FOUND", []),
        (WatchScoresRequest(cycle=NOW, team="none"), INVALID, "FIELD_INVALID", ["team"]),
        (
            WatchScoresRequest(cycle=NOW, resume_token="A"),
            INVALID,
            "TOKEN_FOREIGN",
            ["resume_token"],
        ),
        (
            WatchScoresRequest(cycle=NOW, at_least_as_fresh="A"),
            *(INVALID, "TOKEN_FOREIGN", ["at_least_as_fresh"]),
        ),
        (
            WatchScoresRequest(cycle=NOW, checkpoint_seconds=3601),
            *(INVALID, "FIELD_INVALID", ["checkpoint_seconds"]),
        ),
    ],
    ids=lambda each: str(each)[:40].encode("unicode_escape").decode(),
)
def test_a_watch_that_cannot_be_is_refused(
    furnished: Caller,
    request_: WatchScoresRequest,
    code: StatusCode,
    reason: str,
    fields: list[str],
) -> None:
    with furnished.watch(request_) as answers:
        error = refused(lambda: next(answers))
    assert (error.code, error.reason, error.fields) == (code, reason, fields)


def test_a_token_of_a_lost_future_is_refused(furnished: Caller) -> None:
    status = furnished.ask(GetStatusRequest())
    lost = Tokens(status.log_id, status.epoch).token(status.head_position + 1)
    with furnished.watch(WatchScoresRequest(cycle=NOW, resume_token=lost)) as answers:
        error = refused(lambda: next(answers))
    assert (error.code, error.reason) == (REFUSED, "TOKEN_LOST")
