from typing import Any

from ledger.refusals import (
    DayInFuture,
    EtagMismatch,
    Exists,
    NotFound,
    NothingToChange,
    ReasonRequired,
    TeamRetired,
    TeamTreeCycle,
)
from okr.v1 import events_pb2 as facts
from okr.v1.values_pb2 import TeamDefinition
from tests.support import ask
from tests.support.scenario import Scenario


def tree(today: str = "2026-08-12") -> Scenario:
    return Scenario(today).given(
        ask.team("company"), ask.team("sales", "teams/company"), ask.team("inside", "teams/sales")
    )


def test_a_team_is_registered_below_another() -> None:
    Scenario().given(ask.team("company")).when(ask.team("sales", "teams/company")).then(
        facts.TeamRegistered(
            team="teams/sales", definition=TeamDefinition(title="sales", parent="teams/company")
        )
    )


def test_a_title_is_kept_in_normal_form() -> None:
    made = Scenario().when(ask.team(title="E\u0301rte\u0301kesi\u0301te\u0301s 🎯 销售"))

    assert made.then_it_is(facts.TeamRegistered).definition.title == "Értékesítés 🎯 销售"


def test_a_team_needs_a_title_and_an_existing_parent() -> None:
    Scenario().when(ask.team(title="  ")).then_invalid("definition.title")
    Scenario().when(ask.team("sales", "teams/company")).then_refused(
        NotFound, resource="teams/company"
    )
    tree().when(ask.team("sales")).then_refused(Exists, resource="teams/sales")


def test_a_team_moves_and_says_from_where_to_where() -> None:
    revised = tree().when(ask.update_team("teams/inside", parent="teams/company"))

    fact = revised.then_it_is(facts.TeamRevised)
    assert list(fact.changed.paths) == ["parent"]
    assert (fact.before.parent, fact.after.parent) == ("teams/sales", "teams/company")
    assert revised.effective == "2026-08-12"


def test_a_team_moves_to_the_top_by_a_mask() -> None:
    scenario = tree().given(ask.update_team("teams/inside", mask=("parent",)))

    assert scenario.team("teams/inside").resource().definition.parent == ""


def test_a_team_never_stands_below_itself() -> None:
    for below in ("teams/company", "teams/sales", "teams/inside"):
        tree().when(ask.update_team("teams/company", parent=below)).then_refused(
            TeamTreeCycle, resource="teams/company", parent=below
        )


def test_a_backdated_move_closes_no_circle_on_a_day_in_between() -> None:
    scenario = tree("2026-08-20").given(ask.update_team("teams/sales", mask=("parent",)))
    scenario.on("2026-08-25")

    move = ask.update_team("teams/company", parent="teams/sales", on="2026-08-10", because=ask.WHY)
    scenario.when(move).then_refused(TeamTreeCycle)

    scenario.when(ask.update_team("teams/company", parent="teams/sales"))
    scenario.then_it_is(facts.TeamRevised)


def test_a_backdated_move_starts_from_what_held_on_its_day() -> None:
    scenario = tree("2026-08-20").given(ask.update_team("teams/inside", parent="teams/company"))

    scenario.when(
        ask.update_team("teams/inside", mask=("parent",), on="2026-08-10", because=ask.WHY)
    )

    assert scenario.then_it_is(facts.TeamRevised).before.parent == "teams/sales"
    assert scenario.team("teams/inside").definition.parent == "teams/company"


def test_a_backdated_change_needs_a_reason_and_a_future_one_is_refused() -> None:
    change: dict[str, Any] = {"title": "Sales", "on": "2026-08-11"}
    tree().when(ask.update_team("teams/sales", **change)).then_refused(
        ReasonRequired, resource="teams/sales", missing=("reason",)
    )
    tree().when(ask.update_team("teams/sales", **change, because="  ")).then_refused(ReasonRequired)
    tree().when(ask.update_team("teams/sales", **change, because="a typo")).then_it_is(
        facts.TeamRevised
    )
    tree().when(ask.retire("teams/sales", on="2026-08-13")).then_refused(
        DayInFuture, field="effective_date", today="2026-08-12"
    )


def test_what_is_already_so_is_not_changed() -> None:
    tree().when(ask.update_team("teams/sales", title="sales")).then_refused(NothingToChange)


def test_a_stale_etag_is_refused() -> None:
    scenario = tree().given(ask.update_team("teams/sales", title="Sales"))

    for request in (
        ask.update_team("teams/sales", title="x", etag='"1"'),
        ask.retire("teams/sales", etag='"1"'),
    ):
        scenario.when(request).then_refused(EtagMismatch, resource="teams/sales", etag='"2"')


def test_a_retired_team_takes_nothing_new() -> None:
    scenario = ask.committed().given(ask.team("sales"), ask.retire("teams/sales"))

    assert scenario.team("teams/sales").resource().retired
    for request in (
        ask.retire("teams/sales"),
        ask.update_team("teams/sales", title="x"),
        ask.update_team("teams/marketing", parent="teams/sales"),
        ask.team("new", "teams/sales"),
        ask.objective("o", team="teams/sales", because=ask.WHY),
        ask.update_objective(team="teams/sales", because=ask.WHY),
    ):
        scenario.when(request).then_refused(TeamRetired, resource="teams/sales")


def test_a_retired_team_keeps_what_it_has() -> None:
    scenario = ask.committed().given(ask.retire())

    scenario.when(ask.update_objective(title="Brand", because=ask.WHY))
    scenario.then_it_is(facts.ObjectiveRevised)
