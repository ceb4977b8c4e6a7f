"""What deviates from the plan, worst first, and from which events that comes.

A third quarter of 91 days from its first to its last day; every key result is linear from 0 to 91
unless a test says otherwise, so that it should gain one a day: on the n-th day after the first the
expected value is n.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.message import Message
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.refusals import DayOutsideCycle, NotFound
from okr.v1 import resources_pb2 as resources
from okr.v1.resources_pb2 import DeviationKind
from okr.v1.score_service_pb2 import ListDeviationsRequest
from okr.v1.values_pb2 import Category
from projections.attention.deviations import list_deviations
from projections.paging import Slice
from tests.support.ask import (
    AWARENESS,
    FOLLOWERS,
    Q3,
    SUPPORTS,
    abandon,
    add,
    adjust,
    align,
    check_in,
    checkpointed,
    commit,
    completed,
    correct,
    cycle,
    day,
    drop,
    grade,
    new,
    not_measured,
    objective,
    phased,
    retract,
    review,
    revise,
    team,
    unalign,
    update_objective,
)
from tests.support.asked import Asked, read_models
from tests.support.scenario import Scenario

pytestmark = pytest.mark.usefixtures("each_database")


OWNER = {"plain": "people/anna"}
REVENUE = "objectives/revenue"
CUSTOMERS = f"{REVENUE}/keyResults/customers"
FIRST = date(2026, 7, 1)


def kr(name: str) -> str:
    return f"{AWARENESS}/keyResults/{name}"


def on(number: int) -> str:
    """The n-th day after the first."""
    return (FIRST + timedelta(number)).isoformat()


def planned(*key_results: Any, today: str = "2026-10-01", **of_cycle: Any) -> Scenario:
    """A committed quarter with one owned objective."""
    return Scenario(today).given(
        cycle(**of_cycle), team(), objective("awareness", *key_results, owner=OWNER), commit()
    )


def line(name: str, **definition: Any) -> Any:
    return new(name, **{"target": "91", **definition})


def listed(asked: Asked, number: int, known: int = 0, **request: Any) -> list[resources.Deviation]:
    """The attention list of the n-th day after the first."""
    request.setdefault("cycle", Q3)
    clock = f"{on(number)}T12:00+02:00"
    return asked.all_of(list_deviations, ListDeviationsRequest(**request), clock, known=known)


def kinds(deviation: resources.Deviation) -> list[str]:
    return [
        DeviationKind.Name(finding.kind).removeprefix("DEVIATION_KIND_")
        for finding in deviation.findings
    ]


def in_short(deviations: Sequence[resources.Deviation]) -> list[tuple[str, ...]]:
    return [(each.name.rpartition("/")[2], *kinds(each)) for each in deviations]


def positions(scenario: Scenario, kind: str) -> list[int]:
    """Of the events of a kind."""
    return [r.position for r in scenario.records if r.event_type == f"okr.v1.{kind}"]


def checked(name: str, *values: tuple[int, str]) -> list[Message]:
    """Check-ins by day."""
    return [check_in(kr(name), value, on=on(number)) for number, value in values]


def test_every_kind_worst_first_with_the_events_behind_it(tmp_path: Path) -> None:
    scenario = planned(
        *(line(name) for name in ("fine", "bit-behind", "far-behind", "silent", "never", "slower"))
    ).given(
        *checked("fine", (20, "20"), (41, "41")),
        *checked("bit-behind", (41, "31")),
        *checked("far-behind", (41, "9")),
        *checked("silent", (33, "33")),
        *checked("slower", (34, "51"), (41, "52")),
        update_objective(mask=("owner",), because="left", on=on(0)),
    )
    recorded, added = positions(scenario, "CheckInRecorded"), positions(scenario, "KeyResultAdded")
    with read_models(tmp_path, scenario) as asked:
        found = listed(asked, 41)
        # Everything is without an owner once the objective is.
        assert in_short(found) == [
            ("far-behind", "AT_RISK", "NO_OWNER"),
            ("silent", "STALE", "NO_OWNER"),
            ("never", "NOT_STARTED", "NO_OWNER"),
            ("bit-behind", "BEHIND", "NO_OWNER"),
            ("slower", "FALLING_BEHIND", "NO_OWNER"),
            ("fine", "NO_OWNER"),
        ]
        behind = [list(each.findings[0].positions) for each in found]
        assert behind == [
            [added[2], recorded[3]],
            [recorded[4]],
            [added[4]],
            [added[1], recorded[2]],
            [recorded[5], recorded[6]],
            [added[0]],
        ]
        assert [each.due_day for each in found[1:3]] == [day(on(40)), day(on(6))]
        assert not any(each.owner for each in found)


def test_an_owner_of_the_objective_is_enough(tmp_path: Path) -> None:
    with read_models(tmp_path, planned(line("fine")).given(*checked("fine", (5, "5")))) as asked:
        assert listed(asked, 5) == []


def test_figures_of_a_linear_key_result(tmp_path: Path) -> None:
    # The latest four days: 14, 20, 23, 29 on days 21, 28, 35, 42. 15 in 21 days.
    scenario = planned(line("k")).given(
        *checked("k", (7, "12"), (14, "13"), (21, "14"), (28, "20"), (35, "23"), (42, "29"))
    )
    scenario.given(check_in(kr("k"), "29", on=on(42), confidence=4))
    with read_models(tmp_path, scenario) as asked:
        (it,) = listed(asked, 42)
        assert kinds(it) == ["BEHIND", "FALLING_BEHIND"]
        assert (it.value, it.expected_value) == ("29", "42")
        assert (it.attainment, it.expected_progress) == ("0.318681318681", "0.461538461538")
        assert it.gap == "0.142857142857"
        # 15 ÷ 21 a day; 62 left in 49 days; the difference in ninety-firsts of the way.
        assert it.recent_pace == "0.714285714286"
        assert it.required_pace == "1.265306122449"
        assert it.pace_shortfall == "0.00605516932"
        # 29 + 49 · 15/21 = 64; the slowest step is 3 in 7 days, the fastest 6 in 7.
        assert (it.forecast.value, it.forecast.low, it.forecast.high) == ("64", "50", "71")
        assert it.check_in.confidence == 4
        assert it.check_in.effective_date == day(on(42))
        assert it.due_day == day(on(49))
        assert it.effective_at == day(on(42))
        assert (it.team, it.owner, it.cycle) == ("teams/marketing", "people/anna", Q3)
        assert it.key_result.definition.target == "91"


def test_a_decreasing_key_result_has_negative_paces(tmp_path: Path) -> None:
    scenario = planned(line("k", baseline="191", target="100")).given(
        *checked("k", (30, "191"), (40, "181"))
    )
    with read_models(tmp_path, scenario) as asked:
        (it,) = listed(asked, 41)
        # 81 to go in 50 days; a tenth of the way in 10 days is what the trajectory asks too.
        assert (it.recent_pace, it.required_pace) == ("-1", "-1.62")
        assert it.pace_shortfall == "0.006813186813"
        assert (it.forecast.value, it.forecast.low, it.forecast.high) == ("130", "130", "130")
        assert kinds(it) == ["AT_RISK"]


def test_a_sum_runs_on_its_totals(tmp_path: Path) -> None:
    scenario = planned(line("k", aggregation="AGGREGATION_SUM")).given(
        *checked("k", (7, "7"), (14, "2"), (21, "5"))
    )
    with read_models(tmp_path, scenario) as asked:
        (it,) = listed(asked, 21)
        # 7, 9 and 14 on days 7, 14 and 21: a half a day; then 70 days more.
        assert (it.value, it.recent_pace) == ("14", "0.5")
        assert (it.forecast.value, it.forecast.low, it.forecast.high) == ("49", "34", "64")
        assert kinds(it) == ["BEHIND", "FALLING_BEHIND"]


def test_a_phased_plan_that_goes_slowly_first_is_no_falling_behind(tmp_path: Path) -> None:
    late = phased((on(0), "0"), (on(70), "21"), (on(91), "91"))
    scenario = planned(line("late", trajectory=late), line("straight")).given(
        *checked("late", (30, "9"), (40, "12")), *checked("straight", (30, "30"), (40, "33"))
    )
    with read_models(tmp_path, scenario) as asked:
        # Both gain 0.3 a day, as the phased plan asks: 12 of 91 on day 40, no finding.
        (it,) = listed(asked, 40)
        assert in_short([it]) == [("straight", "BEHIND", "FALLING_BEHIND")]
        # A day on it asks for 12.3; 0.3 ÷ 91 is the gap.
        behind = {each.name: each for each in listed(asked, 41)}[kr("late")]
        assert kinds(behind) == ["BEHIND"]
        assert (behind.expected_value, behind.gap) == ("12.3", "0.003296703297")


def test_a_checkpointed_plan_bends_the_values(tmp_path: Path) -> None:
    # The first 10 are worth half of the way: after 45.5 days 10 are expected.
    worth = checkpointed(("0", "0"), ("10", "0.5"), ("91", "1"))
    scenario = planned(line("k", trajectory=worth)).given(*checked("k", (40, "10")))
    with read_models(tmp_path, scenario) as asked:
        assert listed(asked, 45) == []
        (it,) = listed(asked, 46)
        # Half a day beyond, 81 values in 45.5 days: 10 + 81 · 0.5 ÷ 45.5.
        assert it.expected_value == "10.890109890110".rstrip("0")
        assert kinds(it) == ["BEHIND"]


def test_milestones_move_in_shares_and_end_at_the_whole(tmp_path: Path) -> None:
    steps = [{"id": each, "title": each} for each in ("a", "b", "c", "d")]
    scenario = planned(line("k", target=None, metric="METRIC_MILESTONES", milestones=steps)).given(
        check_in(kr("k"), completed("a"), on=on(40)),
        check_in(kr("k"), completed("a", "b"), on=on(50)),
    )
    with read_models(tmp_path, scenario) as asked:
        (it,) = listed(asked, 51)
        assert (it.value, it.recent_pace, it.required_pace) == ("0.5", "0.025", "0.0125")
        assert (it.forecast.value, it.forecast.high) == ("1", "1")
        assert kinds(it) == ["BEHIND"]


def test_binary_and_maintained_key_results_have_no_way_to_pace(tmp_path: Path) -> None:
    scenario = planned(
        line("done", target=None, metric="METRIC_BINARY"),
        line("kept", target=None, direction="DIRECTION_MAINTAIN_AT_MOST", upper_bound="5"),
    ).given(*checked("done", (30, "0"), (35, "0")), *checked("kept", (30, "4"), (35, "6")))
    with read_models(tmp_path, scenario) as asked:
        kept, done = listed(asked, 36)
        assert (kept.name, kept.gap) == (kr("kept"), "1")
        assert not kept.HasField("required_pace")
        assert not kept.HasField("expected_value")
        # 4, then 6 five days later, 56 days to go.
        assert kept.forecast.value == "28.4"
        assert not done.HasField("required_pace")
        assert not done.HasField("forecast")
        assert done.expected_value == "0.395604395604"


def test_what_is_not_measured_any_more_has_no_forecast(tmp_path: Path) -> None:
    scenario = planned(line("k")).given(
        *checked("k", (7, "7"), (14, "14")), check_in(kr("k"), not_measured(), on=on(21))
    )
    with read_models(tmp_path, scenario) as asked:
        assert listed(asked, 28) == []
        (it,) = listed(asked, 29)
        assert kinds(it) == ["NOT_STARTED"]
        assert list(it.findings[0].positions) == positions(scenario, "CheckInRecorded")[-1:]
        assert not it.HasField("value")
        assert not it.HasField("forecast")
        # From the baseline: 91 in 62 days.
        assert it.required_pace == "1.467741935484"


def test_on_the_last_day_nothing_can_be_required(tmp_path: Path) -> None:
    with read_models(tmp_path, planned(line("k")).given(*checked("k", (80, "8"), (91, "9")))) as a:
        (it,) = listed(a, 91)
        assert not it.HasField("required_pace")
        assert it.forecast.value == "9"
        assert kinds(it) == ["AT_RISK"]


def test_of_one_kind_the_wider_gap_comes_first_then_the_missing_pace_then_the_name(
    tmp_path: Path,
) -> None:
    scenario = planned(*(line(name) for name in ("b", "a", "slow", "far"))).given(
        *checked("a", (20, "10"), (40, "30")),
        *checked("b", (20, "10"), (40, "30")),
        *checked("slow", (20, "15"), (40, "30")),
        *checked("far", (20, "10"), (40, "29")),
    )
    with read_models(tmp_path, scenario) as asked:
        found = listed(asked, 40)
        assert [each.name for each in found] == [kr("far"), kr("slow"), kr("a"), kr("b")]


def test_only_what_was_asked_for(tmp_path: Path) -> None:
    scenario = planned(line("k"), line("never", owner={"plain": "people/bea"})).given(
        *checked("k", (41, "31")),
        team("sales"),
        objective("revenue", line("customers"), team="teams/sales", because="new"),
    )
    with read_models(tmp_path, scenario) as asked:

        def names(**request: Any) -> list[str]:
            return [each.name.rpartition("/")[2] for each in listed(asked, 41, **request)]

        assert names() == ["never", "k"]  # Added on the first of October.
        assert names(kinds=["DEVIATION_KIND_BEHIND", "DEVIATION_KIND_STALE"]) == ["k"]
        assert names(kinds=["DEVIATION_KIND_NO_OWNER"]) == []
        assert names(owner="people/bea") == names(owner="people/bea", cycle="") == ["never"]
        assert names(team="teams/sales") == []
        with pytest.raises(NotFound):
            names(team="teams/none")
        with pytest.raises(NotFound):
            names(cycle="cycles/none")
        with pytest.raises(DayOutsideCycle):
            asked.all_of(
                list_deviations,
                ListDeviationsRequest(cycle=Q3),
                "2026-10-01T12:00+02:00",
                on="2026-10-01",
            )


def test_what_is_closed_or_still_drafted_does_not_deviate(tmp_path: Path) -> None:
    scenario = Scenario("2026-08-12").given(cycle(), team(), objective(owner=OWNER))
    drafted = len(scenario.records)
    scenario.given(commit(), drop(because="no"))
    dropped = len(scenario.records)
    scenario.given(grade(on=on(40)))
    with read_models(tmp_path, scenario) as asked:
        assert listed(asked, 42, known=drafted) == []
        assert in_short(listed(asked, 42, known=dropped)) == [("traffic", "NOT_STARTED")]
        assert listed(asked, 42) == []
        assert len(listed(asked, 39)) == 2


def aligned(**of_objectives: Any) -> Scenario:
    """Traffic supports sales' customers, whose objective contributes to the company's growth."""
    return Scenario("2026-07-06").given(
        *(cycle(), team(), team("sales"), team("company")),
        objective("awareness", line("followers"), line("traffic"), owner=OWNER),
        objective(
            "revenue",
            line("customers", owner={"plain": "people/bea"}),
            line("leads"),
            team="teams/sales",
            owner={"plain": "people/cili"},
        ),
        objective("growth", line("margin"), team="teams/company", owner=OWNER),
        align(kr("traffic"), CUSTOMERS, SUPPORTS),
        align(REVENUE, "objectives/growth"),
        commit(),
    )


TARGET = ("target", "target_change_percent")
CHANGED = ["DEVIATION_KIND_DEPENDENCY_CHANGED"]


LESS = revise(kr("traffic"), target="80")


def lowered(value: str = "80") -> Any:
    return revise(kr("traffic"), target=value, because="the market moved")


def concerned(asked: Asked, known: int = 0, number: int = 5) -> list[str]:
    found = listed(asked, number, known=known, kinds=CHANGED)
    return sorted(each.name.removeprefix("objectives/") for each in found)


EVERYONE = ["growth", "revenue", "revenue/keyResults/customers"]


def test_an_adjustment_concerns_whoever_depends_on_what_it_changed(tmp_path: Path) -> None:
    scenario = aligned().given(adjust(LESS, name="less", because="fewer visitors"))
    (change,) = positions(scenario, "KeyResultRevised")
    with read_models(tmp_path, scenario) as asked:
        assert concerned(asked) == EVERYONE
        assert concerned(asked, known=change - 1) == []
        # Not before the day from which it holds.
        assert concerned(asked, number=4) == []
        customers = next(each for each in listed(asked, 5) if each.name == CUSTOMERS)
        (finding,) = customers.findings
        assert list(finding.positions) == [change]
        assert finding.subject == kr("traffic")
        assert finding.event_type == "okr.v1.KeyResultRevised"
        assert finding.adjustment == "adjustments/less"
        assert (finding.actor, finding.reason) == ("people/anna", "fewer visitors")
        assert finding.category == Category.CATEGORY_MARKET_CHANGE
        assert customers.owner == "people/bea"
        assert [(each.name, each.team, each.owner) for each in customers.dependants] == [
            ("objectives/growth", "teams/company", "people/anna")
        ]
        growth = next(each for each in listed(asked, 5) if each.name == "objectives/growth")
        assert not growth.dependants
        assert not growth.HasField("key_result")
        # Each owner sees their own.
        assert [each.name for each in listed(asked, 5, owner="people/bea")] == [CUSTOMERS]
        assert [each.name for each in listed(asked, 5, owner="people/cili")] == [REVENUE]
        assert [each.name for each in listed(asked, 5, team="teams/company")] == [growth.name]


@pytest.mark.parametrize(
    ("requests", "left"),
    [
        ([check_in(CUSTOMERS, "5")], ["growth", "revenue"]),
        ([check_in(CUSTOMERS, "5"), check_in(f"{REVENUE}/keyResults/leads", "5")], ["growth"]),
        ([revise(CUSTOMERS, target="80", mask=TARGET, because="y")], ["growth"]),
        ([update_objective(REVENUE, title="Less", because="y")], EVERYONE[:1] + EVERYONE[2:]),
        ([unalign(REVENUE, "objectives/growth", because="y")], EVERYONE[1:]),
        ([unalign(kr("traffic"), CUSTOMERS, SUPPORTS, because="y")], []),
        ([abandon(REVENUE, because="y")], ["growth"]),
        ([drop(CUSTOMERS, because="y")], ["growth"]),
        ([check_in(kr("traffic"), "5"), check_in("objectives/growth/keyResults/margin", "5")],
         EVERYONE[1:]),
        ([retract(1, CUSTOMERS)], EVERYONE),
        ([correct(1, "4", CUSTOMERS)], ["growth", "revenue"]),
        ([review(participants=["people/bea"])], ["growth", "revenue"]),
        ([review(team="teams/sales")], ["growth"]),
        ([review(participants=["people/dora"])], EVERYONE),
        ([review(participants=["people/bea"], seen_position=3)], EVERYONE),
        # Somebody looked, and then it changed again.
        ([check_in(CUSTOMERS, "5"), lowered("70")], EVERYONE),
    ],
)  # fmt: skip
def test_it_leaves_the_list_once_somebody_looked(
    tmp_path: Path, requests: list[Any], left: list[str]
) -> None:
    before = aligned().given(check_in(CUSTOMERS, "3", on="2026-07-05"))
    scenario = before.given(lowered()).given(*requests)
    with read_models(tmp_path, scenario) as asked:
        assert concerned(asked) == left


def test_what_is_decided_together_concerns_nobody_twice(tmp_path: Path) -> None:
    both = adjust(revise(CUSTOMERS, target="80", mask=TARGET), LESS, name="both")
    with read_models(tmp_path, aligned().given(both)) as asked:
        # Sales' own part was decided with it; the company learns of both.
        (growth,) = listed(asked, 5, kinds=CHANGED)
        assert growth.name == "objectives/growth"
        assert [each.subject for each in growth.findings] == [CUSTOMERS, kr("traffic")]


@pytest.mark.parametrize(
    "request_",
    [
        revise(kr("traffic"), title="Visits", because="clearer"),
        revise(kr("traffic"), owner={"plain": "people/dora"}, because="new job"),
        check_in(kr("traffic"), "3"),
        revise(kr("followers"), target="80", mask=TARGET, because="nobody depends on it"),
        add("newsletter", target="5", because="new"),
    ],
)
def test_what_does_not_change_the_plan_of_a_dependant_concerns_nobody(
    tmp_path: Path, request_: Any
) -> None:
    with read_models(tmp_path, aligned().given(request_)) as asked:
        assert concerned(asked) == []


@pytest.mark.parametrize(
    ("request_", "left"),
    [
        (drop(kr("traffic"), because="no"), EVERYONE),
        (abandon(because="no"), EVERYONE),
        (abandon(REVENUE, because="no"), ["growth"]),
        (update_objective(REVENUE, commitment="COMMITMENT_COMMITTED", because="y"), ["growth"]),
    ],
)
def test_what_is_given_up_or_promised_concerns_whoever_depends_on_it(
    tmp_path: Path, request_: Any, left: list[str]
) -> None:
    with read_models(tmp_path, aligned().given(request_)) as asked:
        assert concerned(asked) == left


def test_a_change_before_plan_commitment_concerns_nobody(tmp_path: Path) -> None:
    scenario = Scenario("2026-07-06").given(
        *(cycle(), team(), objective("awareness", line("traffic"), owner=OWNER)),
        objective("revenue", line("customers"), owner=OWNER),
        align(kr("traffic"), CUSTOMERS, SUPPORTS),
        revise(kr("traffic"), target="80"),
        commit(),
    )
    with read_models(tmp_path, scenario) as asked:
        assert concerned(asked) == []


def test_an_alignment_made_after_the_change_was_made_in_its_knowledge(tmp_path: Path) -> None:
    scenario = aligned().given(
        lowered(), align(kr("traffic"), "objectives/growth/keyResults/margin", SUPPORTS,
                         because="y"),
    )  # fmt: skip
    with read_models(tmp_path, scenario) as asked:
        assert concerned(asked) == EVERYONE


def test_who_depends_on_a_deviating_key_result_is_named_across_teams(tmp_path: Path) -> None:
    with read_models(tmp_path, aligned()) as asked:
        traffic = next(each for each in listed(asked, 20) if each.name == kr("traffic"))
        assert [(each.name, each.team) for each in traffic.dependants] == [
            ("objectives/growth", "teams/company"),
            (REVENUE, "teams/sales"),
            (CUSTOMERS, "teams/sales"),
        ]
        followers = next(each for each in listed(asked, 20) if each.name == FOLLOWERS)
        assert not followers.dependants


def test_what_depends_on_an_objective_depends_on_each_of_its_key_results(tmp_path: Path) -> None:
    with read_models(tmp_path, aligned()) as asked:
        (leads,) = listed(asked, 20, owner="people/cili")
        assert [each.name for each in leads.dependants] == ["objectives/growth"]


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(
        st.tuples(st.integers(30, 40), st.integers(-20, 60), st.integers(-20, 60)),
        min_size=1,
        max_size=8,
    ),
    st.integers(1, 3),
)
def test_the_order_is_total_and_pages_put_together_are_the_list(
    tmp_path_factory: pytest.TempPathFactory, measured: list[tuple[int, int, int]], limit: int
) -> None:
    scenario = planned(*(line(f"k{i}") for i in range(len(measured) + 2)))
    for i, (at, first, second) in enumerate(measured):
        scenario.given(*checked(f"k{i}", (at - 10, str(first)), (at, str(second))))
    request = ListDeviationsRequest(cycle=Q3)
    clock = f"{on(41)}T12:00+02:00"
    with read_models(tmp_path_factory.mktemp("many"), scenario) as asked:
        whole = asked.all_of(list_deviations, request, clock)
        keys = [
            (
                each.findings[0].kind,
                -Decimal(each.gap if each.HasField("gap") else each.expected_progress),
                -Decimal(each.pace_shortfall or 0),
                each.name,
            )
            for each in whole
        ]
        assert keys == sorted(set(keys))
        assert {each.name for each in whole} >= {kr(f"k{len(measured)}")}
        for each in whole:
            if each.HasField("forecast"):
                made = each.forecast
                assert Decimal(made.low) <= Decimal(made.value) <= Decimal(made.high)
        paged: list[Any] = []
        part = Slice((), limit)
        while True:
            page = asked.page(list_deviations, request, clock, part=part)
            paged += page.items
            if page.next is None:
                break
            part = Slice(page.next, limit)
        assert paged == whole
