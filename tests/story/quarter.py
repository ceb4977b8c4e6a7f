"""One quarter of marketing and sales, told to the service as its people lived it.

The third quarter of 2024 under the default policy; the service's clock is set as the story goes.
Marketing's `awareness` contributes to sales' `revenue`, and its leads support the customers.

    awareness   followers 10 000 → +20 %, traffic 50 000 → 60 000, leads 0 → 400 (a sum, weight 2)
    revenue     customers 0 → 80

Every Friday everything is measured, as `WEEKS` says. In week 6 leads' target becomes 240, traffic
is dropped and webinars, 0 → 10, come in its place: Anna proposes it on Tuesday, Bea approves it on
Wednesday. The CRM was silent for two weeks: its value of 26 July comes on 9 August, that of 2
August never. On 12 August a check-in of leads is corrected: the 20 of 12 July were 14. After the
quarter come the review with its lesson, the seal, an amendment, and customers go on in the next.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from okr.v1 import replay_service_pb2 as replay
from okr.v1 import score_service_pb2 as scores
from okr.v1.event_record_pb2 import Event
from okr.v1.resources_pb2 import Deviation, DueCheckIn
from okr.v1.values_pb2 import AsOf, Cadence, Category, PersonalText, ReviewKind
from tests.support.ask import (
    SUPPORTS,
    add,
    align,
    amend,
    approve,
    carry_over,
    check_in,
    close,
    commit,
    correct,
    cycle,
    day,
    drop,
    lesson,
    new,
    objective,
    propose,
    review,
    revise,
    team,
)
from tests.support.serving import LoopThread, Refused
from tests.support.whole import Caller, whole_service

Q3, Q4 = "cycles/q3", "cycles/q4"
COMPANY, MARKETING, SALES = "teams/company", "teams/marketing", "teams/sales"
AWARENESS, REVENUE, GROWTH = "objectives/awareness", "objectives/revenue", "objectives/growth"
FOLLOWERS: Final = f"{AWARENESS}/keyResults/followers"
TRAFFIC: Final = f"{AWARENESS}/keyResults/traffic"
LEADS: Final = f"{AWARENESS}/keyResults/leads"
WEBINARS: Final = f"{AWARENESS}/keyResults/webinars"
CUSTOMERS: Final = f"{REVENUE}/keyResults/customers"
GOES_ON: Final = f"{GROWTH}/keyResults/customers"
WEEK_6: Final = "adjustments/week-6"

ANNA: Final = [("okr-actor", "people/anna")]
BEA: Final = [("okr-actor", "people/bea")]
CSABA: Final = [("okr-actor", "people/csaba")]
CRM: Final = [("okr-actor", "services/crm")]

BUDAPEST: Final = ZoneInfo("Europe/Budapest")
WHY: Final = "A hirdetések kétszer annyiba kerülnek"
REASON: Final = Category.CATEGORY_MARKET_CHANGE
TELLING_SECONDS: Final = 100.0
ONCE: Final = "5f0c2a52-6d7e-4a2b-9d0e-3f5b1c2d4e6f"


class Week(NamedTuple):
    """What was measured on a Friday; leads are those of the week alone."""

    friday: str
    followers: str
    traffic: str
    leads: str
    customers: str
    webinars: str


WEEKS: Final = (
    Week("2024-07-05", "10200", "51000", "20", "4", ""),
    Week("2024-07-12", "10400", "51000", "20", "8", ""),
    Week("2024-07-19", "10600", "51000", "10", "12", ""),
    Week("2024-07-26", "10800", "51000", "5", "", ""),
    Week("2024-08-02", "10800", "51000", "5", "", ""),
    Week("2024-08-09", "11000", "", "36", "", "2"),
    Week("2024-08-16", "11200", "", "18", "24", "3"),
    Week("2024-08-23", "11400", "", "18", "32", "4"),
    Week("2024-08-30", "11600", "", "18", "40", "5"),
    Week("2024-09-06", "11700", "", "12", "44", "6"),
    Week("2024-09-13", "11800", "", "12", "48", "7"),
    Week("2024-09-20", "11900", "", "12", "52", "7"),
    Week("2024-09-27", "12000", "", "24", "56", "8"),
)
"""In week 6, on 9 August, the CRM says 20 customers, and 16 for 26 July."""

CONFIDENCE: Final = {FOLLOWERS: 8, TRAFFIC: 3, LEADS: 6, CUSTOMERS: 5, WEBINARS: 7}
"""The belief that each will land, the same every week."""


class Clock:
    """Tells the service the time that it is in the story."""

    def __init__(self) -> None:
        self.now = datetime(2024, 6, 24, 9, tzinfo=BUDAPEST)

    def __call__(self) -> int:
        return int(self.now.timestamp()) * 1_000_000

    def set(self, iso: str) -> None:
        """A time of day in Budapest, in ISO form; nine in the morning where it names a day."""
        moment = datetime.fromisoformat(iso).replace(tzinfo=BUDAPEST)
        self.now = moment if "T" in iso else moment + timedelta(hours=9)


@dataclass
class Told:
    """The story's service, and what it answered while the story was told.

    `planned` and `week_6` are the positions of plan commitment and of the head before the proposal;
    `deviating`, `due` and `before` were told then, `proposed` is the scorecard after it. What
    deviated in sales after the approval is `concerned`. The CRM recorded its 20 customers twice,
    then something else under the same request id; `moved` is what a watch was told.
    """

    me: Caller
    clock: Clock
    address: str
    events: list[Event] = field(default_factory=list)
    planned: int = 0
    week_6: int = 0
    deviating: list[Deviation] = field(default_factory=list)
    due: list[DueCheckIn] = field(default_factory=list)
    before: Any = None
    proposed: Any = None
    concerned: list[Deviation] = field(default_factory=list)
    first_try: Any = None
    second_try: Any = None
    other_content: Refused | None = None
    moved: Any = None
    sealed: Any = None
    amended: Any = None

    def scorecard(self, **fields: Any) -> Any:
        return self.me.ask(scores.GetScorecardRequest(cycle=Q3, **fields)).scorecard

    def key_result(self, name: str, as_of: AsOf | None = None) -> Any:
        return self.me.ask(scores.GetKeyResultRequest(name=name, as_of=as_of)).key_result


def at(time: str = "", on: str = "", position: int = 0) -> AsOf:
    """What was known at a time in Budapest or a position, of a day; now by default."""
    as_of = AsOf(effective_at=day(on) if on else None)
    if time:
        as_of.time.CopyFrom(moment(time))
    if position:
        as_of.position = position
    return as_of


def moment(iso: str) -> Timestamp:
    """A time of day in Budapest."""
    local = datetime.fromisoformat(iso).replace(tzinfo=BUDAPEST)
    return Timestamp(seconds=int(local.timestamp()))


@contextmanager
def telling(loop: LoopThread, folder: Path) -> Iterator[Told]:
    """A service that the story has been told to, and that goes on."""
    clock, address = Clock(), f"unix:{folder / 'okr.sock'}"
    with whole_service(loop, folder, clock=clock, listen=address) as me:
        told = Told(me, clock, address)
        everything = replay.WatchEventsRequest(after_position=0)
        with me.watch(everything, timeout=TELLING_SECONDS) as answers:
            _plan(told)
            _weeks(told, WEEKS[:5])
            _week_6(told)
            _weeks(told, WEEKS[6:])
            _end(told)
            told.events = _all_events(answers, me.head())
        yield told


def _plan(told: Told) -> None:
    me = told.me
    me.all_of(
        *(team("company"), team("marketing", parent=COMPANY), team("sales", parent=COMPANY)),
        cycle(
            first="2024-07-01",
            last="2024-09-30",
            cadence=Cadence.CADENCE_WEEKLY,
            adjustments_need_approval=True,
        ),
        objective(
            "awareness",
            new("followers", baseline="10000", target_change_percent="20", unit="követő"),
            new("traffic", baseline="50000", target="60000"),
            new("leads", target="400", weight="2", aggregation="AGGREGATION_SUM"),
            commitment="COMMITMENT_ASPIRATIONAL",
            owner=PersonalText(plain="people/anna"),
        ),
        objective(
            "revenue",
            new("customers", target="80"),
            team=SALES,
            commitment="COMMITMENT_COMMITTED",
            owner=PersonalText(plain="people/bea"),
        ),
        *(align(AWARENESS, REVENUE), align(LEADS, CUSTOMERS, SUPPORTS)),
    )
    told.clock.set("2024-07-01")
    told.planned = me.ask(commit(), BEA).position


def measured(name: str, value: str, on: str = "") -> Message:
    """A check-in with the confidence that is usual for it; of today if no day is named."""
    dated = {"on": on} if on else {}
    return check_in(name, value, confidence=CONFIDENCE[name], **dated)


def _weeks(told: Told, weeks: tuple[Week, ...]) -> None:
    for week in weeks:
        told.clock.set(week.friday)
        names = (FOLLOWERS, TRAFFIC, LEADS, WEBINARS)
        values = (week.followers, week.traffic, week.leads, week.webinars)
        for name, value in zip(names, values, strict=True):
            if value:
                told.me.ask(measured(name, value), CSABA)
        if week.customers:
            told.me.ask(measured(CUSTOMERS, week.customers), CRM)


def _week_6(told: Told) -> None:
    me = told.me
    told.clock.set("2024-08-06T10:00")
    told.week_6 = me.head()
    told.deviating = list(me.ask(scores.ListDeviationsRequest(cycle=Q3)).deviations)
    told.due = list(me.ask(scores.ListDueCheckInsRequest(team=SALES)).due_check_ins)
    told.before = told.scorecard()
    changes = (revise(LEADS, target="240"), drop(TRAFFIC), add("webinars", target="10"))
    me.ask(propose(*changes, because=WHY), ANNA)
    told.proposed = told.scorecard()

    told.clock.set("2024-08-07T16:00")
    me.ask(approve(reason="Megbeszéltük"), BEA)
    told.concerned = list(me.ask(scores.ListDeviationsRequest(team=SALES)).deviations)
    me.ask(review(participants=["people/anna", "people/bea"], adjustments=[WEEK_6]), BEA)

    _weeks(told, WEEKS[5:6])
    me.ask(measured(CUSTOMERS, "16", on="2024-07-26"), CRM)
    again = {"confidence": CONFIDENCE[CUSTOMERS], "request_id": ONCE}
    with me.watch(replay.WatchScoresRequest(cycle=Q3)) as answers:
        next(answers)
        told.first_try = me.ask(check_in(CUSTOMERS, "20", **again), CRM)
        told.second_try = me.ask(check_in(CUSTOMERS, "20", **again), CRM)
        told.other_content = me.refused(check_in(CUSTOMERS, "21", **again), CRM)
        told.moved = next(answer for answer in answers if answer.event_positions)

    told.clock.set("2024-08-12")
    me.ask(correct(2, "14", LEADS, reason="Hat kétszer szerepelt"), ANNA)


def _end(told: Told) -> None:
    me = told.me
    told.clock.set("2024-10-01")
    me.ask(review("q3", ReviewKind.REVIEW_KIND_QUARTERLY, participants=["people/anna"]), BEA)
    late = lesson(LEADS, "Egy hónappal előbb kellett volna", review="reviews/q3")
    me.ask(late, ANNA)
    told.clock.set("2024-10-02")
    told.sealed = me.ask(close(because="Vége a negyedévnek"), BEA)
    me.ask(cycle("q4", first="2024-10-01", last="2024-12-31"))
    me.ask(objective("growth", cycle=Q4, team=SALES, bare=True))
    me.ask(carry_over(CUSTOMERS, GROWTH, baseline="56", target="100"), BEA)
    told.clock.set("2024-10-10")
    gone = "Két ügyfél visszalépett"
    told.amended = me.ask(amend(CUSTOMERS, gone, amended_value="54", amended_score="0.675"), BEA)


def _all_events(answers: Iterator[Any], head: int) -> list[Event]:
    """What a watch has told up to a position."""
    found: list[Event] = []
    for answer in answers:
        found.extend(answer.events)
        if answer.position >= head:
            break
    return found
