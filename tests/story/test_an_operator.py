"""An operator: is it healthy, and how far behind are the projections?"""

from __future__ import annotations

from typing import Any

from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

from okr.v1.operations_service_pb2 import GetStatusRequest
from tests.story.quarter import Told, moment
from tests.support.whole import SERVICES


def test_how_far_everything_is(story: Told) -> None:
    story.scorecard()  # Waits until reads know of all that was written.
    status = story.me.ask(GetStatusRequest())
    (last,) = story.events[-1:]
    assert (status.head_position, status.head_time) == (
        last.header.position,
        moment("2024-10-10T09:00"),
    )
    assert status.log_id == last.header.log_id
    views, proofs = status.projections
    assert (views.lag_events, views.stopped_position) == (0, 0)
    assert proofs.stopped_position == 0
    assert status.lane.events == len(story.events)
    assert status.lane.waiting == 0


def test_everything_is_healthy(story: Told) -> None:
    # The stub's types leave its methods out.
    health: Any = HealthStub(story.me.channel)
    for service in ("", *SERVICES):
        told = health.Check(HealthCheckRequest(service=service), timeout=10)
        assert told.status == HealthCheckResponse.SERVING, service
