"""What a caller may take is theirs over all their connections and tokens, and nobody else's."""

from __future__ import annotations

from pathlib import Path

import pytest
from grpc import StatusCode

from okr.v1.operations_service_pb2 import GetStatusRequest
from okr.v1.replay_service_pb2 import WatchEventsRequest
from okr.v1.score_service_pb2 import ListTeamsRequest
from tests.support.databases import ON_SQLITE_ALONE
from tests.support.identities import authenticated_service
from tests.support.serving import LoopThread, refused
from tests.support.turned_away import ROLES
from tests.support.whole import Caller

pytestmark = ON_SQLITE_ALONE

READ = ListTeamsRequest()
WATCH = WatchEventsRequest(from_now=True, checkpoint_seconds=1)


def until_exceeded(me: Caller) -> None:
    """Uses up what there is, which is less than two calls."""
    me.ask(READ)
    error = me.refused(READ)
    assert (error.code, error.reason) == (StatusCode.RESOURCE_EXHAUSTED, "QUOTA_EXCEEDED")
    assert error.info.metadata["quota"] == "calls_per_second"


def test_calls_per_second(loop: LoopThread, tmp_path: Path) -> None:
    with authenticated_service(
        loop, tmp_path, everyone=ROLES, caller_calls_per_second=0.01
    ) as callers:
        anna = callers.named("people/anna")
        until_exceeded(anna)
        again = callers.named("people/anna", jti="another")
        assert again.refused(READ).reason == "QUOTA_EXCEEDED"
        callers.named("people/bela").ask(READ)
        anna.ask(GetStatusRequest())


def test_streams(loop: LoopThread, tmp_path: Path) -> None:
    with authenticated_service(loop, tmp_path, everyone=ROLES, caller_streams=1) as callers:
        anna, bela = callers.named("people/anna"), callers.named("people/bela")
        with anna.watch(WATCH) as first:
            next(first)
            with anna.watch(WATCH) as second:
                assert refused(lambda: next(second)).info.metadata["quota"] == "streams"
            with bela.watch(WATCH) as theirs:
                next(theirs)
            anna.ask(READ)


@pytest.mark.parametrize("given", [{"caller_calls_per_second": 0}, {}])
def test_without_a_quota_or_with_the_usual_one_nobody_notices(
    loop: LoopThread, tmp_path: Path, given: dict[str, float]
) -> None:
    with authenticated_service(loop, tmp_path, everyone=ROLES, **given) as callers:
        anna = callers.named("people/anna")
        for _ in range(100):
            anna.ask(READ)
