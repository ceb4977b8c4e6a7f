"""Decisions without a server: what a scenario's ledger says, and who asks."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Final

from google.protobuf.message import Message

from ledger.call import Caller
from ledger.event import Record
from projections.event import Event, parsed
from service.access.authority import Access, Authority
from service.access.directory import TYPES, Directory
from service.access.policies import Policies, Source, policies
from service.access.roles import NO_GRANTS, Grants
from service.access.running import Fixed
from service.identity.principal import Principal
from service.refusals import NotPermitted
from tests.support.ask import (
    adjust,
    align,
    commit,
    cycle,
    new,
    objective,
    propose,
    review,
    revise,
    team,
)
from tests.support.scenario import Scenario

ANNA = "people/anna"
BEA = "people/bea"
EU = "objectives/eu-leads"
EU_LEADS = f"{EU}/keyResults/leads"
CUSTOMERS = "objectives/revenue/keyResults/customers"


COMPANY: Final[tuple[Message, ...]] = (
    cycle(),
    *(team("company"), team(parent="teams/company"), team("sales", parent="teams/company")),
    team("europe", parent="teams/marketing"),
    objective(owner={"plain": ANNA}),
    objective("eu-leads", new("leads", target="5"), team="teams/europe"),
    objective("revenue", new("customers", target="20", owner={"plain": BEA}), team="teams/sales"),
    align("objectives/awareness", "objectives/revenue"),
    commit(),
    adjust(revise(target="1300", mask=("target", "target_change_percent")), name="first"),
    propose(revise(CUSTOMERS, target="30"), name="waiting"),
    propose(revise(target="1400"), name="of-marketing"),
    review("weekly", team="teams/marketing"),
    review("of-sales", team="teams/sales"),
)
"""Company above marketing (with Europe below it) and sales; Bea owns a key result of sales."""


def company() -> Scenario:
    """A ledger of that company."""
    return Scenario().given(*COMPANY)


def directory_of(scenario: Scenario) -> Directory:
    """What a server would know of a scenario's ledger."""
    directory = Directory()
    directory.take_in(events_of(scenario.records), len(scenario.records))
    return directory


def events_of(records: Iterable[Record]) -> list[Event]:
    """Those that a directory is folded from."""
    return [parsed(record) for record in records if record.event_type in TYPES]


class UpToDate:
    """For a directory that is never behind; counts how often it was asked to catch up."""

    def __init__(self) -> None:
        self.asked = 0

    def wake(self) -> None:
        return

    async def reach(self, position: int) -> None:
        self.asked += 1

    async def catch_up(self) -> None:
        self.asked += 1


def authority(
    directory: Directory, *own: str, grants: Grants = NO_GRANTS, fresh: UpToDate | None = None
) -> Authority:
    """Decides by the shipped policies and these."""
    return Authority(directory, fresh or UpToDate(), Fixed(_policies(own)), Fixed(grants))


@cache
def _policies(own: tuple[str, ...]) -> Policies:
    return policies([Source(f"own{number}", text) for number, text in enumerate(own)])


def principal(*roles: str, name: str = ANNA, on_behalf_of: str = "") -> Principal:
    """Somebody whose token states these roles."""
    return Principal(Caller(name, on_behalf_of), tuple(sorted(roles)), "token")


def permitted(access: Access, request: Message, method: str = "") -> bool:
    """Whether a request is permitted to the method that takes it."""
    try:
        done = access.require(method or method_of(request), request).send(None)
    except StopIteration:
        return True
    except NotPermitted:
        return False
    raise AssertionError(f"it waits for {done}")


def method_of(request: Message) -> str:
    """The method that takes a request."""
    return request.DESCRIPTOR.name.removesuffix("Request")
