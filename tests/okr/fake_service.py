"""A service that answers as a test tells it, and remembers what it was asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import Message
from google.rpc import status_pb2
from grpc_status import rpc_status

from okr.v1 import audit_service_pb2 as audit
from okr.v1 import ledger_service_pb2 as api
from okr.v1 import score_service_pb2 as scores


@dataclass(frozen=True, slots=True)
class Failure:
    """A status to answer with."""

    code: grpc.StatusCode
    message: str = "no"
    details: tuple[Message, ...] = ()


@dataclass(slots=True)
class Fake:
    """What the service does next, and what it has seen."""

    failures: list[Failure] = field(default_factory=list)
    requests: list[Message] = field(default_factory=list)
    metadata: list[dict[str, str]] = field(default_factory=list)
    deadlines: list[float] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)

    def seen(self, request: Message, context: grpc.ServicerContext) -> None:
        self.requests.append(request)
        told = context.invocation_metadata()
        self.metadata.append({str(key): str(value) for key, value in told})
        self.deadlines.append(context.time_remaining())
        if self.failures:
            abort(context, self.failures.pop(0))

    def record(
        self, request: api.RecordCheckInRequest, context: grpc.ServicerContext
    ) -> api.RecordCheckInResponse:
        self.seen(request, context)
        position = self.positions.pop(0) if self.positions else len(self.requests)
        return api.RecordCheckInResponse(position=position, token=f"token-{position}")

    def cycle(
        self, request: scores.GetCycleRequest, context: grpc.ServicerContext
    ) -> scores.GetCycleResponse:
        self.seen(request, context)
        return scores.GetCycleResponse(position=1)

    def events(
        self, request: audit.ListEventsRequest, context: grpc.ServicerContext
    ) -> audit.ListEventsResponse:
        self.seen(request, context)
        page = int(request.page_token or 0)
        answer = audit.ListEventsResponse(position=9)
        answer.events.add(name=f"events/{page}")
        answer.next_page_token = str(page + 1) if page < 2 else ""
        return answer


@contextmanager
def serving(fake: Fake, address: str = "127.0.0.1:0") -> Iterator[str]:
    """Serve on loopback; gives the address."""
    server = grpc.server(ThreadPoolExecutor(4), options=(("grpc.so_reuseport", 0),))
    server.add_generic_rpc_handlers(
        (
            _service("LedgerService", RecordCheckIn=(api.RecordCheckInRequest, fake.record)),
            _service("ScoreService", GetCycle=(scores.GetCycleRequest, fake.cycle)),
            _service("AuditService", ListEvents=(audit.ListEventsRequest, fake.events)),
        )
    )
    port = server.add_insecure_port(address)
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(None).wait()


def abort(context: grpc.ServicerContext, failure: Failure) -> None:
    """End a call with a status."""
    context.abort_with_status(rpc_status.to_status(_status(failure)))


def _service(
    name: str, **methods: tuple[type[Message], Callable[..., Message]]
) -> grpc.GenericRpcHandler:
    handlers: dict[str, grpc.RpcMethodHandler[Any, Any]] = {
        method: grpc.unary_unary_rpc_method_handler(
            answer, request_type.FromString, lambda message: message.SerializeToString()
        )
        for method, (request_type, answer) in methods.items()
    }
    return grpc.method_handlers_generic_handler(f"okr.v1.{name}", handlers)


def _status(failure: Failure) -> status_pb2.Status:
    result = status_pb2.Status(code=failure.code.value[0], message=failure.message)
    for detail in failure.details:
        packed = AnyMessage()
        packed.Pack(detail)
        result.details.append(packed)
    return result
