"""Which check-ins are due, by the cycle's cadence and in its own days."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.refusals import DayOutsideCycle, NotFound
from okr.v1.resources_pb2 import DueCheckIn, DueState
from okr.v1.score_service_pb2 import ListDueCheckInsRequest
from projections.attention.dues import list_due_check_ins
from projections.paging import Slice
from tests.support.ask import (
    AWARENESS,
    FOLLOWERS,
    Q3,
    TRAFFIC,
    add,
    check_in,
    close,
    commit,
    committed,
    correct,
    cycle,
    day,
    drafted,
    drop,
    grade,
    new,
    not_measured,
    objective,
    restore,
    retract,
    revise,
    team,
    update_objective,
)
from tests.support.asked import Asked, read_models
from tests.support.scenario import Scenario

pytestmark = pytest.mark.usefixtures("each_database")


NOON = "T12:00+02:00"
CUSTOMERS = "objectives/revenue/keyResults/customers"


def due(asked: Asked, clock: str, on: str = "", **request: Any) -> list[DueCheckIn]:
    request.setdefault("cycle", Q3)
    if "T" not in clock:
        clock += NOON
    return asked.all_of(list_due_check_ins, ListDueCheckInsRequest(**request), clock, on=on)


def in_short(lines: list[DueCheckIn]) -> list[tuple[str, str, int, int]]:
    """Each line's key result, state, days overdue and period."""
    return [
        (
            line.key_result.rpartition("/")[2],
            DueState.Name(line.state).removeprefix("DUE_STATE_"),
            line.overdue_days,
            line.period.number,
        )
        for line in lines
    ]


def one_checked(scenario: Scenario | None = None) -> Scenario:
    """Followers were measured on the second of July, traffic never."""
    return (scenario or committed()).given(check_in(on="2026-07-02"))


def test_a_cadence_after_the_last_check_in_and_at_the_end_of_the_first_period(
    tmp_path: Path,
) -> None:
    # Weeks: 1–7 July, 8–14 July, … Followers' next is due on the 9th, traffic's first on the 7th.
    with read_models(tmp_path, one_checked()) as asked:
        for today, expected in {
            "2026-07-04": [],
            "2026-07-05": [("traffic", "SOON", 0, 1)],
            "2026-07-07": [("traffic", "TODAY", 0, 1), ("followers", "SOON", 0, 2)],
            "2026-07-09": [("traffic", "OVERDUE", 2, 1), ("followers", "TODAY", 0, 2)],
            "2026-07-20": [("traffic", "OVERDUE", 13, 1), ("followers", "OVERDUE", 11, 2)],
        }.items():
            assert in_short(due(asked, today)) == expected, today
        (traffic, followers) = due(asked, "2026-07-09")
        assert traffic.due_day == day("2026-07-07")
        assert not traffic.HasField("check_in")
        assert (followers.period.first_day, followers.period.last_day) == (
            day("2026-07-08"),
            day("2026-07-14"),
        )
        assert followers.check_in.effective_date == day("2026-07-02")
        assert followers.effective_at == day("2026-07-09")
        assert (followers.cycle, followers.team) == (Q3, "teams/marketing")


def test_how_far_ahead_is_the_callers_choice(tmp_path: Path) -> None:
    with read_models(tmp_path, one_checked()) as asked:
        assert in_short(due(asked, "2026-07-05", within_days=0)) == []
        assert in_short(due(asked, "2026-07-07", within_days=0)) == [("traffic", "TODAY", 0, 1)]
        soon = due(asked, "2026-07-02", within_days=31)
        assert in_short(soon) == [("traffic", "SOON", 0, 1), ("followers", "SOON", 0, 2)]


def test_days_are_those_of_the_cycles_zone(tmp_path: Path) -> None:
    with read_models(tmp_path, one_checked()) as asked:
        # Half past eleven in the evening and half past midnight in Budapest.
        assert due(asked, "2026-07-07T21:30+00:00")[0].state == DueState.DUE_STATE_TODAY
        late = due(asked, "2026-07-07T22:30+00:00")[0]
        assert (late.state, late.overdue_days) == (DueState.DUE_STATE_OVERDUE, 1)
        assert late.effective_at == day("2026-07-08")


@pytest.mark.parametrize(
    ("cadence", "last", "due_day", "number"),
    [
        ("CADENCE_BIWEEKLY", "", "2026-07-14", 1),
        ("CADENCE_BIWEEKLY", "2026-07-10", "2026-07-24", 2),
        ("CADENCE_MONTHLY", "", "2026-07-31", 1),
        ("CADENCE_MONTHLY", "2026-07-31", "2026-08-31", 2),
        ("CADENCE_MONTHLY", "2026-08-30", "2026-09-30", 3),
    ],
)
def test_other_cadences(tmp_path: Path, cadence: str, last: str, due_day: str, number: int) -> None:
    scenario = Scenario("2026-09-29").given(
        cycle(cadence=cadence),
        team(),
        objective("awareness", new("followers", target="10")),
        commit(),
        *([check_in(on=last)] if last else []),
    )
    with read_models(tmp_path, scenario) as asked:
        (line,) = due(asked, "2026-09-29", within_days=31)
        assert (line.due_day, line.period.number) == (day(due_day), number)


def test_an_addition_owes_its_first_after_a_whole_period(tmp_path: Path) -> None:
    scenario = committed("2026-08-07").given(add("newsletter", target="5", because="new"))
    with read_models(tmp_path, scenario) as asked:
        # Added on a Friday of the sixth week, which ends on the 11th.
        lines = {line.key_result: line for line in due(asked, "2026-08-19")}
        newsletter = lines[f"{AWARENESS}/keyResults/newsletter"]
        assert (newsletter.due_day, newsletter.period.number) == (day("2026-08-18"), 7)


def test_a_plan_that_holds_from_a_later_day_owes_nothing_before(tmp_path: Path) -> None:
    scenario = drafted("2026-07-20").given(commit(on="2026-07-09"))
    with read_models(tmp_path, scenario) as asked:
        assert [line.due_day for line in due(asked, "2026-07-22")] == [day("2026-07-21")] * 2


@pytest.mark.parametrize(
    "requests",
    [
        (drop(TRAFFIC, because="no"), drop(because="no")),
        (grade(),),
    ],
)
def test_what_does_not_count_any_more_owes_nothing(tmp_path: Path, requests: Any) -> None:
    with read_models(tmp_path, committed().given(*requests)) as asked:
        assert due(asked, "2026-08-12") == []
        # It did before, and as of then it still does.
        assert len(due(asked, "2026-08-12", on="2026-08-11")) == 2


def test_what_counts_again_begins_again(tmp_path: Path) -> None:
    scenario = committed("2026-07-06").given(drop(TRAFFIC, because="no"))
    scenario.on("2026-08-12").given(restore(TRAFFIC, because="yes"))
    with read_models(tmp_path, scenario) as asked:
        (traffic,) = [d for d in due(asked, "2026-08-26") if d.key_result == TRAFFIC]
        assert traffic.due_day == day("2026-08-18")


def test_a_draft_owes_nothing(tmp_path: Path) -> None:
    with read_models(tmp_path, drafted()) as asked:
        assert due(asked, "2026-08-12") == []
        assert due(asked, "2026-08-12", cycle="") == []


def test_from_its_closing_on_a_cycle_owes_nothing(tmp_path: Path) -> None:
    scenario = committed("2026-09-20").given(close(because="sold", on="2026-09-20"))
    closing = len(scenario.records)
    with read_models(tmp_path, scenario) as asked:
        for request in (Q3, ""):
            assert due(asked, "2026-09-21", cycle=request) == []
            assert due(asked, "2026-09-20", cycle=request) == []
        # It did the day before, and by what was known before it closed.
        assert len(due(asked, "2026-09-21", on="2026-09-19")) == 2
        asked.head = closing - 1
        assert len(due(asked, "2026-09-20")) == 2


def test_retracted_and_corrected_check_ins_count_as_they_are_known(tmp_path: Path) -> None:
    scenario = committed("2026-07-20").given(
        check_in(on="2026-07-15"), correct(1, "1100", on="2026-07-10"), check_in(on="2026-07-17")
    )
    before = len(scenario.records)
    with read_models(tmp_path, scenario.given(retract(2))) as asked:
        request = ListDueCheckInsRequest(cycle=Q3, within_days=31)

        def followers(known: int) -> Any:
            lines = asked.all_of(list_due_check_ins, request, f"2026-07-20{NOON}", known=known)
            return next(line for line in lines if line.key_result == FOLLOWERS)

        assert followers(before).due_day == day("2026-07-24")
        assert followers(before - 1).due_day == day("2026-07-17")
        assert followers(before + 1).due_day == day("2026-07-17")
        assert followers(before - 2).due_day == day("2026-07-22")


def test_to_say_that_it_was_not_measured_is_a_check_in(tmp_path: Path) -> None:
    scenario = committed().given(check_in(TRAFFIC, not_measured(), on="2026-07-06"))
    with read_models(tmp_path, scenario) as asked:
        (line,) = [d for d in due(asked, "2026-07-13") if d.key_result == TRAFFIC]
        assert (line.due_day, line.state) == (day("2026-07-13"), DueState.DUE_STATE_TODAY)


def two_teams() -> Scenario:
    """Sales below the company, with an owned objective of one own-owner key result."""
    anna, bea = {"plain": "people/anna"}, {"plain": "people/bea"}
    return Scenario("2026-08-12").given(
        *(cycle(), team("company"), team("sales", parent="teams/company"), team()),
        *(objective(), update_objective(owner=anna)),
        objective(
            "revenue",
            new("customers", target="20", owner=bea),
            new("leads", target="20"),
            team="teams/sales",
            owner=anna,
        ),
        commit(),
    )


def test_of_a_team_with_its_sub_teams_and_of_an_owner(tmp_path: Path) -> None:
    with read_models(tmp_path, two_teams()) as asked:

        def names(**request: str) -> list[str]:
            return [k for k, *_ in in_short(due(asked, "2026-07-08", **request))]

        assert names() == ["followers", "traffic", "customers", "leads"]
        assert names(team="teams/company") == names(team="teams/sales") == ["customers", "leads"]
        # An objective's owner answers for the key results that name none.
        assert names(owner="people/anna") == ["followers", "traffic", "leads"]
        assert names(owner="people/anna", team="teams/company") == ["leads"]
        assert names(owner="people/bea", cycle="") == ["customers"]
        assert names(owner="nobody") == []
        with pytest.raises(NotFound):
            names(team="teams/none")
        with pytest.raises(NotFound):
            names(cycle="cycles/none")


def test_an_owner_is_the_one_of_the_day(tmp_path: Path) -> None:
    handed_over = revise(CUSTOMERS, owner={"plain": "people/cili"}, because="new job")
    with read_models(tmp_path, two_teams().given(handed_over)) as asked:

        def of(owner: str, on: str) -> list[str]:
            return [d.key_result for d in due(asked, "2026-08-12", on=on, owner=owner)]

        assert of("people/bea", "2026-08-11") == of("people/cili", "2026-08-12") == [CUSTOMERS]
        assert of("people/bea", "2026-08-12") == of("people/cili", "2026-08-11") == []


def test_without_a_cycle_all_that_run_are_asked_about(tmp_path: Path) -> None:
    scenario = two_teams().given(
        cycle("year", "2026-01-01", "2026-12-31", time_zone="UTC", cadence="CADENCE_MONTHLY"),
        objective("margin", new("percent", target="20"), cycle="cycles/year"),
        commit("cycles/year"),
        cycle("draft"),
        objective("later", cycle="cycles/draft"),
    )
    with read_models(tmp_path, scenario) as asked:
        lines = due(asked, "2026-08-12T22:30+00:00", cycle="")
        assert [(d.cycle, d.effective_at) for d in lines] == [
            ("cycles/year", day("2026-08-12")),
            *[(Q3, day("2026-08-13"))] * 4,
        ]
        assert [d.cycle for d in due(asked, "2026-03-01", cycle="")] == ["cycles/year"]
        assert due(asked, "2027-03-01", cycle="") == []
        with pytest.raises(DayOutsideCycle):
            due(asked, "2026-08-12", on="2026-06-30")
        assert [d.cycle for d in due(asked, "2026-08-12", on="2026-06-30", cycle="")] == [
            "cycles/year"
        ]


@contextmanager
def many(folder: Path, days: list[int]) -> Iterator[Asked]:
    """As many key results, each last checked in so many days after the cycle's first."""
    names = [f"k{i}" for i in range(len(days))]
    scenario = Scenario("2026-09-29").given(
        cycle(), team(), objective("awareness", *(new(n, target="9") for n in names)), commit()
    )
    for name, number in zip(names, days, strict=True):
        on = (date(2026, 7, 1) + timedelta(number)).isoformat()
        scenario.given(check_in(f"{AWARENESS}/keyResults/{name}", "1", on=on))
    with read_models(folder, scenario) as asked:
        yield asked


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.integers(0, 20), min_size=1, max_size=7), st.integers(1, 3))
def test_pages_put_together_are_the_list_in_a_total_order(
    tmp_path_factory: pytest.TempPathFactory, days: list[int], limit: int
) -> None:
    request = ListDueCheckInsRequest(cycle=Q3, within_days=31)
    with many(tmp_path_factory.mktemp("many"), days) as asked:
        whole = asked.all_of(list_due_check_ins, request, f"2026-07-20{NOON}")
        assert len(whole) == len(days)
        keys = [(each.due_day.month, each.due_day.day, each.key_result) for each in whole]
        assert keys == sorted(set(keys))
        paged: list[Any] = []
        part = Slice((), limit)
        while True:
            page = asked.page(list_due_check_ins, request, f"2026-07-20{NOON}", part=part)
            paged += page.items
            if page.next is None:
                break
            part = Slice(page.next, limit)
        assert paged == whole
