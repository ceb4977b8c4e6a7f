from __future__ import annotations

from contextlib import suppress
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.refusals import NothingToChange
from service.access.directory import Directory
from service.access.resources import Resource, Subject, subject_of
from tests.support.ask import (
    AWARENESS,
    FOLLOWERS,
    WHY,
    abandon,
    commit,
    cycle,
    new,
    objective,
    revise,
    team,
    update_objective,
    update_team,
)
from tests.support.deciding import ANNA, BEA, company, directory_of, events_of
from tests.support.scenario import Scenario


def of(directory: Directory, name: str) -> Resource:
    found = directory.find(subject_of(name))
    assert found is not None
    return found


def test_it_knows_whose_everything_is() -> None:
    directory = directory_of(company())
    assert directory.chain("teams/europe") == ("teams/europe", "teams/marketing", "teams/company")
    awareness = of(directory, AWARENESS)
    assert (awareness.team, awareness.owner) == ("teams/marketing", ANNA)
    customers = of(directory, "objectives/revenue/keyResults/customers/checkIns/3")
    assert (customers.kind, customers.team, customers.owner) == ("KeyResult", "teams/sales", BEA)
    assert of(directory, "objectives/revenue/revisions/1").owners == {BEA}
    assert of(directory, "reviews/weekly").team == "teams/marketing"
    waiting = directory.adjustment("adjustments/waiting")
    assert waiting is not None
    assert waiting.subjects == ("objectives/revenue/keyResults/customers",)
    assert [need.action for need in waiting.needs] == ["ReviseKeyResult"]


def test_what_it_does_not_know_is_nothing() -> None:
    directory = directory_of(company())
    for name in (
        *("teams/none", "objectives/none", "objectives/none/keyResults/x", "adjustments/none"),
        *("reviews/none", f"{AWARENESS}/keyResults/none"),
    ):
        assert directory.find(subject_of(name)) is None
    assert directory.chain("teams/none") == ()


def test_names_are_about_what_they_lie_in() -> None:
    assert subject_of("") == subject_of("alignment") == ("Ledger", "ledger")
    assert subject_of("events/7").kind == subject_of("objectives/-/keyResults/-").kind == "Ledger"
    assert subject_of("cycles/q3/seals/2") == Subject("Cycle", "cycles/q3")
    assert subject_of(f"{FOLLOWERS}/revisions/2") == Subject("KeyResult", FOLLOWERS)
    assert subject_of("people/anna") == Subject("Person", "people/anna")


def test_teams_and_objectives_move() -> None:
    told = company().given(
        update_team("teams/europe", parent="teams/sales"),
        update_objective(team="teams/sales", owner={"plain": BEA}, because=WHY),
        revise(owner={"plain": BEA}, because=WHY),
    )
    directory = directory_of(told)
    assert directory.chain("teams/europe") == ("teams/europe", "teams/sales", "teams/company")
    assert of(directory, AWARENESS)[2:5] == ("teams/sales", "cycles/q3", BEA)
    assert of(directory, FOLLOWERS).owner == BEA


def test_a_backdated_change_below_a_later_one_of_the_same_field_changes_nothing() -> None:
    told = company().given(
        update_objective(team="teams/sales", on="2026-08-10", because=WHY),
        update_objective(team="teams/europe", owner={"plain": BEA}, on="2026-08-03", because=WHY),
    )
    in_force = told.objective(AWARENESS).definition
    found = of(directory_of(told), AWARENESS)
    assert (found.team, found.owner) == (in_force.team, in_force.owner.plain)
    assert (found.team, found.owner) == ("teams/sales", BEA)


def test_an_objective_turns_private_and_public_again() -> None:
    told = Scenario().given(
        cycle(), team(), objective(visibility="VISIBILITY_TEAM"), objective("open")
    )
    assert of(directory_of(told), FOLLOWERS).private
    assert not of(directory_of(told), "objectives/open").private
    told.given(update_objective(visibility="VISIBILITY_PUBLIC"))
    assert not of(directory_of(told), AWARENESS).private


def test_it_is_the_same_event_by_event_as_in_one() -> None:
    told = company().given(abandon(because=WHY), update_team("teams/sales", mask=("parent",)))
    whole, parts = directory_of(told), Directory()
    for record in told.records:
        parts.take_in(events_of([record]), record.position)
    assert parts.position == whole.position
    for name in (AWARENESS, FOLLOWERS, "teams/europe", "adjustments/first", "reviews/weekly"):
        assert of(parts, name) == of(whole, name)
    assert parts.chain("teams/europe") == whole.chain("teams/europe")


def test_an_owner_who_is_no_persons_name_owns_nothing_here() -> None:
    told = Scenario().given(
        cycle(), team(), objective("o", new("k", target="1", owner={"plain": "Anna"})), commit()
    )
    assert of(directory_of(told), "objectives/o/keyResults/k").owner == ""


changes = st.lists(
    st.tuples(
        st.sampled_from(["teams/marketing", "teams/sales", "teams/europe", ""]),
        st.sampled_from(["", ANNA, BEA, "somebody"]),
        st.integers(1, 12),
    ),
    max_size=6,
)


@settings(max_examples=60, deadline=None)
@given(changes)
def test_it_knows_what_is_in_force_whatever_was_backdated(told: list[tuple[str, str, int]]) -> None:
    scenario = company()
    for team_name, owner, day in told:
        fields: dict[str, Any] = {"owner": {"plain": owner}} if owner else {}
        if team_name:
            fields["team"] = team_name
        if fields:
            request = update_objective(on=f"2026-08-{day:02}", because=WHY, **fields)
            with suppress(NothingToChange):
                scenario.given(request)
    in_force = scenario.objective(AWARENESS).definition
    found = of(directory_of(scenario), AWARENESS)
    named = in_force.owner.plain if in_force.owner.plain.startswith("people/") else ""
    assert (found.team, found.owner) == (in_force.team, named)
