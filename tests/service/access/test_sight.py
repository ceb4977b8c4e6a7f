"""What one caller sees of a ledger that a scenario has made."""

from __future__ import annotations

import asyncio

import pytest

from okr.v1 import resources_pb2 as resources
from okr.v1.values_pb2 import Visibility
from service.access.sight import OwnSight
from tests.support import ask
from tests.support.deciding import (
    CUSTOMERS,
    EU,
    authority,
    company,
    directory_of,
    principal,
)
from tests.support.scenario import Scenario

AWARENESS = "objectives/awareness"
REVENUE = "objectives/revenue"
PRIVATE = Visibility.VISIBILITY_TEAM


def sights(scenario: Scenario) -> tuple[OwnSight, OwnSight]:
    """That of an outsider, and that of an auditor."""
    decides = authority(directory_of(scenario))
    outsider, auditor = (principal(role, name="people/cleo") for role in ("viewer", "auditor"))
    return OwnSight(decides, outsider), OwnSight(decides, auditor)


@pytest.fixture(scope="module")
def hidden() -> Scenario:
    """The company, whose awareness is private."""
    return company().given(ask.update_objective(visibility=PRIVATE, because="a merger"))


def test_what_is_private_is_hidden_with_all_that_is_of_it(hidden: Scenario) -> None:
    outsider, auditor = sights(hidden)

    for name in (
        AWARENESS,
        ask.FOLLOWERS,
        f"{ask.FOLLOWERS}/checkIns/1",
        f"{AWARENESS}/revisions/2",
    ):
        assert outsider.hides(name)
        assert not auditor.hides(name)
    for name in (
        EU,
        REVENUE,
        "objectives/none",
        "objectives/-",
        "teams/marketing",
        "",
        "alignment",
    ):
        assert not outsider.hides(name)


def test_an_adjustment_of_hidden_things_alone_is_hidden(hidden: Scenario) -> None:
    outsider, auditor = sights(hidden)

    assert outsider.hides("adjustments/first")
    assert not outsider.hides("adjustments/waiting"), "it is about the revenue"
    assert not outsider.hides("adjustments/none")
    assert not auditor.hides("adjustments/first")


def test_a_private_objective_that_a_proposal_would_create_is_hidden_already() -> None:
    create = ask.objective("merger", title="Merge", team="teams/europe", visibility=PRIVATE)
    open_ = ask.objective("party", title="Party", team="teams/europe")
    outsider, auditor = sights(
        company().given(
            ask.propose(create, name="secret"),
            ask.propose(open_, name="public"),
        )
    )

    assert outsider.hides("objectives/merger")
    assert outsider.hides("adjustments/secret")
    assert not outsider.hides("objectives/party")
    assert not outsider.hides("adjustments/public")
    assert not auditor.hides("objectives/merger")


def test_messages_and_records_are_shown_that_are_about_something_shown(hidden: Scenario) -> None:
    outsider, auditor = sights(hidden)

    assert not outsider.shows(resources.Objective(name=AWARENESS))
    assert auditor.shows(resources.Objective(name=AWARENESS))
    assert outsider.shows(resources.Objective(name=EU))
    shown = [r.stream for r in hidden.records if outsider.shows(r)]
    assert [r.stream for r in hidden.records if auditor.shows(r)] == [
        r.stream for r in hidden.records
    ]
    assert "alignment" not in shown, "what awareness is aligned to is of awareness"
    assert {AWARENESS, "adjustments/first"}.isdisjoint(shown)
    assert {REVENUE, EU, "adjustments/waiting", "cycles/q3"} <= set(shown)


def test_without_anything_private_nothing_is_looked_at() -> None:
    scenario = company()
    outsider, _ = sights(scenario)

    assert not asyncio.run(outsider.reach(len(scenario.records)))
    assert all(outsider.shows(record) for record in scenario.records)
    assert not outsider.hides(CUSTOMERS)


def test_what_is_made_public_again_is_shown_with_its_past(hidden: Scenario) -> None:
    told = ask.drafted().given(
        ask.objective("o", visibility=PRIVATE),
        ask.update_objective("objectives/o", visibility=Visibility.VISIBILITY_PUBLIC),
    )
    outsider, _ = sights(told)

    assert asyncio.run(outsider.reach(len(told.records)))
    assert all(outsider.shows(record) for record in told.records)
