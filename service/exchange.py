"""One call from its first byte to its last: admitted, answered, told of errors, logged."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, Self

import structlog
from google.protobuf.message import DecodeError
from google.rpc.status_pb2 import Status
from grpc import StatusCode, aio
from grpc_status import rpc_status

from ledger.call import CALL, THREADS, Call
from ledger.log.errors import LogUnavailable, OutcomeUnknown
from ledger.refusals import NotFound, Refusal
from ledger.rpc import BULK, REQUESTS
from service.access.permitted import Permitted
from service.access.screen import Screen
from service.errors import Refused, told
from service.identity.self_named import self_named
from service.limits import CALL_SECONDS, METADATA_BYTES, RECHECK_SECONDS
from service.load import Load, Loads
from service.quotas import Account, Quotas
from service.refusals import (
    CallTooLate,
    CallTooLong,
    MetadataTooLarge,
    NotPermitted,
    RequestTooLarge,
    RequestUnreadable,
)
from service.streams import Stream, Streams
from service.validation import LONG_BYTES, MESSAGE_BYTES, Validation, fitting

if TYPE_CHECKING:
    from types import TracebackType

    from google.protobuf.message import Message

    from ledger.call import Caller
    from service.access.authority import Authority
    from service.identity.principal import Identify, Principal
    from service.lane.link import Answer

    Context = aio.ServicerContext[Any, Any]

Places = tuple[int, ...]
"""Places, from 0, in a message that carries many requests."""
Parse = Callable[[bytes], "Message"]
Serialise = Callable[["Message"], bytes]


class Write(Protocol):
    """Hands a request's bytes to the write lane: of whom, and until when.

    Of a message with many requests, those at the `forbidden` places are refused.
    """

    def __call__(
        self, raw: bytes, caller: Caller, deadline: float | None, forbidden: Places = (), /
    ) -> Awaitable[Answer]: ...


@dataclass(slots=True)
class Gate:
    """What every call passes: the checks, the count of calls in the server's hands, the streams.

    Without an `authority` everybody may do everything.
    """

    identify: Identify = self_named
    authority: Authority | None = None
    recheck_seconds: float = RECHECK_SECONDS
    loads: Loads = field(default_factory=Loads)
    quotas: Quotas | None = None
    call_seconds: float = CALL_SECONDS
    streams: Streams = field(default_factory=Streams)
    validation: Validation = field(default_factory=Validation)
    log: Any = field(default_factory=lambda: structlog.get_logger().bind())
    alias: Callable[[str], str] = str
    """How the request log names a caller."""
    calls: int = 0

    def close(self) -> None:
        """Lets go of the threads, once no call is under way any more."""
        self.loads.close()


@dataclass(frozen=True, slots=True)
class Codec:
    """How a method's bytes become messages and messages bytes."""

    parse: Parse
    serialise: Serialise
    request_name: str


class Exchange:
    """An `async with` block around one call; inside, every typed error may be raised.

    Cancellation, and an abort by the method itself, pass through. A typed error is answered with
    its status, anything else with INTERNAL and the id under which it was logged. The request log
    gets one entry: `method`, `code`, `milliseconds` and, as far as the call came, `actor`,
    `on_behalf_of`, `authenticated_by`, `request_id`, `position`, `reason`; of a call that carries
    many requests also `requests` and `refused`, which count them; of one that is not permitted
    `policy`, what forbids it.
    """

    __slots__ = (
        "_account",
        "_began",
        "_context",
        "_deadline",
        "_entry",
        "_gate",
        "_load",
        "_method",
        "_path",
        "_permitted",
        "_screen",
        "_timer",
        "_too_long",
    )

    def __init__(self, gate: Gate, load: Load, path: str, context: Context) -> None:
        self._gate = gate
        self._load = load
        self._path = path
        self._method = path.rpartition("/")[2]
        self._context = context
        self._began = time.monotonic()
        self._deadline: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._too_long = False
        self._account: Account | None = None
        self._screen: Screen | None = None
        self._permitted: Permitted | None = None
        self._entry: dict[str, Any] = {"method": path, "code": "OK"}

    async def __aenter__(self) -> Self:
        self._gate.calls += 1
        self._load.calls += 1
        return self

    def _allow(self, left: float | None) -> None:
        """Notes until when the call may last, of which its caller leaves so many seconds."""
        if left is not None and left <= 0:
            raise CallTooLate
        most = self._gate.call_seconds
        if not self._load.streams and (left is None or left > most):
            left = most
            self._end_after(most)
        if left is not None:
            self._deadline = self._began + left

    def _end_after(self, seconds: float) -> None:
        """Ends the call then, since its caller would wait longer."""
        task = asyncio.current_task()
        assert task is not None

        def end() -> None:
            self._too_long = True
            task.cancel()

        self._timer = asyncio.get_running_loop().call_later(seconds, end)

    async def principal(self, raw: bytes) -> Principal:
        """Who sends so many bytes; notes until when the call may last.

        Raises:
            Refusal: one of those in `service.refusals`, or FieldInvalid.
        """
        gate, entry = self._gate, self._entry
        self._load.admit()
        self._allow(self._context.time_remaining())
        context = self._context
        metadata = context.invocation_metadata() or ()
        size = sum([len(key) + len(value) for key, value in metadata])
        if size > METADATA_BYTES:
            raise MetadataTooLarge(size, METADATA_BYTES)
        principal = await gate.identify(metadata, context.auth_context)
        actor, on_behalf_of = principal.caller
        entry["actor"] = gate.alias(actor)
        if on_behalf_of:
            entry["on_behalf_of"] = gate.alias(on_behalf_of)
        entry["authenticated_by"] = principal.credential
        if gate.quotas is not None and principal.authenticated:
            self._charge(gate.quotas, actor)
        if gate.authority is not None:
            self._screen = Screen(gate.authority, principal)
        if len(raw) > MESSAGE_BYTES:
            raise RequestTooLarge(len(raw), MESSAGE_BYTES)
        return principal

    def _charge(self, quotas: Quotas, actor: str) -> None:
        """Counts the call for who makes it; an operator's is never one too many."""
        if self._account is None and self._load is not self._gate.loads.operations:
            self._account = quotas.begin(actor, streams=self._load.streams)

    async def admit(self, raw: bytes, codec: Codec) -> tuple[Principal, Message]:
        """Who sends a request, and the request, checked; sets `CALL` for the method.

        Raises:
            Refusal: one of those in `service.refusals`, or FieldInvalid.
        """
        principal = await self.principal(raw)
        request = self._gate.validation.read(codec.parse, codec.request_name, raw)
        if request_id := getattr(request, "request_id", ""):
            self._entry["request_id"] = request_id
        sight = None
        if (authority := self._gate.authority) is not None and (screen := self._screen) is not None:
            self._permitted = Permitted(authority, principal, self._method, request)
            await self._permitted.require()
            screen.ask(request)
            sight = screen.sight
        CALL.set(Call(self._path, principal.caller, self._deadline, sight))
        if self._load.threads is not None:
            THREADS.set(self._load.threads)
        return principal, request

    async def answered(
        self, request: Message, ask: Callable[[Message], Awaitable[Message]]
    ) -> Message:
        """What a method answers, as far as the caller is shown it.

        Raises:
            NotFound: it is about something hidden, as if that did not exist.
        """
        response = await ask(request)
        if await self.shows(response):
            return response
        if self._screen is not None and self._screen.ask(request):
            # What it asks about was made private only now.
            return await ask(request)
        raise NotFound(request.name)  # type: ignore[attr-defined]  # else it has named what is hidden

    async def shows(self, response: Message) -> bool:
        """Whether the caller is shown an answer, out of which is taken what they are not.

        Raises:
            NotPermitted: by what the ledger says where it was read, the caller may not read it.
        """
        if self._screen is None:
            return True
        shown = await self._screen.show(response)
        if self._permitted is not None:
            await self._permitted.require_again()
        return shown

    async def hand_over(self, raw: bytes, write: Write) -> bytes:
        """The response's bytes from the write lane, which checks the request itself.

        Raises:
            Refusal: as `principal`.
            LogError: the lane cannot take the call.
            Refused: the lane has refused it.
        """
        principal = await self.principal(raw)
        raw, forbidden = await self.permit(principal, raw)
        answer = await write(raw, principal.caller, self._deadline, forbidden)
        if (authority := self._gate.authority) is not None and answer.position:
            await authority.landed(self._method, answer.position)
        told = self.took(answer)
        if (screen := self._screen) is None:
            return told
        return await screen.show_written(self._method, told, answer.position)

    async def permit(self, principal: Principal, raw: bytes) -> tuple[bytes, Places]:
        """A write that is permitted; of one with many requests also those that are not.

        What it says of something hidden is said of what does not exist.

        Raises:
            NotPermitted: it is not, or nothing in it can be.
            RequestUnreadable: the bytes are not what the method takes.
            RequestTooLarge, FieldInvalid, FieldUnknown: of a long request, as the lane would say.
            LogUnavailable: the log cannot be asked what the request is about.
        """
        authority, screen = self._gate.authority, self._screen
        if authority is None or screen is None:
            return raw, ()
        request = self._read(raw)
        access = authority.access(principal)
        if self._method in BULK:
            return raw, await access.refused(self._method, request)
        await access.require(self._method, request)
        return request.SerializeToString() if screen.ask(request) else raw, ()

    def _read(self, raw: bytes) -> Message:
        """The request in the bytes of a write; the lane checks it, but for a long one.

        A long one may name any number of things to decide about, until it is checked.
        """
        kind = REQUESTS[self._method]
        validation = self._gate.validation
        if len(raw) > LONG_BYTES:
            read = validation.read_bulk if self._method in BULK else validation.read
            return read(kind.FromString, kind.DESCRIPTOR.full_name, raw)
        try:
            return kind.FromString(raw)
        except DecodeError:
            raise RequestUnreadable(kind.DESCRIPTOR.full_name) from None

    @asynccontextmanager
    async def rechecked(
        self, stream: Stream, principal: Principal, request: Message | None = None
    ) -> AsyncIterator[None]:
        """Ends the stream when its caller is no longer who they were, or no longer permitted it.

        Looks each `recheck_seconds` while the block runs. What a stream of requests sends is
        decided message by message.
        """
        if self._gate.authority is None:
            yield
            return
        task = asyncio.create_task(self._recheck(stream, principal, request))
        try:
            yield
        finally:
            task.cancel()

    async def _recheck(self, stream: Stream, principal: Principal, request: Message | None) -> None:
        gate, context = self._gate, self._context
        while gate.authority is not None:
            await asyncio.sleep(gate.recheck_seconds)
            try:
                metadata = context.invocation_metadata() or ()
                now = await gate.identify(metadata, context.auth_context)
                if request is not None:
                    await gate.authority.access(now).require(self._method, request)
            except LogUnavailable:
                # Nothing can have changed in a log that cannot be written.
                continue
            except Refusal as refusal:
                stream.end(refusal)
                return
            if now.caller != principal.caller:
                stream.end(NotPermitted(self._method, now.caller.actor))
                return

    @property
    def deadline(self) -> float | None:
        """Until when the call may last, on the monotonic clock, once the caller is known."""
        return self._deadline

    def took(self, answer: Answer) -> bytes:
        """The bytes of an answer that the lane gave; a stream has several.

        Raises:
            Refused: the lane has refused the request.
        """
        entry = self._entry
        if answer.many is not None:
            entry["requests"] = entry.get("requests", 0) + answer.many.requests
            entry["refused"] = entry.get("refused", 0) + answer.many.refused
        if answer.request_id:
            entry["request_id"] = answer.request_id
        if answer.refusal is not None:
            raise Refused(answer.refusal)
        if answer.position:
            entry["position"] = answer.position
        return answer.raw

    def seal(self, response: Message, codec: Codec) -> bytes:
        """The response's bytes.

        Raises:
            AnswerTooLarge: more than `MESSAGE_BYTES`.
        """
        raw = fitting(codec.serialise(response))
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
        if self._timer is not None:
            self._timer.cancel()
            if self._too_long and isinstance(error, asyncio.CancelledError):
                error = self._stopped()
        status = None if error is None else self._status(error)
        if status is not None and self._screen is not None:
            status = await self._screen.tell(status)
        entry, gate = self._entry, self._gate
        gate.calls -= 1
        self._load.calls -= 1
        if self._account is not None and gate.quotas is not None:
            gate.quotas.end(self._account, streams=self._load.streams)
        entry["milliseconds"] = round((time.monotonic() - self._began) * 1e3, 3)
        # A service that cannot serve concerns its operators, who may not look at every call.
        tell = gate.log.warning if entry["code"] == "UNAVAILABLE" else gate.log.info
        tell("call", **entry)
        if status is not None:
            await self._context.abort_with_status(rpc_status.to_status(status))

    def _stopped(self) -> Exception:
        """What the call is told that was ended for taking too long; it can go on to say so."""
        task = asyncio.current_task()
        assert task is not None
        task.uncancel()
        seconds = self._gate.call_seconds
        if self._load is self._gate.loads.writes:
            # The lane may write it yet.
            return OutcomeUnknown("ledger", "write", f"it takes longer than {seconds:g} s")
        return CallTooLong(seconds)

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
        if isinstance(error, NotPermitted):
            entry["policy"] = ",".join(error.policies) or "none permits it"
        refusal = error.told if isinstance(error, Refused) else told(error, self._path)
        entry |= refusal.entry
        return Status.FromString(refusal.status)
