"""One case of bad input, and the names of the furnished ledger of `conftest`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from google.protobuf.message import Message
from google.type.date_pb2 import Date
from grpc import StatusCode

from tests.support.ask import (
    AWARENESS,
)

INVALID: Final = StatusCode.INVALID_ARGUMENT
REFUSED: Final = StatusCode.FAILED_PRECONDITION
MISSING: Final = StatusCode.NOT_FOUND
EXISTS: Final = StatusCode.ALREADY_EXISTS

REVENUE: Final = "objectives/revenue"
CUSTOMERS: Final = f"{REVENUE}/keyResults/customers"
NEWSLETTER: Final = f"{AWARENESS}/keyResults/newsletter"
TRAFFIC: Final = f"{AWARENESS}/keyResults/traffic"
BINARY: Final = "objectives/measures/keyResults/binary"
STEPS: Final = "objectives/measures/keyResults/steps"
PLANNED: Final = "objectives/measures/keyResults/planned"
PACE: Final = "objectives/running/keyResults/pace"
UNKNOWN_ENUM: Final = 99


@dataclass(frozen=True)
class Case:
    """A request, and the code, reason, field paths and facts of its refusal."""

    name: str
    request: Message
    code: StatusCode
    reason: str
    fields: tuple[str, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)


def invalid(name: str, request: Message, *fields: str) -> Case:
    """Fields that break a rule."""
    return Case(name, request, INVALID, "FIELD_INVALID", fields)


def refused(name: str, request: Message, reason: str, **facts: str) -> Case:
    """A rule of the domain that the present state breaks."""
    return Case(name, request, REFUSED, reason, (), facts)


def missing(name: str, request: Message, resource: str) -> Case:
    """Something that there is not."""
    return Case(name, request, MISSING, "RESOURCE_NOT_FOUND", (), {"resource": resource})


def taken(name: str, request: Message, resource: str) -> Case:
    """An id that is taken."""
    return Case(name, request, EXISTS, "RESOURCE_EXISTS", (), {"resource": resource})


def outside(name: str, request: Message, first: str, last: str) -> Case:
    """An effective day that is not one of the cycle's."""
    facts = {"field": "effective_date", "firstDay": first, "lastDay": last}
    return Case(name, request, INVALID, "DAY_OUTSIDE_CYCLE", ("effective_date",), facts)


def no_such_day(request: Message, year: int, month: int, of_month: int) -> Message:
    """The request with an effective date that no calendar has."""
    request.effective_date.CopyFrom(Date(year=year, month=month, day=of_month))  # type: ignore[attr-defined]  # callers pass requests that have one
    return request
