from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from okr.v1.ledger_service_pb2 import CreateCycleRequest
from service.identity import fetching, watching
from tests.support.ask import (
    abandon,
    add,
    adjust,
    align,
    check_in,
    close,
    commit,
    cycle,
    drop,
    grade,
    new,
    objective,
    phased,
    propose,
    retire,
    retract,
    review,
    team,
    update_cycle,
)
from tests.support.serving import LoopThread, shared_loop
from tests.support.whole import Caller, whole_service


@pytest.fixture(scope="module")
def loop(each_database: str) -> LoopThread:
    """Of the present database, so that what a module shares is made anew for the next one."""
    return shared_loop()


@pytest.fixture(scope="module", autouse=True)
def both(each_database: str) -> None:
    """Every test here runs on both databases."""


@pytest.fixture
def me(loop: LoopThread, tmp_path: Path) -> Iterator[Caller]:
    """A caller of a service whose ledger is empty."""
    with whole_service(loop, tmp_path) as caller:
        yield caller


@pytest.fixture(scope="module")
def furnished(loop: LoopThread, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Caller]:
    """A caller of a service whose ledger holds one thing in each state."""
    with whole_service(loop, tmp_path_factory.mktemp("furnished")) as caller:
        furnish(caller)
        yield caller


@pytest.fixture
def swift(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files and addresses are looked at often."""
    monkeypatch.setattr(watching, "LOOK_SECONDS", 0.02)
    monkeypatch.setattr(fetching, "FILE_SECONDS", 0.02)
    monkeypatch.setattr(fetching, "AGAIN_SECONDS", 0.02)


def furnish(me: Caller) -> None:
    """The third quarter of 2024, committed; a cycle around today; one in draft; one with approval.

    In the quarter: `awareness` (followers with check-ins 1 and 2, the second retracted; traffic;
    newsletter, dropped) contributes to `revenue` (customers); `graded` and `given-up` are closed;
    `measures` has a key result of each kind. The team `old` is retired. The adjustment `first` is
    made, `waiting` proposed. The quarter before is sealed: `marked`, graded, contributes to `done`
    (reach; gone, dropped).
    """
    me.all_of(
        *(team(), team("sales"), team("old"), retire("teams/old")),
        *(team("company"), team("europe", parent="teams/company")),
        cycle(first="2024-07-01", last="2024-09-30", grace_days=5),
        *(objective(), objective("revenue", new("customers", target="20"), team="teams/sales")),
        *(objective("graded"), objective("given-up")),
        objective(
            "measures",
            new("binary", metric="METRIC_BINARY"),
            new("steps", metric="METRIC_MILESTONES", milestones=[{"id": "one", "title": "one"}]),
            new(
                "planned", target="10", trajectory=phased(("2024-08-01", "4"), ("2024-09-30", "10"))
            ),
        ),
        align("objectives/awareness", "objectives/revenue"),
        commit(),
        check_in(on="2024-07-08"),
        *(check_in(on="2024-07-15"), retract(2)),
        add("newsletter", target="5", on="2024-07-20", because="a new channel"),
        drop("objectives/awareness/keyResults/newsletter", because="nobody to write it"),
        grade("objectives/graded", on="2024-09-30"),
        abandon("objectives/given-up", because="no longer wanted"),
        adjust(add("more", target="2"), name="first", on="2024-08-05"),
        propose(add("maybe", target="2"), name="waiting", on="2024-08-05"),
        running_cycle(),
        objective("running", new("pace", target="10"), cycle="cycles/now"),
        commit("cycles/now"),
        cycle("draft", first="2024-10-01", last="2024-12-31"),
        objective("planned", cycle="cycles/draft"),
        cycle("approved", first="2024-07-01", last="2024-09-30"),
        objective("careful", cycle="cycles/approved"),
        commit("cycles/approved"),
        update_cycle("cycles/approved", adjustments_need_approval=True, because="from now on"),
        *(cycle("closed", first="2024-04-01", last="2024-06-30"), review("held")),
        objective("done", new("reach", target="8"), new("gone", target="1"), cycle="cycles/closed"),
        *(
            objective("marked", cycle="cycles/closed"),
            align("objectives/marked", "objectives/done"),
        ),
        *(
            cycle("may", first="2024-05-01", last="2024-05-31"),
            objective("week", cycle="cycles/may"),
        ),
        *(commit("cycles/may"), commit("cycles/closed")),
        check_in("objectives/done/keyResults/reach", "6", on="2024-06-10"),
        drop("objectives/done/keyResults/gone", because="nobody to do it"),
        *(grade("objectives/marked", on="2024-06-30"), close("cycles/closed")),
    )


def days_from_today(days: int) -> str:
    """A day in ISO form, counted from today in UTC."""
    return (datetime.now(UTC).date() + timedelta(days=days)).isoformat()


def running_cycle() -> CreateCycleRequest:
    """A cycle that today lies well within, whenever the tests run."""
    return cycle("now", days_from_today(-40), days_from_today(40), time_zone="UTC")
