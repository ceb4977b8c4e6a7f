"""LedgerService: which command a request is, and what is answered when it is done."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final, TypedDict

from google.protobuf.descriptor import Descriptor, MethodDescriptor
from google.protobuf.descriptor_pool import Default
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from ledger import answers
from ledger.answers import History
from ledger.call import Caller
from ledger.event import Record
from ledger.log.command import Command, Done
from ledger.log.contract import LogReader
from ledger.log.snapshots import Snapshots
from ledger.tokens import Tokens
from okr.v1 import events_pb2 as facts
from okr.v1 import ledger_service_pb2 as api

SERVICE: Final = api.DESCRIPTOR.services_by_name["LedgerService"].full_name

ANSWERS: Final[Mapping[str, Callable[[History], Message]]] = {
    "CreateCycle": answers.cycle,
    "UpdateCycle": answers.cycle,
    "CommitPlan": answers.cycle,
    "CreateTeam": answers.team,
    "UpdateTeam": answers.team,
    "RetireTeam": answers.team,
    "RegisterPerson": answers.person,
    "ErasePerson": answers.person,
    "CreateObjective": answers.objective,
    "UpdateObjective": answers.objective,
    "GradeObjective": answers.objective,
    "RegradeObjective": answers.objective,
    "AbandonObjective": answers.objective,
    "AddKeyResult": answers.key_result,
    "ReviseKeyResult": answers.key_result,
    "DropKeyResult": answers.key_result,
    "RestoreKeyResult": answers.key_result,
    "Align": answers.alignment,
    "Unalign": answers.alignment,
    "RecordCheckIn": answers.recorded_check_in,
    "CorrectCheckIn": answers.changed_check_in,
    "RetractCheckIn": answers.changed_check_in,
    "AdjustStrategy": answers.adjustment,
    "ProposeAdjustment": answers.adjustment,
    "ApproveAdjustment": answers.adjustment,
    "RejectAdjustment": answers.adjustment,
    "ReopenCycle": answers.cycle,
    "RecordAmendment": answers.amendment,
    "CarryOverKeyResult": answers.key_result,
    "RecordReview": answers.review,
    "RecordLesson": answers.lesson,
}
"""The resource that each method answers with, as the request's own events left it."""


SEAL: Final = "Seal"
"""Seals a cycle: what the server asks of the lane itself, and no caller can."""

UNFINISHED: Final[Mapping[str, type[Message]]] = {
    "CloseCycle": api.CloseCycleRequest,
    SEAL: facts.CycleSealed,
}
"""What the server goes on with when the lane has done its part, by what it takes."""

BULK: Final = frozenset({"BatchRecordCheckIns", "StreamCheckIns"})
"""Methods whose messages carry many requests of RecordCheckIn, each decided by itself."""


class NeedsReading(Exception):
    """An answer cannot be made from what the lane has at hand."""


@dataclass(frozen=True, slots=True)
class Method:
    """A method whose answer is one resource: what it gives, and the field of the resource."""

    response: Callable[..., Message]
    resource: str
    answer: Callable[[History], Message]


def _methods() -> Mapping[str, MethodDescriptor]:
    methods: Mapping[str, MethodDescriptor] = Default().FindServiceByName(SERVICE).methods_by_name
    return methods


def _resource_of(response: Descriptor) -> str:
    (resource,) = {field.name for field in response.fields} - {"position", "token"}
    return resource


REQUESTS: Final[Mapping[str, type[Message]]] = {
    name: GetMessageClass(method.input_type) for name, method in _methods().items()
} | dict(UNFINISHED)
"""What the lane can be asked, by the name of the method."""

METHODS: Final[Mapping[str, Method]] = {
    name: Method(
        GetMessageClass(method.output_type), _resource_of(method.output_type), ANSWERS[name]
    )
    for name, method in _methods().items()
    if name not in UNFINISHED and name not in BULK
}
"""What the lane answers by itself, one request with one answer."""


class At(TypedDict):
    """The fields that every response has in common."""

    position: int
    token: str


class LedgerRpc:
    """Between the service's messages and the write lane's commands."""

    def __init__(self, log: LogReader, tokens: Tokens, snapshots: Snapshots | None = None) -> None:
        self._log = log
        self._tokens = tokens
        self._stored = snapshots.find if snapshots else lambda _: None

    def command(self, request: Any, caller: Caller, deadline: float | None) -> Command:
        """What a request asks for, by whom and until when (on the monotonic clock)."""
        return Command(
            request=request,
            principal=caller.actor,
            on_behalf_of=caller.on_behalf_of,
            request_id=getattr(request, "request_id", ""),
            content_hash=_content_hash(request),
            validate_only=getattr(request, "validate_only", False),
            deadline=deadline,
        )

    def answer(self, method: Method, done: Done, *, may_read: bool) -> Message:
        """The response to a command that is done.

        Raises:
            NeedsReading: it takes a read of the log, and it may not.
        """
        read = self._log.read_stream if may_read else _refuse_to_read
        resource = method.answer(History(read, done.records, done.states, self._stored))
        return method.response(
            **{method.resource: resource}, **landed(self._log, self._tokens, done)
        )

    def position(self, done: Done) -> int:
        """Where a command landed, as `landed`."""
        return _position(self._log, done)


def landed(log: LogReader, tokens: Tokens, done: Done) -> At:
    """Where a command landed; what was only validated landed nowhere, and the head is told."""
    position = _position(log, done)
    return {"position": position, "token": tokens.token(position)}


def _position(log: LogReader, done: Done) -> int:
    return log.head().position if done.validated_only else done.records[-1].position


def _refuse_to_read(*_: object) -> Sequence[Record]:
    raise NeedsReading


def _content_hash(request: Message) -> bytes:
    """Tells a request from others: SHA-256 of its method's request type and its fields."""
    serialised = request.SerializeToString(deterministic=True)
    return sha256(request.DESCRIPTOR.full_name.encode() + b"\0" + serialised).digest()
