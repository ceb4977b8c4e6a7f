"""Who may do what, over a channel: each method for each role, and what a refusal gives away."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import grpc
import pytest
from google.protobuf import text_format
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status
from grpc import StatusCode
from grpc_status import rpc_status

from tests.api.permissions import LETTERS, LINES, Line
from tests.ground import surface
from tests.support.ask import (
    FOLLOWERS,
    MARKETING,
    check_in,
    propose,
    update_cycle,
)
from tests.support.deciding import COMPANY
from tests.support.identities import Callers, authenticated_service
from tests.support.serving import LoopThread
from tests.support.whole import Caller

ALL: Final = tuple(LETTERS.values())
CLEO: Final = "people/cleo"
HIDDEN: Final = {
    "objectives/awareness": "objectives/revenue",
    "keyResults/followers": "keyResults/customers",
    "keyResults/traffic": "keyResults/customers",
    "objectives/eu-leads": "objectives/revenue",
    "teams/marketing": "teams/sales",
    "adjustments/of-marketing": "adjustments/waiting",
    "reviews/weekly": "reviews/of-sales",
}
"""What a request is about, and the like of it in another team."""


@pytest.fixture(scope="module")
def callers(loop: LoopThread, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callers]:
    with authenticated_service(loop, tmp_path_factory.mktemp("permissions")) as found:
        root = found.named("people/root", *ALL)
        root.all_of(*COMPANY)
        root.ask(propose(update_cycle(title="Quarter"), name="of-cycle"))
        yield found


def asked(request: Message) -> Message:
    """The request, which is to change nothing where it is one that changes something."""
    copy: Any = type(request)()
    copy.CopyFrom(request)
    for each in getattr(copy, "requests", [copy]):
        if "validate_only" in each.DESCRIPTOR.fields_by_name:
            each.validate_only = True
    if "reason" in copy.DESCRIPTOR.fields_by_name and not copy.reason:
        copy.reason = "why not"
    return copy  # type: ignore[no-any-return]


def refusal(caller: Caller, request: Message) -> Status | None:
    """The status that a request is refused with, inside an answer or in its place."""
    try:
        answer = caller.ask(asked(request))
    except grpc.RpcError as error:
        # What a call raises is a call as well; the types do not say so.
        call: Any = error
        found: Status | None = rpc_status.from_call(call)
        return found
    for field in ("outcomes", "acknowledgements"):
        for outcome in getattr(answer, field, ()):
            if outcome.HasField("refused"):
                return outcome.refused  # type: ignore[no-any-return]
    return None


def reason(status: Status | None) -> str:
    info = ErrorInfo()
    for detail in status.details if status else ():
        detail.Unpack(info)
    return info.reason


def may(caller: Caller, request: Message) -> bool:
    return reason(refusal(caller, request)) != "NOT_PERMITTED"


def letters(callers: Callers, line: Line, scope: str) -> str:
    """The letters of the roles that permit a request where they hold for a scope."""
    found = [
        letter
        for letter, role in LETTERS.items()
        if may(callers.named(CLEO, f"{role}:{scope}" if scope else role), line.request)
    ]
    return "".join(found)


def test_there_is_a_line_for_every_method() -> None:
    assert {name.partition(",")[0] for name in LINES} == {m.name for m in surface.methods()}
    for name, line in LINES.items():
        assert line.request.DESCRIPTOR.name == f"{name.partition(',')[0]}Request"


@pytest.mark.parametrize("name", LINES)
def test_a_method_is_for_whom_its_line_says(callers: Callers, name: str) -> None:
    line = LINES[name]
    found = Line(
        line.request,
        letters(callers, line, ""),
        letters(callers, line, MARKETING),
        letters(callers, line, "teams/sales"),
    )
    assert found[1:] == line[1:]
    assert not may(callers.named(CLEO), line.request)


@pytest.mark.parametrize("name", [name for name, line in LINES.items() if not line.elsewhere])
def test_what_is_forbidden_cannot_be_told_from_what_is_not_there(
    callers: Callers, name: str
) -> None:
    cleo = callers.named(CLEO, *(f"{role}:teams/europe" for role in ALL))
    request = LINES[name].request
    told = []
    for absent in (False, True):
        text = text_format.MessageToString(request)
        for known, other in HIDDEN.items():
            text = text.replace(known, f"{other.partition('/')[0]}/absent" if absent else other)
        about: Message = text_format.Parse(text, type(request)())
        told.append(refusal(cleo, about))
    assert told[0] is not None
    assert told[0] == told[1]
    assert told[0].code == StatusCode.PERMISSION_DENIED.value[0]


def test_a_refusal_names_the_action_and_who_lacks_the_right(callers: Callers) -> None:
    error = callers.named(CLEO, "viewer").refused(check_in())
    assert (error.code, error.reason) == (StatusCode.PERMISSION_DENIED, "NOT_PERMITTED")
    assert dict(error.info.metadata) == {"action": "RecordCheckIn", "principal": CLEO}
    assert FOLLOWERS not in error.message
