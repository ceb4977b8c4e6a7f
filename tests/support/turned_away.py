"""What a service that knows its callers says to them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

import grpc

from okr.v1.audit_service_pb2 import ListEventsRequest
from okr.v1.operations_service_pb2 import GetStatusRequest
from tests.support.identities import Callers, authority
from tests.support.serving import Refused, refused
from tests.support.whole import Caller

ROLES: Final = ("administrator", "delegate", "operator", "viewer")
"""What everyone may do here, whom the service knows."""


def until(holds: Callable[[], object], seconds: float = 20) -> None:
    """Returns once it holds."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def turned_away(me: Caller) -> Refused:
    """What the service says to a caller whom it does not know."""
    error = refused(lambda: me.ask(GetStatusRequest()))
    assert (error.code, error.reason) == (grpc.StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED")
    return error


def rule(me: Caller) -> str:
    """Which rule a caller's credential breaks; empty if it breaks none."""
    try:
        me.ask(GetStatusRequest())
    except grpc.RpcError as error:
        told = Refused(error)
        return told.info.metadata.get("rule", told.reason)
    return ""


def actors(me: Caller) -> list[tuple[str, str]]:
    """Who wrote the events of the ledger, and on whose behalf."""
    events = me.ask(ListEventsRequest()).events
    return [(e.actor.plain, e.on_behalf_of.plain) for e in (at.decoded_metadata for at in events)]


def with_certificate(callers: Callers, *uris: str, **names: Any) -> Caller:
    """A caller whose connection is made with a certificate of these names."""
    return Caller(callers.channel(authority("clients").client(*uris, **names)), callers.address)
