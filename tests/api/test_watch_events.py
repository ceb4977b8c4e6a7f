"""Watching the ledger: every event once and in order, filtered, resumed, refused."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message
from grpc import StatusCode

from ledger.event import Record
from ledger.log.sqlite.recorder import LedgerRecorder
from ledger.tokens import Tokens
from okr.v1 import audit_service_pb2 as audit
from okr.v1.operations_service_pb2 import GetStatusRequest
from okr.v1.replay_service_pb2 import WatchEventsRequest, WatchEventsResponse
from projections.replay import tail, watching
from projections.replay.belonging import Belonging
from server import running
from service.exchange import Gate
from service.load import Loads
from service.settings import Settings
from tests.api.case import INVALID, MISSING, REFUSED
from tests.support.appended import append_team_events
from tests.support.ask import (
    AWARENESS,
    FOLLOWERS,
    Q3,
    SUPPORTS,
    TRAFFIC,
    add,
    adjust,
    align,
    check_in,
    commit,
    cycle,
    new,
    objective,
    propose,
    reject,
    retract,
    revise,
    team,
    update_objective,
    update_team,
)
from tests.support.databases import ledger
from tests.support.serving import LoopThread, Refused, refused
from tests.support.whole import Caller, path_of, whole_service

FAR = 1 << 40
MIB = 1024 * 1024
WON = "objectives/revenue/keyResults/won"


def from_beginning(**filters: Any) -> WatchEventsRequest:
    return WatchEventsRequest(after_position=0, **filters)


def until_caught_up(answers: Iterator[WatchEventsResponse]) -> list[WatchEventsResponse]:
    """The answers up to the first that has caught up."""
    found = []
    for answer in answers:
        found.append(answer)
        if answer.caught_up:
            break
    return found


def positions(me: Caller, **filters: Any) -> list[int]:
    """The positions of the events that pass the filters, of the whole ledger."""
    with me.watch(from_beginning(**filters)) as answers:
        found = until_caught_up(answers)
    assert found[-1].position == me.head()
    return [event.header.position for answer in found for event in answer.events]


def said(me: Caller, request: Message) -> Refused:
    """What a watch is refused with."""
    with me.watch(request) as answers:
        return refused(lambda: next(answers))


# What comes


def test_a_watch_catches_up_and_goes_live_without_a_gap(me: Caller) -> None:
    me.all_of(*(team(f"t{i}") for i in range(5)))
    with me.watch(from_beginning()) as answers:
        first = until_caught_up(answers)
        assert [e.header.position for a in first for e in a.events] == [1, 2, 3, 4, 5]
        for number in range(6, 12):
            me.ask(team(f"t{number}"))
            live = next(answers)
            assert [event.header.position for event in live.events] == [number]
            assert (live.position, live.caught_up) == (number, True)


def test_an_event_comes_as_the_audit_shows_it(furnished: Caller) -> None:
    with furnished.watch(from_beginning()) as answers:
        watched = [event for answer in until_caught_up(answers) for event in answer.events]
    assert watched == list(furnished.ask(audit.ListEventsRequest(page_size=1000)).events)


def test_a_watch_from_now_begins_with_the_head(furnished: Caller) -> None:
    with furnished.watch(WatchEventsRequest(from_now=True)) as answers:
        first = next(answers)
        assert not first.events
        assert (first.position, first.caught_up) == (furnished.head(), True)
        written = furnished.ask(check_in(on="2024-07-09"))
        assert [event.header.position for event in next(answers).events] == [written.position]


def test_a_decision_of_several_events_is_not_torn_when_it_comes_live(furnished: Caller) -> None:
    with furnished.watch(WatchEventsRequest(from_now=True)) as answers:
        next(answers)
        made = furnished.ask(adjust(add("a1", target="2"), add("a2", target="2"), name="torn"))
        live = next(answers)
        first, last = made.adjustment.first_position, made.adjustment.last_position
        assert [event.header.position for event in live.events] == [*range(first, last + 1)]


def test_large_pages_stay_below_the_limit_of_a_message(me: Caller) -> None:
    me.all_of(team(), cycle(), objective(), commit())
    me.all_of(*(check_in(on="2026-07-02", note="🚀" * 4000) for _ in range(200)))
    with me.watch(from_beginning()) as answers:
        found = until_caught_up(answers)
    assert len(found) > 1
    assert max(answer.ByteSize() for answer in found) < 4 * 1024 * 1024
    told = [event.header.position for answer in found for event in answer.events]
    assert told == [*range(1, me.head() + 1)]


def test_positions_grow_and_every_answer_can_be_resumed(
    me: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tail, "PAGE", 16)
    me.all_of(*(team(f"t{i}") for i in range(100)))
    with me.watch(from_beginning()) as answers:
        found = until_caught_up(answers)
    assert all(before.position < after.position for before, after in pairwise(found))
    for answer in found:
        with me.watch(WatchEventsRequest(resume_token=answer.token)) as again:
            rest = [e.header.position for a in until_caught_up(again) for e in a.events]
        assert rest == [*range(answer.position + 1, 101)]


# Checkpoints


def test_an_idle_watch_tells_that_it_lives(furnished: Caller) -> None:
    head = furnished.head()
    with furnished.watch(WatchEventsRequest(from_now=True, checkpoint_seconds=1)) as answers:
        for _ in range(3):
            answer = next(answers)
            assert (len(answer.events), answer.position, answer.caught_up) == (0, head, True)


def test_the_position_moves_while_the_filters_hold_everything_back(me: Caller) -> None:
    me.all_of(team(), team("sales"))
    wanted = WatchEventsRequest(from_now=True, stream="teams/none", checkpoint_seconds=1)
    with me.watch(wanted) as answers:
        assert next(answers).position == 2
        me.all_of(*(team(f"t{i}") for i in range(20)))
        checkpoint = next(answers)
        assert not checkpoint.events
        assert checkpoint.position == 22
    with me.watch(WatchEventsRequest(resume_token=checkpoint.token)) as answers:
        assert next(answers).position == 22


def test_a_long_way_without_events_is_told_of_on_the_way(
    me: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "CHECKPOINT_EVENTS", 40)
    monkeypatch.setattr(tail, "PAGE", 16)
    me.all_of(*(team(f"t{i}") for i in range(70)))
    with me.watch(from_beginning(event_types=["okr.v1.CycleDrafted"])) as answers:
        found = until_caught_up(answers)
    assert [(len(a.events), a.caught_up) for a in found] == [(0, False), (0, True)]
    assert [answer.position for answer in found] == [48, 70]


# Filters


def test_a_stream_and_types_are_told_apart(furnished: Caller) -> None:
    recorded = "okr.v1.CheckInRecorded"
    events = furnished.ask(audit.ListEventsRequest(page_size=1000)).events
    for stream, kinds in (
        (AWARENESS, []),
        ("alignment", []),
        ("", [recorded]),
        ("", [recorded, "okr.v1.Aligned"]),
        (AWARENESS, [recorded]),
        ("cycles/none", []),
    ):
        wanted = [
            event.header.position
            for event in events
            if stream in ("", event.header.stream)
            and (not kinds or event.header.event_type in kinds)
        ]
        assert positions(furnished, stream=stream, event_types=kinds) == wanted


@pytest.fixture
def groups(me: Caller) -> Caller:
    """Two quarters and a tree of teams; what each event is about is said beside it."""
    # 1 company, 2 marketing (below it), 3 sales, 4 and 5 the quarters
    me.all_of(team("company"), team("marketing", parent="teams/company"), team("sales"))
    me.all_of(cycle(first="2024-07-01", last="2024-09-30"))
    me.all_of(cycle("q4", first="2024-10-01", last="2024-12-31"))
    # 6 to 8 awareness (marketing, q3), 9 and 10 revenue (sales, q3), 11 and 12 winter (sales, q4)
    me.all_of(objective(), objective("revenue", new("won", target="20"), team="teams/sales"))
    me.all_of(objective("winter", new("cold", target="2"), team="teams/sales", cycle="cycles/q4"))
    # 13 revenue supports awareness, 14 the plan, 15 a check-in of awareness, 16 one of revenue
    me.all_of(align("objectives/revenue", AWARENESS, SUPPORTS), commit())
    me.all_of(check_in(on="2024-07-08"), check_in(WON, "3", on="2024-07-08"))
    # 17 and 18 an adjustment of awareness
    me.ask(adjust(revise(TRAFFIC, target="30"), on="2024-08-01"))
    # 19 awareness moves to sales, 20 a check-in of it there, 21 sales moves below the company
    me.ask(update_objective(team="teams/sales", on="2024-08-02", because="a new team"))
    me.all_of(check_in(on="2024-08-03"), update_team("teams/sales", parent="teams/company"))
    # 22 a check-in of revenue, now below the company, 23 a retraction
    me.all_of(check_in(WON, "4", on="2024-08-04"), retract(1))
    return me


def test_a_cycle_has_its_own_events(groups: Caller) -> None:
    q3 = [4, 6, 7, 8, 9, 10, *range(13, 21), 22, 23]
    assert positions(groups, cycle=Q3) == q3
    assert positions(groups, cycle="cycles/q4") == [5, 11, 12]


def test_a_team_has_the_events_of_its_objectives_and_of_the_teams_below_it(
    groups: Caller,
) -> None:
    awareness_at_marketing = [6, 7, 8, 13, 15, 17, 18, 19]
    assert positions(groups, team="teams/marketing") == [2, *awareness_at_marketing]
    sales = [3, 9, 10, 11, 12, 13, 16, 19, 20, 21, 22, 23]
    assert positions(groups, team="teams/sales") == sales
    # Sales comes below the company at 21, and what was before stays where it was.
    company = [1, 2, *awareness_at_marketing, 21, 22, 23]
    assert positions(groups, team="teams/company") == company


def test_filters_are_all_to_be_passed(groups: Caller) -> None:
    assert positions(groups, team="teams/sales", cycle=Q3) == [9, 10, 13, 16, 19, 20, 22, 23]
    assert positions(groups, team="teams/sales", stream=AWARENESS) == [19, 20, 23]
    recorded = ["okr.v1.CheckInRecorded"]
    assert positions(groups, team="teams/company", event_types=recorded) == [15, 22]


def test_a_proposal_is_of_whom_it_would_change(furnished: Caller) -> None:
    careful = "objectives/careful/keyResults/followers"
    proposed = furnished.ask(
        propose(revise(careful, target="1500"), name="p", cycle="cycles/approved", on="2024-08-01")
    )
    rejected = furnished.ask(reject("p"))
    both = [proposed.position, rejected.position]
    for filters in ({"team": "teams/marketing"}, {"cycle": "cycles/approved"}):
        assert positions(furnished, stream="adjustments/p", **filters) == both
    for others in ({"team": "teams/sales"}, {"cycle": Q3}):
        assert positions(furnished, stream="adjustments/p", **others) == []


def test_whose_an_event_is_does_not_depend_on_when_it_is_watched(groups: Caller) -> None:
    """Live, one by one, the same pass as from the beginning."""
    wanted = WatchEventsRequest(from_now=True, team="teams/company", cycle=Q3)
    with groups.watch(wanted) as answers:
        after = next(answers).position
        groups.ask(check_in(on="2024-08-05"))
        groups.ask(update_objective(team="teams/marketing", on="2024-08-06", because="back"))
        groups.ask(update_team("teams/marketing", mask=("parent",)))
        groups.ask(check_in(on="2024-08-07"))
        groups.ask(check_in(WON, "5", on="2024-08-07"))
        live: list[int] = []
        while len(live) < 3:
            live += [event.header.position for event in next(answers).events]
    assert live == [after + 1, after + 2, after + 5]
    again = positions(groups, team="teams/company", cycle=Q3)
    assert [position for position in again if position > after] == live


def test_tables_that_are_built_again_hold_a_watch_up_and_lose_nothing(
    groups: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = Belonging.of
    asked: list[int] = []

    def thrown_away_at_first(belonging: Belonging, records: Sequence[Record]) -> Any:
        asked.append(len(records))
        return plain(belonging, records) if len(asked) > 2 else None

    monkeypatch.setattr(Belonging, "of", thrown_away_at_first)
    assert positions(groups, cycle="cycles/q4") == [5, 11, 12]
    assert len(asked) == 3


# What is refused


@pytest.mark.parametrize(
    ("request_", "code", "reason", "fields"),
    [
        (WatchEventsRequest(), INVALID, "FIELD_INVALID", ["start"]),
        (WatchEventsRequest(resume_token=""), INVALID, "FIELD_INVALID", ["resume_token"]),
        (WatchEventsRequest(resume_token="AAAA"), INVALID, "TOKEN_FOREIGN", ["resume_token"]),
        (WatchEventsRequest(resume_token="é"), INVALID, "TOKEN_FOREIGN", ["resume_token"]),
        (WatchEventsRequest(resume_token="x" * 201), INVALID, "FIELD_INVALID", ["resume_token"]),
        (WatchEventsRequest(after_position=-1), INVALID, "FIELD_INVALID", ["after_position"]),
        (WatchEventsRequest(after_position=FAR), StatusCode.OUT_OF_RANGE, "POSITION_AHEAD", []),
        (WatchEventsRequest(from_now=False), INVALID, "FIELD_INVALID", ["from_now"]),
        (from_beginning(stream="*"), INVALID, "FIELD_INVALID", ["stream"]),
        (from_beginning(event_types=["Aligned"]), INVALID, "FIELD_INVALID", ["event_types[0]"]),
        (from_beginning(team="marketing"), INVALID, "FIELD_INVALID", ["team"]),
        (from_beginning(cycle="teams/q3"), INVALID, "FIELD_INVALID", ["cycle"]),
        (from_beginning(checkpoint_seconds=-1), INVALID, "FIELD_INVALID", ["checkpoint_seconds"]),
        (from_beginning(at_least_as_fresh="A"), INVALID, "TOKEN_FOREIGN", ["at_least_as_fresh"]),
        (from_beginning(team="teams/none"), MISSING, "RESOURCE_NOT_FOUND", []),
        (from_beginning(cycle="cycles/none"), MISSING, "RESOURCE_NOT_FOUND", []),
    ],
    ids=lambda each: str(each)[:40].encode("unicode_escape").decode(),
)
def test_a_watch_that_cannot_be_is_refused(
    furnished: Caller, request_: Message, code: StatusCode, reason: str, fields: list[str]
) -> None:
    error = said(furnished, request_)
    assert (error.code, error.reason) == (code, reason), error.message
    assert error.fields == fields


def test_a_position_beyond_the_head_names_both(furnished: Caller) -> None:
    head = furnished.head()
    error = said(furnished, WatchEventsRequest(after_position=head + 1))
    assert (error.code, error.reason) == (StatusCode.OUT_OF_RANGE, "POSITION_AHEAD")
    assert error.info.metadata == {"position": str(head + 1), "head": str(head)}
    with furnished.watch(WatchEventsRequest(after_position=head)) as answers:
        assert next(answers).position == head


def test_a_token_of_a_lost_future_or_another_ledger_is_refused(furnished: Caller) -> None:
    status = furnished.ask(GetStatusRequest())
    ours = Tokens(status.log_id, status.epoch)
    for lost in (ours.token(status.head_position + 1), Tokens(status.log_id, 9).token(1)):
        error = said(furnished, WatchEventsRequest(resume_token=lost))
        assert (error.code, error.reason) == (REFUSED, "TOKEN_LOST")
    error = said(furnished, WatchEventsRequest(resume_token=Tokens("another", 1).token(1)))
    assert (error.code, error.reason) == (INVALID, "TOKEN_FOREIGN")
    with furnished.watch(WatchEventsRequest(resume_token=ours.token(3))) as answers:
        assert next(answers).events[0].header.position == 4


def test_a_token_of_a_write_is_where_a_watch_may_begin(furnished: Caller) -> None:
    token = furnished.ask(check_in(on="2024-07-10")).token
    written = furnished.ask(check_in(FOLLOWERS, on="2024-07-11"))
    with furnished.watch(WatchEventsRequest(resume_token=token)) as answers:
        assert [event.header.position for event in next(answers).events] == [written.position]


# Streams and the server


def test_streams_above_the_limit_are_told_when_to_come_back(
    loop: LoopThread, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.Gate", lambda **_: Gate(loads=Loads(streams=2)))
    with whole_service(loop, tmp_path) as me:
        wanted = WatchEventsRequest(from_now=True)
        with me.watch(wanted) as first:
            next(first)
            with me.watch(wanted) as second:
                next(second)
                error = said(me, wanted)
                assert (error.code, error.reason) == (StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED")
                assert error.retry.HasField("retry_delay")
                assert me.ask(team()).position == 1, "other calls go on"
        until(lambda: not refuses(me, wanted))


def last_word(answers: Iterator[bytes]) -> Refused:
    """What a stream ends with, after whatever it still brings."""
    return refused(lambda: list(answers)[:0])


def refuses(me: Caller, request: Message) -> bool:
    with me.watch(request) as answers:
        try:
            next(answers)
        except grpc.RpcError:
            return True
        return False


def until(holds: Any, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@contextmanager
def ending(loop: LoopThread, folder: Path) -> Iterator[tuple[Caller, Callable[[], float]]]:
    """A caller of a service that gives its calls a minute, and what ends it: gives the seconds."""
    database = ledger(folder)
    settings = Settings(
        database_url=database.url,
        database_schema=database.schema,
        listen="127.0.0.1:0",
        drain_seconds=60.0,
    )
    service = running(settings)
    address = loop.run(service.__aenter__())

    def end() -> float:
        began = time.monotonic()
        loop.run(service.__aexit__(None, None, None))
        return time.monotonic() - began

    with grpc.insecure_channel(address) as channel:
        yield Caller(channel), end


def raw(me: Caller) -> AbstractContextManager[Iterator[bytes]]:
    """A watch from the beginning whose answers stay bytes."""
    request = from_beginning()
    return me.stream(path_of(request), request.SerializeToString())


def test_an_open_stream_does_not_hold_up_the_end_and_is_told_why(
    loop: LoopThread, tmp_path: Path
) -> None:
    errors: list[Refused] = []
    with ending(loop, tmp_path) as (me, end):
        me.all_of(*(team(f"t{i}") for i in range(30)))
        with raw(me) as idle, raw(me) as unread:
            next(idle)
            waiting = threading.Thread(target=lambda: errors.append(last_word(idle)))
            waiting.start()
            assert end() < 20
            waiting.join(10)
            errors.append(last_word(unread))
    for error in errors:
        assert (error.code, error.reason) == (StatusCode.UNAVAILABLE, "SHUTTING_DOWN")
        assert error.retry.HasField("retry_delay")


def test_a_caller_that_does_not_read_is_cut_off_at_the_end(
    loop: LoopThread, tmp_path: Path
) -> None:
    append_team_events(ledger(tmp_path), 2000, title_length=20_000)
    with ending(loop, tmp_path) as (me, end), raw(me) as stuck:
        next(stuck)
        time.sleep(0.3)
        assert end() < 20
        assert last_word(stuck).code in (StatusCode.UNAVAILABLE, StatusCode.CANCELLED)


# Callers that are slow or gone


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The bytes of each page that the service reads from its log."""
    sizes: list[int] = []
    plain = LedgerRecorder.read

    def counted(log: LedgerRecorder, *arguments: Any) -> list[Record]:
        records = plain(log, *arguments)
        sizes.append(sum(len(record.payload) for record in records))
        return records

    monkeypatch.setattr(LedgerRecorder, "read", counted)
    return sizes


def test_a_caller_that_does_not_read_makes_the_service_stop_reading(
    loop: LoopThread, tmp_path: Path, read: list[int]
) -> None:
    count = 3000
    append_team_events(ledger(tmp_path), count, title_length=20_000)
    with whole_service(loop, tmp_path, follower="separate") as me:
        read.clear()
        with me.watch(from_beginning()) as answers:
            first = next(answers)
            settled = -1
            while settled != len(read):
                settled = len(read)
                time.sleep(0.3)
            # What lies between is in the transport's windows, whose size does not grow.
            assert sum(read) < 12 * MIB < count * 20_000 // 4
            rest = until_caught_up(answers)
    told = [event.header.position for answer in [first, *rest] for event in answer.events]
    assert told == [*range(1, count + 1)]


def test_what_a_caller_leaves_behind_is_cleared_away(
    loop: LoopThread, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate()
    monkeypatch.setattr("server.Gate", lambda **_: gate)
    with whole_service(loop, tmp_path) as me:
        me.all_of(*(team(f"t{i}") for i in range(30)))
        for wanted in (from_beginning(), WatchEventsRequest(from_now=True)):
            for _ in range(10):
                with me.watch(wanted) as answers:
                    next(answers)
        until(lambda: gate.calls == 0)
        assert len(gate.streams) == 0
