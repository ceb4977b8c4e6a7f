"""grpc.health.v1 for asyncio, with watches that end when the server drains.

The library's own watches go on for ever, and one of them would hold up the end of the server for
as long as it gives its calls.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import TYPE_CHECKING, Any, Final

from grpc import StatusCode
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthServicer

if TYPE_CHECKING:
    from grpc.aio import ServicerContext

SERVING: Final[int] = HealthCheckResponse.SERVING
NOT_SERVING: Final[int] = HealthCheckResponse.NOT_SERVING
SERVICE_UNKNOWN: Final[int] = HealthCheckResponse.SERVICE_UNKNOWN


class Health(HealthServicer):
    """Tells of each service, and of the whole server under the empty name, whether it serves."""

    def __init__(self) -> None:
        self._statuses: dict[str, int] = {"": NOT_SERVING}
        self._changed = asyncio.Condition()
        self._draining = False

    async def serve(self, services: Iterable[str]) -> None:
        """Says from now on that these serve; does nothing once the server drains."""
        if not self._draining:
            await self._set(dict.fromkeys(services, SERVING))

    async def suspend(self, services: Iterable[str]) -> None:
        """Says that these do not serve now."""
        await self._set(dict.fromkeys(services, NOT_SERVING))

    async def drain(self) -> None:
        """Says for good that nothing serves, and ends the watches once they have said so."""
        self._draining = True
        await self._set(dict.fromkeys(self._statuses, NOT_SERVING))

    async def _set(self, statuses: dict[str, int]) -> None:
        async with self._changed:
            self._statuses.update(statuses)
            self._changed.notify_all()

    def _status(self, service: str) -> int:
        return self._statuses.get(service, SERVICE_UNKNOWN)

    async def Check(
        self, request: HealthCheckRequest, context: ServicerContext[Any, Any]
    ) -> HealthCheckResponse:
        """NOT_FOUND for a service that the server does not have."""
        status = self._statuses.get(request.service)
        if status is None:
            await context.abort(StatusCode.NOT_FOUND, "there is no such service")
        return HealthCheckResponse(status=status)

    async def Watch(
        self, request: HealthCheckRequest, context: ServicerContext[Any, Any]
    ) -> AsyncIterator[HealthCheckResponse]:
        """The status now and after each change."""
        told: int | None = None
        while True:
            status = self._status(request.service)
            if status != told:
                yield HealthCheckResponse(status=status)
                told = status
            if self._draining:
                return
            async with self._changed:
                while self._status(request.service) == told and not self._draining:
                    await self._changed.wait()
