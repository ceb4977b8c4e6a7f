"""One call from its first byte to its last: admitted, answered, told of errors, logged."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Self

import structlog
from google.protobuf.message import DecodeError
from grpc import StatusCode, aio
from grpc_status import rpc_status

from ledger.call import CALL, Call
from service.error_table import row_of
from service.errors import incident_status, reason_name, status_of
from service.identity import Identify, self_named
from service.refusals import (
    AnswerTooLarge,
    CallTooLate,
    RequestTooLarge,
    RequestUnreadable,
    TooManyCalls,
)
from service.streams import Streams
from service.validation import Validation

if TYPE_CHECKING:
    from types import TracebackType

    from google.protobuf.message import Message
    from google.rpc.status_pb2 import Status

    Context = aio.ServicerContext[Any, Any]

MESSAGE_BYTES: Final = 4 * 1024 * 1024
"""The most bytes of a request or an answer; gRPC clients take no more by default."""
CALLS: Final = 20_000
"""The most calls in the server's hands at a time, streams included."""


Parse = Callable[[bytes], "Message"]
Serialise = Callable[["Message"], bytes]


@dataclass(slots=True)
class Gate:
    """What every call passes: the checks, the count of calls in the server's hands, the streams."""

    identify: Identify = self_named
    max_calls: int = CALLS
    streams: Streams = field(default_factory=Streams)
    validation: Validation = field(default_factory=Validation)
    log: Any = field(default_factory=lambda: structlog.get_logger().bind())
    calls: int = 0


@dataclass(frozen=True, slots=True)
class Codec:
    """A method's path and how its bytes become messages and messages bytes."""

    path: str
    parse: Parse
    serialise: Serialise
    request_name: str


class Exchange:
    """An `async with` block around one call; inside, every typed error may be raised.

    Cancellation, and an abort by the method itself, pass through. A typed error is answered with
    its status, anything else with INTERNAL and the id under which it was logged. The request log
    gets one entry: `method`, `code`, `milliseconds` and, as far as the call came, `actor`,
    `on_behalf_of`, `request_id`, `position`, `reason`.
    """

    __slots__ = ("_began", "_codec", "_context", "_deadline", "_entry", "_gate")

    def __init__(self, gate: Gate, codec: Codec, context: Context) -> None:
        self._gate = gate
        self._codec = codec
        self._context = context
        self._began = time.monotonic()
        self._deadline: float | None = None
        self._entry: dict[str, Any] = {"method": codec.path, "code": "OK"}

    async def __aenter__(self) -> Self:
        self._gate.calls += 1
        return self

    def admit(self, raw: bytes) -> Message:
        """The request, checked; sets `CALL` for the method.

        Raises:
            Refusal: one of those in `service.refusals`, or FieldInvalid.
        """
        gate, entry = self._gate, self._entry
        if gate.calls > gate.max_calls:
            raise TooManyCalls(gate.max_calls)
        left = self._context.time_remaining()
        if left is not None:
            if left <= 0:
                raise CallTooLate
            self._deadline = self._began + left
        caller = gate.identify(self._context.invocation_metadata() or ())
        entry["actor"] = caller.actor
        if caller.on_behalf_of:
            entry["on_behalf_of"] = caller.on_behalf_of
        if len(raw) > MESSAGE_BYTES:
            raise RequestTooLarge(len(raw), MESSAGE_BYTES)
        try:
            request = self._codec.parse(raw)
        except DecodeError:
            raise RequestUnreadable(self._codec.request_name) from None
        gate.validation.check(request, raw)
        request_id = getattr(request, "request_id", "")
        if request_id:
            entry["request_id"] = request_id
        CALL.set(Call(self._codec.path, caller, self._deadline))
        return request

    def seal(self, response: Message) -> bytes:
        """The response's bytes.

        Raises:
            AnswerTooLarge: more than `MESSAGE_BYTES`.
        """
        raw = self._codec.serialise(response)
        if len(raw) > MESSAGE_BYTES:
            raise AnswerTooLarge(len(raw), MESSAGE_BYTES)
        position = getattr(response, "position", 0)
        if position:
            self._entry["position"] = position
        return raw

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        status = None if error is None else self._status(error)
        entry, gate = self._entry, self._gate
        gate.calls -= 1
        entry["milliseconds"] = round((time.monotonic() - self._began) * 1e3, 3)
        gate.log.info("call", **entry)
        if status is not None:
            await self._context.abort_with_status(rpc_status.to_status(status))

    def _status(self, error: BaseException) -> Status | None:
        """What to tell the caller; None where somebody did already or nobody listens."""
        entry = self._entry
        if isinstance(error, aio.AbortError):
            entry["code"] = StatusCode(self._context.code()).name
            return None
        if not isinstance(error, Exception) or isinstance(error, asyncio.CancelledError):
            late = self._deadline is not None and time.monotonic() >= self._deadline
            entry["code"] = "DEADLINE_EXCEEDED" if late else "CANCELLED"
            return None
        row = row_of(error)
        status = status_of(error)
        if row is not None and status is not None:
            entry["code"] = row.code.name
            entry["reason"] = reason_name(row.reason)
            if row.sentence:
                entry["error"] = str(error)
            return status
        incident = uuid.uuid4().hex[:16]
        entry["code"] = entry["reason"] = "INTERNAL"
        entry["incident"] = incident
        self._gate.log.error("incident", incident=incident, method=self._codec.path, exc_info=error)
        return incident_status(incident)
