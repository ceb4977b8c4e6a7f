"""The lane's side of messages that carry many requests: each has a command and an outcome."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from google.rpc.status_pb2 import Status

from ledger.log.errors import ClockBehind, DeadlinePassed, LogUnavailable, OutcomeUnknown
from ledger.rpc import METHODS, SERVICE
from okr.v1 import ledger_service_pb2 as api
from okr.v1.events_pb2 import CheckInRecorded
from service.errors import told
from service.lane.link import Answer, Many

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from ledger.log.command import Done
    from ledger.rpc import LedgerRpc
    from ledger.tokens import Tokens
    from service.lane.link import Ask

OF_THE_MESSAGE: Final = (LogUnavailable, ClockBehind, DeadlinePassed)
"""What concerns a message as a whole: its sender finds out by its request ids what was written."""


@dataclass(frozen=True, slots=True)
class Form:
    """How a method tells what became of the requests in a message, and answers the message."""

    recorded: Callable[[LedgerRpc, Done], Message]
    refused: Callable[[Status], Message]
    answer: Callable[[Any, Sequence[Any], Tokens], Message]


class Group:
    """The requests of one message, on their way through the lane."""

    __slots__ = (
        "_ask",
        "_failure",
        "_form",
        "_message",
        "_outcomes",
        "_refused",
        "_waiting",
        "_written",
    )

    def __init__(self, ask: Ask, message: Any) -> None:
        self._ask = ask
        self._form = FORMS[ask.method]
        self._message = message
        self._waiting = len(message.requests)
        self._outcomes: list[Message | None] = [None] * self._waiting
        self._refused = 0
        self._written = False
        self._failure: Exception | None = None

    def settle(self, place: int, outcome: Done | Exception, rpc: LedgerRpc) -> bool:
        """Keeps what became of a request; True when it was the last one."""
        if not isinstance(outcome, Exception):
            try:
                self._written = True
                self._outcomes[place] = self._form.recorded(rpc, outcome)
            # The event is durable; its caller learns that the answer could not be made.
            except Exception as error:  # noqa: BLE001
                outcome = error
        if isinstance(outcome, OF_THE_MESSAGE):
            self._failure = outcome
        elif isinstance(outcome, Exception):
            status = Status.FromString(told(outcome, self._path).status)
            self._outcomes[place] = self._form.refused(status)
            self._refused += 1
        self._waiting -= 1
        return not self._waiting

    def answer(self, tokens: Tokens) -> Answer:
        """The answer to the message, when every request has its outcome."""
        many = Many(len(self._outcomes), self._refused)
        if self._failure is not None:
            refusal = told(self._as_a_whole(self._failure), self._path)
            return Answer(self._ask.number, b"", "", 0, refusal, many=many)
        response: Any = self._form.answer(self._message, self._outcomes, tokens)
        raw = response.SerializeToString()
        return Answer(self._ask.number, raw, "", response.position, many=many)

    def _as_a_whole(self, failure: Exception) -> Exception:
        """The failure of some, which is not that of all where others are written."""
        if isinstance(failure, LogUnavailable) and self._written:
            return OutcomeUnknown(failure.database, failure.action, failure.reason)
        return failure

    @property
    def _path(self) -> str:
        return f"/{SERVICE}/{self._ask.method}"


class Part(NamedTuple):
    """A request's place in its group."""

    group: Group
    place: int


def _whole(rpc: LedgerRpc, done: Done) -> api.CheckInOutcome:
    answer: Any = rpc.answer(METHODS["RecordCheckIn"], done, may_read=False)
    return api.CheckInOutcome(recorded=answer)


def _brief(rpc: LedgerRpc, done: Done) -> api.CheckInAcknowledgement:
    fact = CheckInRecorded.FromString(done.records[0].payload)
    return api.CheckInAcknowledgement(position=rpc.position(done), number=fact.number)


def _batch(
    _message: Any, outcomes: Sequence[api.CheckInOutcome], tokens: Tokens
) -> api.BatchRecordCheckInsResponse:
    position = max(outcome.recorded.position for outcome in outcomes)
    return api.BatchRecordCheckInsResponse(
        outcomes=outcomes, position=position, token=tokens.token(position) if position else ""
    )


def _acknowledged(
    message: api.StreamCheckInsRequest,
    outcomes: Sequence[api.CheckInAcknowledgement],
    tokens: Tokens,
) -> api.StreamCheckInsResponse:
    position = max(outcome.position for outcome in outcomes)
    return api.StreamCheckInsResponse(
        acknowledgements=outcomes,
        position=position,
        token=tokens.token(position) if position else "",
        first_sequence=message.first_sequence,
    )


FORMS: Final[Mapping[str, Form]] = {
    "BatchRecordCheckIns": Form(_whole, lambda status: api.CheckInOutcome(refused=status), _batch),
    "StreamCheckIns": Form(
        _brief, lambda status: api.CheckInAcknowledgement(refused=status), _acknowledged
    ),
}
"""The methods whose messages carry many requests."""
