"""Lists of history through filters and in other orders."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest

from okr.v1 import audit_service_pb2 as audit
from okr.v1.values_pb2 import Category
from projections.audit import events as event_list
from projections.audit import revision_lists
from tests.api.story import ANNA, BEA, NEWSLETTER, Told, at, told
from tests.support.ask import (
    AWARENESS,
    FOLLOWERS,
    Q3,
    TRAFFIC,
    WHY,
    add,
    adjust,
    approve,
    commit,
    cycle,
    drop,
    objective,
    propose,
    reject,
    revise,
    team,
    update_objective,
)
from tests.support.serving import LoopThread
from tests.support.whole import Caller, whole_service

CILI: Final = [("okr-actor", "people/cili")]
EVERY: Final = "objectives/-/keyResults/-"
KNOWN: Final = 31
"""The position of the last event before the tests' own."""


@pytest.fixture(scope="module")
def story(loop: LoopThread, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    """The story, then two proposals of Bea's, a move to sales, and a learning, backdated."""
    with whole_service(loop, tmp_path_factory.mktemp("story")) as me:
        story = told(me)
        me.ask(propose(drop(NEWSLETTER), name="drop", on="2024-08-26"), BEA)
        me.ask(approve("drop", because="Rendben"), CILI)
        me.ask(propose(add("podcast", target="5"), name="podcast", on="2024-08-27"), BEA)
        me.ask(reject("podcast", because="Nincs rá ember"), CILI)
        me.ask(update_objective(team="teams/sales", on="2024-08-30", because=WHY), ANNA)
        learnt = revise(TRAFFIC, target="12", weight="2", on="2024-07-15")
        learnt.reason, learnt.category = "Alábecsültük", Category.CATEGORY_LEARNING
        me.ask(learnt, ANNA)
        me.ask(cycle("q4", first="2024-10-01", last="2024-12-31"))
        yield story


def revisions(me: Caller, filter_: str, **fields: Any) -> list[str]:
    """The short names of the quarter's revisions that pass a filter."""
    request = audit.ListKeyResultRevisionsRequest(parent=EVERY, cycle=Q3, filter=filter_, **fields)
    return ["/".join(each.name.split("/")[3::2]) for each in me.ask(request).revisions]


@pytest.mark.parametrize(
    ("filter_", "expected"),
    [
        ("actor = people/anna", "traffic/2 newsletter/1 followers/2"),
        ("actor = services/crm AND on_behalf_of:*", "followers/3"),
        ("field : target", "traffic/2 followers/3 followers/2"),
        ("field : target AND NOT field : weight", "followers/3 followers/2"),
        ("category = LEARNING", "traffic/2"),
        (
            "category:* AND category != LEARNING",
            "newsletter/2 followers/3 newsletter/1 followers/2",
        ),
        ("reason : 'ALÁB'", "traffic/2"),
        ("after_plan_commitment = false", "traffic/1 followers/1 customers/1"),
        ("event_type = KeyResultDropped", "newsletter/2"),
        ("adjustment = adjustments/week-6", "newsletter/1 followers/2"),
        ("subject : objectives/awareness/keyResults/traffic", "traffic/2 traffic/1"),
        ("team = teams/sales", "traffic/2 customers/1"),
        ("team = teams/sales AND after_plan_commitment = true", "traffic/2"),
        ("effective_date <= 2024-07-15", "traffic/2 traffic/1 followers/1 customers/1"),
        ("effective_date = 2024-07-01", "traffic/1 followers/1 customers/1"),
        ("recorded_time < 2024-01-01T00:00:00Z", ""),
        ("field : target AND actor = people/anna OR field : weight", "traffic/2 followers/2"),
    ],
)  # fmt: skip
def test_revisions_pass_a_filter(story: Told, filter_: str, expected: str) -> None:
    assert revisions(story.me, filter_) == expected.split()


def test_revisions_are_found_by_the_time_and_position_of_others(story: Told) -> None:
    me = story.me
    listed = me.ask(audit.ListKeyResultRevisionsRequest(parent=EVERY, cycle=Q3)).revisions
    for each in listed:
        time = each.recorded_time.ToJsonString()
        later = [
            o
            for o in listed
            if o.recorded_time.ToMicroseconds() >= each.recorded_time.ToMicroseconds()
        ]
        short = ["/".join(o.name.split("/")[3::2]) for o in later]
        assert revisions(me, f'recorded_time >= "{time}"') == short
        own = "/".join(each.name.split("/")[3::2])
        assert revisions(me, f"position = {each.position}") == [own]


def test_lists_of_one_and_of_objectives_take_filters_too(story: Told) -> None:
    one = audit.ListKeyResultRevisionsRequest(
        parent=FOLLOWERS, filter="actor : services AND on_behalf_of:*"
    )
    assert [each.number for each in story.me.ask(one).revisions] == [3]
    moved = audit.ListObjectiveRevisionsRequest(
        parent="objectives/-", cycle=Q3, filter="field : team AND team = teams/marketing"
    )
    assert [each.name for each in story.me.ask(moved).revisions] == [f"{AWARENESS}/revisions/2"]


def test_revisions_come_in_the_order_asked_for(story: Told) -> None:
    me = story.me
    upwards = revisions(me, "", order_by="position")
    assert upwards == revisions(me, "")[::-1] == revisions(me, "", order_by="position desc")[::-1]
    by_day = revisions(me, "", order_by="effective_date")
    assert by_day == [
        *("customers/1", "followers/1", "traffic/1", "traffic/2", "followers/2", "newsletter/1"),
        *("followers/3", "newsletter/2"),
    ]
    assert revisions(me, "", order_by=" effective_date  desc ") == by_day[::-1]
    paged = paged_names(me, order_by="effective_date", filter="field:* OR category:*")
    assert paged == [name for name in by_day if name[-1] != "1" or "newsletter" in name]


def paged_names(me: Caller, **fields: Any) -> list[str]:
    """The names of the quarter's revisions, by two, while others write."""
    request = audit.ListKeyResultRevisionsRequest(parent=EVERY, cycle=Q3, page_size=2, **fields)
    names: list[str] = []
    while True:
        page = me.ask(request)
        names += ["/".join(each.name.split("/")[3::2]) for each in page.revisions]
        if not page.next_page_token:
            return names
        request.page_token = page.next_page_token
        me.ask(team(f"t-{me.head()}"))


def test_a_page_token_goes_with_its_filter_and_order_only(story: Told) -> None:
    request = audit.ListKeyResultRevisionsRequest(
        parent=EVERY, cycle=Q3, page_size=1, filter="field : target", order_by="position"
    )
    token = story.me.ask(request).next_page_token
    for change in ({"filter": "field : weight"}, {"order_by": "position desc"}):
        other = audit.ListKeyResultRevisionsRequest(
            parent=EVERY, cycle=Q3, page_size=1, filter="field : target", order_by="position",
            page_token=token,
        )  # fmt: skip
        for name, value in change.items():
            setattr(other, name, value)
        assert story.me.refused(other).reason == "PAGE_TOKEN_INVALID"


@pytest.mark.parametrize(
    ("filter_", "expected"),
    [
        ("state = APPLIED", "week-6 drop"),
        ("state != ADJUSTMENT_STATE_APPLIED", "podcast"),
        ("proposer = people/bea OR proposer = services/crm", "drop podcast"),
        ("decider = people/cili AND state = REJECTED", "podcast"),
        ("actor = people/cili", "drop"),
        ("on_behalf_of = people/bea", "podcast"),
        ("field : target", "week-6"),
        ("subject = objectives/awareness/keyResults/podcast", "podcast"),
        ("subject : objectives/awareness", "week-6 drop podcast"),
        ("team = teams/marketing", "week-6 drop podcast"),
        ("team = teams/sales", ""),
        ("title : week AND effective_date < 2024-08-26", "week-6"),
        ("category = MARKET_CHANGE AND reason : market", "week-6 drop podcast"),
        ("recorded_time > 2024-01-01T00:00:00Z AND position > 0", "week-6 drop podcast"),
    ],
)
def test_adjustments_pass_a_filter(story: Told, filter_: str, expected: str) -> None:
    request = audit.ListAdjustmentsRequest(cycle=Q3, filter=filter_)
    found = [each.name.rpartition("/")[2] for each in story.me.ask(request).adjustments]
    assert found == expected.split()


def test_adjustments_come_in_the_order_asked_for(story: Told) -> None:
    def names(**fields: Any) -> list[str]:
        request = audit.ListAdjustmentsRequest(cycle=Q3, page_size=1, **fields)
        found = []
        while True:
            page = story.me.ask(request)
            found += [each.name.rpartition("/")[2] for each in page.adjustments]
            if not page.next_page_token:
                return found
            request.page_token = page.next_page_token

    assert names() == names(order_by="position") == ["week-6", "drop", "podcast"]
    assert names(order_by="position desc") == ["podcast", "drop", "week-6"]
    assert names(order_by="position desc", filter="state = APPLIED") == ["drop", "week-6"]


def every_event(me: Caller, **fields: Any) -> list[Any]:
    """The events of a list, page after page."""
    request = audit.ListEventsRequest(page_size=7, **fields)
    found: list[Any] = []
    while True:
        page = me.ask(request)
        found += page.events
        if not page.next_page_token:
            return found
        request.page_token = page.next_page_token


PASSES: Final[dict[str, Callable[[Any], bool]]] = {
    "actor = people/anna": lambda e: e.decoded_metadata.actor.plain == "people/anna",
    "actor != services/* AND category:*": lambda e: (
        e.decoded_metadata.actor.plain.startswith("people/") and e.decoded_metadata.category != 0
    ),
    "stream = alignment": lambda e: e.header.stream == "alignment",
    "stream : objectives": lambda e: e.header.stream.startswith("objectives/"),
    "stream = objectives/*": lambda e: e.header.stream.startswith("objectives/"),
    "event_type = CheckInRecorded": lambda e: e.header.event_type == "okr.v1.CheckInRecorded",
    "event_type = *Revised AND position >= 20": lambda e: (
        e.header.event_type.endswith("Revised") and e.header.position >= 20
    ),
    "position > 5 AND position <= 9 AND stream : objectives": lambda e: (
        5 < e.header.position <= 9 and e.header.stream.startswith("objectives/")
    ),
    "position = 9": lambda e: e.header.position == 9,
    "position < 0": lambda _: False,
    "NOT position < 9 AND event_type = CheckInRecorded OR stream = cycles/q3": lambda e: (
        e.header.position >= 9
        and (e.header.event_type == "okr.v1.CheckInRecorded" or e.header.stream == Q3)
    ),
    "cycle = cycles/q4": lambda e: e.header.stream == "cycles/q4",
    "cycle = cycles/q3 AND stream : adjustments": lambda e: (
        e.header.stream.startswith("adjustments/")
    ),
    "team = teams/sales AND event_type = Aligned": lambda e: e.header.stream == "alignment",
    "subject = objectives/revenue AND event_type = Aligned": lambda e: (
        e.header.stream == "alignment"
    ),
    "reason : ember": lambda e: "ember" in e.decoded_metadata.reason.plain,
    "effective_date > 2024-08-19": lambda e: (
        (e.decoded_metadata.effective_date.month, e.decoded_metadata.effective_date.day) > (8, 19)
    ),
    "field : weight": lambda e: (
        b"weight" in e.payload and e.header.event_type == "okr.v1.KeyResultRevised"
    ),
}  # fmt: skip


@pytest.mark.parametrize("filter_", PASSES)
@pytest.mark.parametrize("order", [{}, {"newest_first": True}, {"order_by": "position desc"}])
def test_events_pass_a_filter(story: Told, filter_: str, order: dict[str, Any]) -> None:
    everything = every_event(story.me, as_of=at(KNOWN), **order)
    assert len(everything) == KNOWN
    expected = [event for event in everything if PASSES[filter_](event)]
    assert every_event(story.me, as_of=at(KNOWN), filter=filter_, **order) == expected


def test_what_is_not_there_yet_hides_no_event(me: Caller) -> None:
    me.all_of(cycle(first="2024-07-01", last="2024-09-30"), team(), team("sales"))
    me.all_of(objective(), commit())
    more = objective("more", team="teams/sales")
    waiting = me.ask(propose(more, name="more"), ANNA).position
    adjusted = me.ask(adjust(objective("made"), name="made"), ANNA).adjustment.first_position

    for position in (waiting, adjusted):
        found = me.ask(
            audit.ListEventsRequest(
                as_of=at(position), filter=f"cycle = {Q3} AND position = {position}"
            )
        ).events
        assert [event.header.position for event in found] == [position]
    of_sales = audit.ListAdjustmentsRequest(cycle=Q3, filter="team = teams/sales")
    assert [each.name for each in me.ask(of_sales).adjustments] == ["adjustments/more"]


def test_events_are_found_by_their_time(story: Told) -> None:
    everything = every_event(story.me, as_of=at(KNOWN))
    times = [event.header.recorded_time.ToMicroseconds() for event in everything]
    middle = everything[20].header.recorded_time
    for operator, passes in {
        "<": int.__lt__, "<=": int.__le__, ">": int.__gt__, ">=": int.__ge__, "=": int.__eq__,
        "!=": int.__ne__,
    }.items():  # fmt: skip
        found = every_event(
            story.me,
            as_of=at(KNOWN),
            filter=f"recorded_time {operator} {middle.ToJsonString()}",
        )
        assert [event.header.position for event in found] == [
            i for i, us in enumerate(times, start=1) if passes(us, middle.ToMicroseconds())
        ]


def test_a_filter_adds_to_the_other_fields(story: Told) -> None:
    both = every_event(
        story.me, stream=AWARENESS, after_position=10, filter="stream = objectives/revenue"
    )
    assert both == []
    types = every_event(
        story.me, event_types=["okr.v1.Aligned"], filter="event_type = PlanCommitted"
    )
    assert types == []


LISTS: Final = (
    audit.ListKeyResultRevisionsRequest(parent=FOLLOWERS),
    audit.ListObjectiveRevisionsRequest(parent=AWARENESS),
    audit.ListAdjustmentsRequest(cycle=Q3),
    audit.ListEventsRequest(),
)


@pytest.mark.parametrize("request_", LISTS, ids=lambda r: r.DESCRIPTOR.name)
@pytest.mark.parametrize(
    ("field", "text", "told_"),
    [
        ("filter", "actor people/anna", "filter.syntax column 7: expected one of <= >="),
        ("filter", "actor = 'people", "filter.syntax column 9: expected a value that ends"),
        ("filter", "actor = x AND (", "filter.syntax column 16: expected the name of a field"),
        ("filter", "colour = red", "filter.field column 1: expected one of the fields"),
        ("filter", "actor > x", "filter.operator column 7: expected one of = != :"),
        ("filter", "category = SAD", "filter.value column 12: expected one of MARKET_CHANGE"),
        ("filter", "position > x", "filter.value column 12: expected a whole number"),
        ("filter", "x" * 2001, "string.max_len"),
        ("filter", "actor = \x00", "string.pattern"),
        ("order_by", "score", "order_by.syntax column 1: expected one of position"),
        ("order_by", " position down", "order_by.syntax column 11: expected asc, desc"),
        ("order_by", "position desc, x", "order_by.syntax column 10: expected asc, desc"),
        ("order_by", "position desc x", "order_by.syntax column 15: expected the end"),
    ],
)
def test_a_wrong_filter_or_order_is_told_with_its_column(
    story: Told, request_: Any, field: str, text: str, told_: str
) -> None:
    asked = type(request_)()
    asked.CopyFrom(request_)
    setattr(asked, field, text)
    error = story.me.refused(asked)
    assert (error.code.name, error.reason) == ("INVALID_ARGUMENT", "FIELD_INVALID")
    (violation,) = error.bad_request.field_violations
    assert violation.field == field
    assert told_ in f"{violation.reason} {violation.description}"


def test_how_much_is_read_at_a_time_does_not_matter(
    story: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lists() -> list[Any]:
        return [
            *(every_event(story.me, as_of=at(KNOWN), filter=filter_) for filter_ in PASSES),
            every_event(story.me, as_of=at(KNOWN), filter="actor:*", newest_first=True),
            *(revisions(story.me, "field:*", order_by=by) for by in ("position", "effective_date")),
        ]

    before = lists()
    monkeypatch.setattr(event_list, "LOOKED_THROUGH_AT_A_TIME", 3)
    monkeypatch.setattr(revision_lists, "AT_A_TIME", 2)
    assert lists() == before
