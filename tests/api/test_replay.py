"""A cycle played again: each frame is what a read of its instant says, and nothing is left out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from google.type.date_pb2 import Date
from grpc import StatusCode

from okr.v1 import score_service_pb2 as scores
from okr.v1.replay_service_pb2 import (
    REPLAY_KNOWLEDGE_NOW,
    REPLAY_KNOWLEDGE_THEN,
    REPLAY_STEP_DAY,
    REPLAY_STEP_EVENT,
    REPLAY_STEP_WEEK,
    ReplayCycleRequest,
    ReplayFrame,
    ReplayKnowledge,
    ReplayStep,
    WatchEventsRequest,
)
from okr.v1.values_pb2 import AsOf
from projections import known_check_ins
from projections.replay import replaying
from tests.api.case import INVALID, MISSING
from tests.api.conftest import days_from_today
from tests.support.ask import (
    AWARENESS,
    FOLLOWERS,
    Q3,
    TRAFFIC,
    abandon,
    add,
    adjust,
    align,
    check_in,
    commit,
    correct,
    cycle,
    day,
    drop,
    new,
    objective,
    retract,
    revise,
    team,
    update_objective,
)
from tests.support.serving import LoopThread, refused
from tests.support.whole import Caller, whole_service

FAR = 1 << 40
REVENUE = "objectives/revenue"
WON = f"{REVENUE}/keyResults/won"
SUM = f"{REVENUE}/keyResults/calls"


def at(iso: str, request: Any) -> Message:
    """A request whose source recorded it at that time, in UTC."""
    moment = datetime.fromisoformat(iso).replace(tzinfo=UTC)
    request.source_time.CopyFrom(Timestamp(seconds=int(moment.timestamp())))
    return request  # type: ignore[no-any-return]


def quarter(me: Caller) -> None:
    """The third quarter of 2024 as its teams lived it, imported today with the times of then."""
    why = "so it was"
    me.all_of(
        at("2024-06-10", team("company")),
        at("2024-06-10", team("marketing", parent="teams/company")),
        at("2024-06-10", team("sales", parent="teams/company")),
        at("2024-06-11", cycle(first="2024-07-01", last="2024-09-30", grace_days=5)),
        at("2024-06-12", objective()),
        at(
            "2024-06-13",
            objective(
                "revenue",
                new("won", target="20"),
                new("calls", target="100", aggregation="AGGREGATION_SUM"),
                team="teams/sales",
            ),
        ),
        at("2024-06-20", align(AWARENESS, REVENUE)),
        at("2024-07-01T08:00", commit()),
        at("2024-07-08T09:00", check_in(value="1050", on="2024-07-08")),
        at("2024-07-08T10:00", check_in(TRAFFIC, "2", on="2024-07-08")),
        at("2024-07-09", check_in(WON, "4", on="2024-07-08")),
        at("2024-07-10", check_in(SUM, "10", on="2024-07-10")),
        at("2024-07-22", check_in(value="1100", on="2024-07-22")),
        at("2024-07-24", check_in(SUM, "15", on="2024-07-24")),
        at("2024-08-05", adjust(
            revise(target="1100", mask=("target", "target_change_percent")),
            add("newsletter", target="100"),
            on="2024-08-05",
        )),
        # Late: a value of July, learnt in August; and one of July corrected in August.
        at("2024-08-07", check_in(value="1080", on="2024-07-15")),
        at("2024-08-08", correct(2, "1110", on="2024-07-22")),
        at("2024-08-12", check_in(SUM, "20", on="2024-08-01")),
        at("2024-08-13", check_in(SUM, "7", on="2024-08-13")),
        at("2024-08-14", retract(2, SUM)),
        at("2024-08-20", update_objective(team="teams/sales", on="2024-08-20", because=why)),
        at("2024-09-02", drop(TRAFFIC, on="2024-09-02", because=why)),
        at("2024-09-16", objective("extra", new("x", target="1"), on="2024-09-16", because=why)),
        at("2024-09-20", abandon("objectives/extra", on="2024-09-20", because=why)),
    )  # fmt: skip


@pytest.fixture(scope="module")
def told(loop: LoopThread, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A caller of a service that holds the quarter, and events of others around it."""
    with whole_service(loop, tmp_path_factory.mktemp("replayed")) as me:
        me.ask(team("others"))
        quarter(me)
        me.ask(cycle("else", first="2024-07-01", last="2024-09-30"))
        me.ask(objective("theirs", cycle="cycles/else", team="teams/others"))
        yield me


def frames(me: Caller, step: ReplayStep.ValueType, **fields: Any) -> list[ReplayFrame]:
    request = ReplayCycleRequest(cycle=Q3, step=step, **fields)
    with me.watch(request) as answers:
        return [answer.frame for answer in answers]


def iso(message: Date) -> str:
    return f"{message.year:04}-{message.month:02}-{message.day:02}"


def happened(found: Sequence[ReplayFrame]) -> list[int]:
    return [event.header.position for frame in found for event in frame.events]


def of_day(found: Sequence[ReplayFrame], on: str) -> ReplayFrame:
    return next(frame for frame in found if iso(frame.day) == on)


def score(frame: ReplayFrame, name: str) -> str:
    for block in frame.scorecard.objectives:
        for line in block.key_results:
            if line.key_result.name == name:
                return line.score
    raise AssertionError(f"{name} is not on the card")


@pytest.mark.parametrize("of_team", ["", "teams/sales", "teams/company"])
@pytest.mark.parametrize(
    ("step", "knowledge"),
    [
        (REPLAY_STEP_DAY, REPLAY_KNOWLEDGE_THEN),
        (REPLAY_STEP_DAY, REPLAY_KNOWLEDGE_NOW),
        (REPLAY_STEP_WEEK, REPLAY_KNOWLEDGE_THEN),
        (REPLAY_STEP_EVENT, REPLAY_KNOWLEDGE_THEN),
    ],
)
def test_a_frame_is_what_a_read_of_its_instant_says(
    told: Caller,
    step: ReplayStep.ValueType,
    knowledge: ReplayKnowledge.ValueType,
    of_team: str,
) -> None:
    found = frames(told, step, knowledge=knowledge, team=of_team)
    assert [frame.number for frame in found] == [*range(1, len(found) + 1)]
    for frame in found:
        as_of = AsOf(position=frame.known_position, effective_at=frame.day)
        asked = scores.GetScorecardRequest(cycle=Q3, team=of_team, as_of=as_of)
        assert frame.scorecard == told.ask(asked).scorecard, iso(frame.day)


@pytest.mark.parametrize("of_team", ["", "teams/sales"])
@pytest.mark.parametrize("step", [REPLAY_STEP_DAY, REPLAY_STEP_WEEK, REPLAY_STEP_EVENT])
def test_every_event_happens_once_and_moves_add_up(
    told: Caller, step: ReplayStep.ValueType, of_team: str
) -> None:
    found = frames(told, step, team=of_team)
    with told.watch(WatchEventsRequest(after_position=0, cycle=Q3, team=of_team)) as answers:
        watched = [e.header.position for e in next(answers).events]
    missing = set(watched) - set(happened(found))
    assert sorted(happened(found)) == happened(found)
    assert missing == set(), "before the cycle's first day everything is in the first frame"
    moved: defaultdict[str, Decimal] = defaultdict(Decimal)
    for frame in found:
        for move in frame.moves:
            moved[move.name] += Decimal(move.difference)
    for name in (Q3, *(line.team.name for line in found[-1].scorecard.teams)):
        first, last = (_score_of(frame, name) for frame in (found[0], found[-1]))
        assert moved[name] == last - first, name


def _score_of(frame: ReplayFrame, name: str) -> Decimal:
    if name == frame.scorecard.cycle.name:
        return Decimal(frame.scorecard.score or 0)
    found = {line.team.name: line.score for line in frame.scorecard.teams}
    return Decimal(found.get(name) or 0)


def test_days_and_weeks_are_those_of_the_cycle(told: Caller) -> None:
    by_day = [iso(frame.day) for frame in frames(told, REPLAY_STEP_DAY)]
    assert (by_day[0], by_day[-1], len(by_day)) == ("2024-07-01", "2024-10-05", 97)
    by_week = [iso(frame.day) for frame in frames(told, REPLAY_STEP_WEEK)]
    assert by_week[:2] == ["2024-07-07", "2024-07-14"]
    assert (by_week[-2], by_week[-1], len(by_week)) == ("2024-09-29", "2024-10-05", 14)


def test_then_and_now_differ_by_what_came_late(told: Caller) -> None:
    then = frames(told, REPLAY_STEP_DAY, knowledge=REPLAY_KNOWLEDGE_THEN)
    now = frames(told, REPLAY_STEP_DAY, knowledge=REPLAY_KNOWLEDGE_NOW)
    # On 20 July people saw 1050 of 1000 to 1200; 1080 of that week was learnt in August.
    assert score(of_day(then, "2024-07-20"), FOLLOWERS) == "0.25"
    assert score(of_day(now, "2024-07-20"), FOLLOWERS) == "0.4"
    # On 23 July they saw 1100; that it had been 1110 was learnt in August.
    assert score(of_day(then, "2024-07-23"), FOLLOWERS) == "0.5"
    assert score(of_day(now, "2024-07-23"), FOLLOWERS) == "0.55"
    # The second number of calls was counted twice, as they found out on 14 August.
    assert score(of_day(then, "2024-08-13"), SUM) == "0.52"
    assert score(of_day(then, "2024-08-14"), SUM) == "0.37"
    assert score(of_day(now, "2024-08-13"), SUM) == "0.37"
    assert then[-1].scorecard == now[-1].scorecard
    assert sorted(happened(now)) == happened(then)


def test_a_frame_tells_what_had_happened_and_what_it_moved(told: Caller) -> None:
    frame = of_day(frames(told, REPLAY_STEP_DAY), "2024-08-05")
    kinds = [event.header.event_type.rpartition(".")[2] for event in frame.events]
    assert kinds == ["StrategyAdjusted", "KeyResultRevised", "KeyResultAdded"]
    assert frame.event_count == 3
    moves = {move.name: (move.score_before, move.score_after) for move in frame.moves}
    # 1100 of 1000 to 1100 is all of it, where half of the way to 1200 was reached.
    assert moves[FOLLOWERS] == ("0.5", "1")
    assert moves[f"{AWARENESS}/keyResults/newsletter"][0] == ""
    assert frame.known_time.ToDatetime() == datetime(2024, 8, 5)  # noqa: DTZ001 - in UTC


def test_only_changes_leave_the_scorecard_out(told: Caller) -> None:
    whole = frames(told, REPLAY_STEP_EVENT)
    brief = frames(told, REPLAY_STEP_EVENT, changes_only=True)
    assert [frame.HasField("scorecard") for frame in brief] == [
        True, *[False] * (len(whole) - 2), True,
    ]  # fmt: skip
    for frame in whole[1:-1]:
        frame.ClearField("scorecard")
    assert brief == whole


def test_a_replay_begins_and_ends_where_it_is_asked_to(told: Caller) -> None:
    found = frames(
        told,
        REPLAY_STEP_DAY,
        first_day=day("2024-07-10"),
        as_of=AsOf(effective_at=day("2024-07-20")),
    )
    assert [iso(found[0].day), iso(found[-1].day)] == ["2024-07-10", "2024-07-20"]
    assert len(found) == 11
    assert score(found[-1], FOLLOWERS) == "0.25", "by what was known then, of the last day too"
    known = of_day(found, "2024-07-19").known_position
    until = frames(told, REPLAY_STEP_DAY, as_of=AsOf(position=known))
    assert max(happened(until)) == until[-1].known_position == known
    from_august = frames(told, REPLAY_STEP_EVENT, first_day=day("2024-08-01"))
    assert iso(from_august[0].day) == "2024-08-05"
    assert len(from_august[0].events) > 1, "the first frame has all that went before it"


def test_each_fact_is_read_once_however_many_frames(
    told: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    plain = known_check_ins.rows_of

    def counted(connection: Any, names: Sequence[str], known: int) -> Any:
        asked.extend(names)
        return plain(connection, names, known)

    monkeypatch.setattr(known_check_ins, "rows_of", counted)
    assert len(frames(told, REPLAY_STEP_DAY)) == 97
    assert len(asked) == len(set(asked)) == 6


def test_a_frame_shows_so_many_events_and_counts_the_others(
    told: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replaying, "SHOWN", 2)
    first = frames(told, REPLAY_STEP_WEEK)[0]
    assert (len(first.events), first.event_count) == (2, 9)


def test_a_cycle_that_runs_is_replayed_up_to_today(me: Caller) -> None:
    me.all_of(team(), cycle("q3", days_from_today(-10), days_from_today(40), time_zone="UTC"))
    me.all_of(objective(), commit(), check_in(value="1100"))
    found = frames(me, REPLAY_STEP_DAY)
    assert iso(found[-1].day) == days_from_today(0)
    assert score(found[-1], FOLLOWERS) == "0.5"
    assert len(frames(me, REPLAY_STEP_DAY, knowledge=REPLAY_KNOWLEDGE_NOW)) == 11
    assert [len(frame.events) for frame in frames(me, REPLAY_STEP_EVENT)][-2:] == [1, 1]


def test_frames_follow_the_events_in_order(told: Caller) -> None:
    found = frames(told, REPLAY_STEP_EVENT)
    assert all(a.known_position < b.known_position for a, b in pairwise(found))
    assert all(iso(a.day) <= iso(b.day) for a, b in pairwise(found))
    assert all(len(frame.events) == 1 for frame in found[1:])


def asked(**fields: Any) -> ReplayCycleRequest:
    return ReplayCycleRequest(**{"cycle": Q3, "step": REPLAY_STEP_DAY, **fields})


@pytest.mark.parametrize(
    ("request_", "code", "reason", "fields"),
    [
        (asked(step=0), INVALID, "FIELD_INVALID", ["step"]),
        (asked(step=9), INVALID, "FIELD_INVALID", ["step"]),
        (asked(cycle="q3"), INVALID, "FIELD_INVALID", ["cycle"]),
        (
            asked(step=REPLAY_STEP_EVENT, knowledge=REPLAY_KNOWLEDGE_NOW),
            INVALID,
            "FIELD_INVALID",
            [""],
        ),
        (asked(cycle="cycles/none"), MISSING, "RESOURCE_NOT_FOUND", []),
        (asked(team="teams/none"), MISSING, "RESOURCE_NOT_FOUND", []),
        (
            asked(first_day=Date(year=2024, month=2, day=30)),
            INVALID,
            "FIELD_INVALID",
            ["first_day"],
        ),
        (asked(first_day=day("2024-06-30")), INVALID, "DAY_OUTSIDE_CYCLE", ["first_day"]),
        (
            asked(first_day=day("2024-08-02"), as_of=AsOf(effective_at=day("2024-08-01"))),
            *(INVALID, "DAY_IN_FUTURE", ["first_day"]),
        ),
        (
            asked(as_of=AsOf(effective_at=day("2024-12-01"))),
            *(INVALID, "DAY_OUTSIDE_CYCLE", ["as_of.effective_at"]),
        ),
        (asked(as_of=AsOf(position=FAR)), StatusCode.OUT_OF_RANGE, "POSITION_AHEAD", []),
        (
            asked(as_of=AsOf(time=Timestamp(seconds=1))),
            *(StatusCode.OUT_OF_RANGE, "INSTANT_OUT_OF_RANGE", []),
        ),
        (asked(at_least_as_fresh="A"), INVALID, "TOKEN_FOREIGN", ["at_least_as_fresh"]),
    ],
    ids=lambda each: str(each)[:50].encode("unicode_escape").decode(),
)
def test_a_replay_that_cannot_be_is_refused(
    told: Caller, request_: ReplayCycleRequest, code: StatusCode, reason: str, fields: list[str]
) -> None:
    with told.watch(request_) as answers:
        error = refused(lambda: next(answers))
    assert (error.code, error.reason, error.fields) == (code, reason, fields)


def test_a_cycle_with_too_many_events_is_refused(
    told: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replaying, "EVENTS_AT_MOST", 10)
    with told.watch(asked()) as answers:
        error = refused(lambda: next(answers))
    assert (error.code, error.reason) == (StatusCode.RESOURCE_EXHAUSTED, "REPLAY_TOO_LARGE")
    assert error.info.metadata["limit"] == "10"
