"""A quarter looked back upon, worked out by hand.

Third quarter of 2026, weekly, default policy; the first day is day 0, mid-cycle day 45 and the last
day 91. All is linear from 0 to 91.
"""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.message import Message
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.refusals import NotFound
from okr.v1.retrospective_pb2 import CarryOverReason, ConfidenceRole, Retrospective
from projections.replay.outcomes import mid_day
from projections.replay.retrospective import retrospective
from tests.support.ask import (
    AWARENESS,
    Q3,
    SUPPORTS,
    abandon,
    add,
    adjust,
    align,
    carry_over,
    check_in,
    close,
    commit,
    completed,
    correct,
    cycle,
    day,
    drop,
    lesson,
    new,
    objective,
    restore,
    review,
    revise,
    team,
)
from tests.support.asked import Asked, read_models
from tests.support.scenario import ACTOR, Scenario

pytestmark = pytest.mark.usefixtures("each_database")


FIRST = date(2026, 7, 1)
TARGET = ("target", "target_change_percent")
END = "2026-10-02T12:00+02:00"


def kr(name: str, of: str = AWARENESS) -> str:
    return f"{of}/keyResults/{name}"


def on(number: int) -> str:
    """The n-th day after the first."""
    return (FIRST + timedelta(number)).isoformat()


def line(name: str, **definition: Any) -> Any:
    return new(name, **{"target": "91", **definition})


def planned(*key_results: Any, today: str = "2026-07-01", **of_objective: Any) -> Scenario:
    return Scenario(today).given(
        cycle(), team(), objective("awareness", *key_results, **of_objective), commit()
    )


def day_by_day(scenario: Scenario, *requests: tuple[int, Message]) -> Scenario:
    """Requests, each made on its own day."""
    for number, request in requests:
        scenario.on(on(number)).given(request)
    return scenario


def measured(number: int, value: str, name: str = "k", **rest: Any) -> tuple[int, Message]:
    """A check-in of a day, told on it."""
    return number, check_in(kr(name), value, **rest)


def looked_back(asked: Asked, clock: str = END, team: str = "", **instants: Any) -> Retrospective:
    found: Retrospective = asked.one(
        lambda c, known: retrospective(c, Q3, team, known), clock, **instants
    )
    return found


def outcome(of: Retrospective, name: str = "k") -> Any:
    lines = (each for o in of.objectives for each in o.key_results)
    return next(each for each in lines if each.key_result.name.endswith(f"/{name}"))


def tally(discipline: Any) -> tuple[int, int, int]:
    return discipline.due, discipline.made, discipline.late


def test_plan_and_outcome(tmp_path: Path) -> None:
    scenario = day_by_day(
        planned(line("k"), line("gone"), commitment="COMMITMENT_ASPIRATIONAL"),
        measured(40, "63"),
        (41, revise(kr("k"), target="70", mask=TARGET, because="less")),
        (41, drop(kr("gone"), because="no time")),
        (41, add("later", target="10", because="more")),
    )
    with read_models(tmp_path, scenario) as asked:
        found = looked_back(asked)
        # 63 of 70 now, of 91 as planned; `later` was never measured and `gone` is dropped.
        k = outcome(found)
        assert (k.value, k.score, k.met) == ("63", "0.9", True)
        assert (k.original_score, k.as_judged_score) == ("0.692307692308", "0.692307692308")
        assert (k.planned.target, k.key_result.definition.target) == ("91", "70")
        assert not outcome(found, "later").HasField("planned")
        assert outcome(found, "gone").key_result.state == 2
        (awareness,) = found.objectives
        assert (awareness.score, awareness.met) == ("0.45", False)
        # As planned: 63/91 and nothing of `gone`.
        assert found.original_score == "0.346153846154"
        assert (found.score, found.objective_count, found.met_count) == ("0.45", 1, 0)
        assert (found.effective_at, found.mid_day) == (day("2026-09-30"), day(on(45)))
        assert not found.running
        assert [(r.name, list(r.changed.paths)) for r in found.revisions] == [
            (f"{kr('k')}/revisions/2", ["target"]),
            (f"{kr('gone')}/revisions/2", []),
            (f"{kr('later')}/revisions/1", []),
        ]
        assert (found.revisions[0].score_before, found.revisions[0].score_after) == (
            "0.692307692308",
            "0.9",
        )


def test_an_adjustment_and_what_followed(tmp_path: Path) -> None:
    scenario = day_by_day(
        planned(line("k"), line("other")),
        measured(35, "35"),
        (42, adjust(revise(kr("k"), target="70", mask=TARGET), name="less", because="no budget")),
        measured(91, "63"),
    )
    with read_models(tmp_path, scenario) as asked:
        found = looked_back(asked)
        (made,) = found.adjustments
        assert (made.adjustment.name, made.adjustment.reason) == ("adjustments/less", "no budget")
        courses = [
            (each.name, each.score_before, each.score_after, each.score_at_end)
            for each in made.courses
        ]
        # 35 of 91, then of 70; 63 of 70 at the end; the other one has nothing.
        assert courses == [
            (kr("k"), "0.384615384615", "0.5", "0.9"),
            *(
                (name, "0.192307692308", "0.25", "0.45")
                for name in (AWARENESS, "teams/marketing", Q3)
            ),
        ]
        assert not found.revisions
        early = looked_back(asked, f"{on(44)}T12:00+02:00")
        assert [each.score_at_end for each in early.adjustments[0].courses][:1] == ["0.5"]
        assert early.running
        assert looked_back(asked, on=on(41)).adjustments == []


def test_discipline_counts_the_periods_that_ended(tmp_path: Path) -> None:
    scenario = day_by_day(
        planned(line("k")),
        measured(2, "1"),  # week 1, days 0 to 6
        measured(6, "2"),
        measured(20, "3", on=on(13)),  # week 2, told in week 3
        measured(20, "4"),  # week 3, on its last day
        (40, correct(4, "5", kr("k"))),  # a correction is no late check-in
    )
    with read_models(tmp_path, scenario) as asked:
        assert tally(looked_back(asked, f"{on(20)}T12:00+02:00").discipline) == (3, 3, 1)
        assert tally(looked_back(asked, f"{on(19)}T12:00+02:00").discipline) == (2, 2, 1)
        whole = looked_back(asked).discipline
        assert tally(whole) == (13, 3, 1)
        assert whole.made_share == "0.230769230769"
        # Not known yet: what was told on day 20.
        known = len(scenario.records) - 3
        assert tally(looked_back(asked, known=known).discipline) == (13, 1, 0)


def test_days_of_telling_are_those_of_the_cycles_zone(tmp_path: Path) -> None:
    scenario = planned(line("k"))
    scenario.on("2026-07-07T23:30+02:00").given(check_in(kr("k"), "1", on=on(6)))
    scenario.on("2026-07-15T00:30+02:00").given(check_in(kr("k"), "1", on=on(13)))
    with read_models(tmp_path, scenario) as asked:
        assert tally(looked_back(asked, on=on(13)).discipline) == (2, 2, 1)


def test_discipline_asks_only_while_a_key_result_counts(tmp_path: Path) -> None:
    scenario = day_by_day(
        planned(line("k")),
        (10, add("later", target="5", because="new")),  # in week 2: asked from week 3 on
        (30, drop(kr("later"), because="no")),  # in week 5: asked to week 4
        (49, restore(kr("later"), because="yes")),  # on the first day of week 8
    )
    scenario.on(on(91)).given(objective("gone", line("x"), because="y"))
    scenario.given(abandon("objectives/gone", because="no"))
    with read_models(tmp_path, scenario) as asked:
        found = looked_back(asked)
        assert tally(outcome(found, "later").discipline) == (2 + 6, 0, 0)
        assert tally(outcome(found, "k").discipline) == (13, 0, 0)
        assert tally(outcome(found, "x").discipline) == (0, 0, 0)
        assert not outcome(found, "x").discipline.HasField("made_share")


def test_discipline_by_owner_and_team(tmp_path: Path) -> None:
    scenario = day_by_day(
        planned(line("k", owner={"plain": "people/bea"}), line("l"), line("m")),
        measured(3, "1"),
    )
    scenario.given(team("sales"), objective("revenue", line("x"), team="teams/sales", because="y"))
    with read_models(tmp_path, scenario) as asked:
        found = looked_back(asked, on=on(6))
        assert [(d.name, *tally(d)) for d in found.discipline_by_owner] == [
            ("", 2, 0, 0),
            ("people/bea", 1, 1, 0),
        ]
        assert [(d.name, *tally(d)) for d in found.discipline_by_team] == [
            ("teams/marketing", 3, 1, 0),
            ("teams/sales", 0, 0, 0),
        ]
        assert tally(found.discipline) == (3, 1, 0)


def test_confidence_at_mid_cycle_against_the_outcome(tmp_path: Path) -> None:
    scenario = day_by_day(
        planned(
            *(line(name, owner={"plain": ACTOR}) for name in ("met", "missed", "silent")),
            line("colleague", owner={"plain": "people/bea"}),
        ),
        measured(30, "30", "met", confidence=3),
        measured(40, "40", "missed", confidence=8),
        measured(40, "40", "colleague", confidence=5),
        measured(45, "45", "met", confidence=9),
        measured(45, "41", "missed"),  # says nothing about confidence: 8 stays
        measured(46, "45", "met", confidence=1),  # a day too late
        measured(91, "64", "met"),  # 0.703…
        measured(91, "63", "missed"),  # 0.692…
        measured(91, "91", "colleague"),
    )
    with read_models(tmp_path, scenario) as asked:
        found = looked_back(asked)
        said = {
            name: (o.mid_confidence, o.brier, o.met)
            for name in ("met", "missed", "colleague")
            for o in [outcome(found, name)]
        }
        assert said == {
            "met": (9, "0.01", True),
            "missed": (8, "0.64", False),
            "colleague": (5, "0.25", True),
        }
        assert not outcome(found, "silent").HasField("mid_confidence")
        assert not outcome(found, "silent").HasField("brier")
        together = found.calibration
        assert (together.count, together.brier) == (3, "0.3")
        assert (together.mean_confidence, together.met_share) == (
            "0.733333333333",
            "0.666666666667",
        )
        roles = [(c.name, c.count, c.brier) for c in found.calibration_by_role]
        assert roles == [("COLLEAGUE", 1, "0.25"), ("OWNER", 2, "0.325")]
        assert outcome(found, "met").mid_confidence_role == ConfidenceRole.CONFIDENCE_ROLE_OWNER
        assert [(c.name, c.count) for c in found.calibration_by_team] == [("teams/marketing", 3)]
        # The day before mid-cycle there is nothing to hold against anything.
        before = looked_back(asked, on=on(44))
        assert before.calibration.count == 0
        assert not before.calibration.HasField("brier")
        assert not outcome(before, "met").HasField("mid_confidence")


def test_what_was_promised_is_met_at_one(tmp_path: Path) -> None:
    scenario = day_by_day(
        planned(line("k"), commitment="COMMITMENT_COMMITTED"),
        measured(45, "45", confidence=10),
        measured(91, "90"),
    )
    with read_models(tmp_path, scenario) as asked:
        assert (outcome(looked_back(asked)).met, outcome(looked_back(asked)).brier) == (False, "1")


def test_forecasts_at_mid_cycle_against_the_values(tmp_path: Path) -> None:
    steps = [{"id": each, "title": each} for each in ("a", "b", "c", "d")]
    scenario = day_by_day(
        planned(
            line("k"),
            line("once"),
            line("kept", target=None, direction="DIRECTION_MAINTAIN_AT_MOST", upper_bound="9"),
            line("parts", target=None, metric="METRIC_MILESTONES", milestones=steps),
        ),
        measured(41, "20"),
        measured(43, "24"),
        measured(45, "32"),
        measured(45, "5", "once"),
        measured(41, "4", "kept"),
        measured(45, "4", "kept"),
        (31, check_in(kr("parts"), completed("a"))),
        (41, check_in(kr("parts"), completed("a", "b"))),
        measured(91, "150"),
        measured(91, "4", "kept"),
        (91, check_in(kr("parts"), completed("a", "b", "c"))),
    )
    with read_models(tmp_path, scenario) as asked:
        found = looked_back(asked)
        k = outcome(found)
        # 12 in 4 days: 32 + 46 · 3; between the steps of 2 and 4 a day.
        made = k.mid_forecast
        assert (made.value, made.low, made.high) == ("170", "124", "216")
        assert k.forecast_error == "-20"
        assert not outcome(found, "once").HasField("mid_forecast")
        assert outcome(found, "kept").forecast_error == "0"
        # A quarter in ten days would have reached everything.
        assert outcome(found, "parts").mid_forecast.value == "1"
        assert outcome(found, "parts").forecast_error == "-0.25"
        # 20 of 91 and a quarter; what is kept has no way to go.
        assert (found.forecasts.count, found.forecasts.within_range) == (3, 2)
        assert found.forecasts.mean_error == "0.234890109890".rstrip("0")


def test_what_is_worth_carrying_over(tmp_path: Path) -> None:
    scenario = day_by_day(
        Scenario("2026-07-01").given(
            *(cycle(), team()),
            objective(
                "awareness",
                *(line(n) for n in ("met", "moving", "stuck", "aligned", "never", "gone")),
                line("total", aggregation="AGGREGATION_SUM"),
            ),
            objective("promised", line("p"), commitment="COMMITMENT_COMMITTED"),
            align(kr("aligned"), kr("p", "objectives/promised"), SUPPORTS),
            commit(),
        ),
        *(measured(80, "50", n) for n in ("met", "moving", "stuck", "gone")),
        *(measured(80, "20", n) for n in ("total",)),
        measured(90, "91", "met"),
        measured(90, "60", "moving"),
        measured(90, "50", "stuck"),
        measured(90, "60", "gone"),
        measured(90, "20", "total"),
        (91, drop(kr("gone"), because="no")),
    )
    with read_models(tmp_path, scenario) as asked:

        def suggested() -> list[tuple[Any, ...]]:
            return [
                (
                    each.key_result.rpartition("/")[2],
                    each.baseline,
                    *(
                        CarryOverReason.Name(r).removeprefix("CARRY_OVER_REASON_")
                        for r in each.reasons
                    ),
                )
                for each in looked_back(asked).carry_overs
            ]

        assert suggested() == [
            ("moving", "60", "MOVING"),
            ("aligned", "", "DEPENDED_ON"),
            ("total", "", "MOVING"),
            ("p", "", "PROMISED"),
        ]


def test_what_was_carried_over_is_not_suggested_again(tmp_path: Path) -> None:
    scenario = day_by_day(planned(line("k")), measured(80, "5"), measured(90, "6"))
    scenario.on("2026-10-01").given(
        cycle("q4", "2026-10-01", "2026-12-31"), objective("next", cycle="cycles/q4", bare=True)
    )
    scenario.given(carry_over(kr("k"), baseline="6"))
    (continued,) = scenario.objective("objectives/next").key_results
    with read_models(tmp_path, scenario) as asked:
        found = looked_back(asked)
        assert list(outcome(found).key_result.continued_by) == [continued]
        assert not found.carry_overs
        assert looked_back(asked, known=len(scenario.records) - 1).carry_overs


def test_of_a_team_only_what_is_its_own(tmp_path: Path) -> None:
    scenario = Scenario("2026-07-01").given(
        *(cycle(), team("company"), team("sales", parent="teams/company"), team()),
        *(objective("awareness", line("k")), objective("revenue", line("x"), team="teams/sales")),
        commit(),
    )
    day_by_day(
        scenario,
        (40, adjust(revise(kr("k"), target="70", mask=TARGET), name="ours")),
        (41, adjust(drop(kr("x", "objectives/revenue")), name="theirs")),
    )
    with read_models(tmp_path, scenario) as asked:
        company = looked_back(asked, team="teams/company")
        assert [each.objective.name for each in company.objectives] == ["objectives/revenue"]
        assert [each.adjustment.name for each in company.adjustments] == ["adjustments/theirs"]
        assert {each.name for each in company.adjustments[0].courses} <= {
            kr("x", "objectives/revenue"),
            "objectives/revenue",
            "teams/sales",
            "teams/company",
        }
        assert company.team == "teams/company"
        assert len(looked_back(asked).adjustments) == 2
        with pytest.raises(NotFound):
            looked_back(asked, team="teams/none")


def test_a_cycle_in_draft_asked_for_nothing_yet(tmp_path: Path) -> None:
    scenario = Scenario("2026-07-20").given(cycle(), team(), objective())
    with read_models(tmp_path, scenario) as asked:
        found = looked_back(asked, "2026-07-20T12:00+02:00")
        assert found.running
        assert tally(found.discipline) == (0, 0, 0)
        assert not found.HasField("original_score")


def test_mid_cycle_is_half_of_the_days_after_the_first() -> None:
    scenario = Scenario("2026-07-01").given(
        cycle(), cycle("even", "2026-07-01", "2026-07-11"), cycle("one", "2026-07-01", "2026-07-01")
    )
    mids = [mid_day(scenario.cycle(f"cycles/{name}")) for name in ("q3", "even", "one")]
    assert mids == [date(2026, 8, 15), date(2026, 7, 6), date(2026, 7, 1)]


def test_lessons_stand_beside_the_outcome(tmp_path: Path) -> None:
    scenario = planned(line("k")).given(
        *(team("sales"), objective("revenue", line("x"), team="teams/sales", because="y")),
        review("ours", team="teams/marketing"),
        lesson(kr("k"), "Ask earlier"),
        lesson(lesson="Plan less", review="reviews/ours"),
        lesson("objectives/revenue", "Call sooner"),
        lesson(lesson="Together", category=2),
    )
    with read_models(tmp_path, scenario) as asked:

        def learnt(team: str = "") -> list[str]:
            return [each.lesson for each in looked_back(asked, team=team).lessons]

        assert learnt() == ["Ask earlier", "Plan less", "Call sooner", "Together"]
        assert learnt("teams/marketing") == ["Ask earlier", "Plan less"]
        assert learnt("teams/sales") == ["Call sooner"]


def test_a_sealed_quarter_is_looked_back_on_as_any_other(tmp_path: Path) -> None:
    scenario = day_by_day(planned(line("k")), measured(45, "45", confidence=9), measured(91, "91"))
    scenario.on("2026-10-02").given(close())
    with read_models(tmp_path, scenario) as asked:
        found = looked_back(asked)
        assert (found.score, found.met_count, found.calibration.brier) == ("1", 1, "0.01")


MADE = st.tuples(
    st.sampled_from(["a", "b", "c"]), st.integers(0, 91), st.integers(0, 20), st.integers(0, 10)
)


@settings(max_examples=25, deadline=None)
@given(st.lists(MADE, max_size=12), st.integers(0, 95))
def test_parts_add_up_and_shares_stay_within_bounds(
    tmp_path_factory: pytest.TempPathFactory, made: list[tuple[str, int, int, int]], at: int
) -> None:
    owners = ({"plain": "people/bea"}, {"plain": "people/cili"}, None)
    scenario = planned(*(line(n, owner=o) for n, o in zip("abc", owners, strict=True)))
    for name, of, later, confidence in sorted(made, key=lambda each: each[1] + each[2]):
        scenario.on(on(of + later))
        scenario.given(check_in(kr(name), str(of), on=on(of), confidence=confidence))
    with read_models(tmp_path_factory.mktemp("random"), scenario) as asked:
        found = looked_back(asked, "2026-11-01T12:00+02:00", on=on(min(at, 91)))
    lines = [each.discipline for o in found.objectives for each in o.key_results]
    for group in (lines, found.discipline_by_owner, found.discipline_by_team):
        summed = [sum(column) for column in zip(*map(tally, group), strict=True)]
        assert tuple(summed) == tally(found.discipline)
    for each in (*lines, found.discipline):
        assert 0 <= each.late <= each.made <= each.due
    calibrations = [found.calibration, *found.calibration_by_team, *found.calibration_by_role]
    for calibration in calibrations:
        for share in (calibration.brier, calibration.mean_confidence, calibration.met_share):
            assert not share or 0 <= Decimal(share) <= 1
    assert sum(each.count for each in found.calibration_by_role) == found.calibration.count
    assert 0 <= found.forecasts.within_range <= found.forecasts.count <= 3
