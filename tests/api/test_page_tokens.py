"""A page token that somebody made who knows the log's id is refused, or is harmless."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from grpc import StatusCode

from ledger.tokens import Page, Tokens
from okr.v1.operations_service_pb2 import GetStatusRequest
from tests.ground.surface import methods
from tests.support.serving import Refused
from tests.support.whole import Caller

LISTS = [each for each in methods() if "page_token" in each.input_type.fields_by_name]
Place = tuple[int | str, ...]
NUMBERS: list[Place] = [(number,) for number in (1, -5, 2**63, 10**30, True)]
TEXTS: list[Place] = [("x",), ("",), ("a", "b", "c", "d")]
PLACES: list[Place] = [(), *NUMBERS, *TEXTS, (1, 2, 3, 4, 5, 6, 7), ("x", 1)]
PARENTS = ("objectives/awareness/keyResults/followers", "objectives/awareness", "cycles/q3")


def sound(me: Caller, kind: Any) -> Any:
    """A request that the list answers."""
    for parent in PARENTS:
        request = kind(page_size=2)
        for name, value in (("cycle", "cycles/q3"), ("parent", parent), ("name", parent)):
            if name in kind.DESCRIPTOR.fields_by_name:
                setattr(request, name, value)
        if answered(me, request) is None:
            return request
    return None


@pytest.mark.parametrize("method", LISTS, ids=lambda method: method.name)
def test_a_place_that_is_none_is_refused(furnished: Caller, method: Any) -> None:
    status = furnished.ask(GetStatusRequest())
    tokens = Tokens(status.log_id, status.epoch)
    request = sound(furnished, GetMessageClass(method.input_type))
    if request is None:
        pytest.skip("what it lists is asked for in another way")
    for place in PLACES:
        for us in (0, 2**63 + 5):
            request.page_token = tokens.page_token(request, Page(30, us, None, place))
            refusal = answered(furnished, request)
            assert refusal in {None, StatusCode.INVALID_ARGUMENT}, (place, us)


def answered(me: Caller, request: Message) -> StatusCode | None:
    """What the service refuses with, None if it answers."""
    try:
        me.send(request)
    except grpc.RpcError as error:
        return Refused(error).code
    return None
