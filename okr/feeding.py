"""A stream of check-ins across its connections: what is to be sent, and what is acknowledged."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final

from okr.errors import OkrError, error_in
from okr.request_ids import identified
from okr.resuming import Patience
from okr.v1.ledger_service_pb2 import (
    CheckInOutcome,
    RecordCheckInRequest,
    StreamCheckInsRequest,
    StreamCheckInsResponse,
)

MESSAGE_AT_MOST: Final = 256
"""The most check-ins of one message."""
MESSAGE_BYTES: Final = 512 * 1024
"""The size at which a message takes no further check-in; the service takes twice as much."""
AHEAD: Final = 4 * MESSAGE_AT_MOST
"""The most check-ins that are sent and not acknowledged; the service takes fewer of a stream."""


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """What became of one check-in among many.

    `request` is what was sent, its request id included. Unless `error` says why it was refused, it
    is durable at `position`, and `name` is what the ledger calls it.
    """

    request: RecordCheckInRequest
    position: int
    name: str
    error: OkrError | None = None


def acknowledged(
    requests: Iterable[RecordCheckInRequest], outcomes: Iterable[CheckInOutcome]
) -> list[Acknowledged]:
    """What became of the requests of a batch, in their order."""
    return [
        Acknowledged(request, 0, "", error_in(told.refused, request.request_id))
        if told.HasField("refused")
        else Acknowledged(request, told.recorded.position, told.recorded.check_in.name)
        for request, told in zip(requests, outcomes, strict=True)
    ]


class Feed(Patience):
    """The check-ins of one stream that are not acknowledged, in order.

    A connection that is lost takes nothing with it: the next one is sent all of them again, with
    the same request ids, so that each is recorded once.
    """

    def __init__(self, patience_seconds: float) -> None:
        super().__init__(patience_seconds)
        self._open: deque[RecordCheckInRequest] = deque()
        self._first = 0
        self._sent = 0
        self.ended = False
        """No more will be added."""

    @property
    def room(self) -> bool:
        """Whether another one may be added."""
        return len(self._open) < AHEAD

    def finished(self) -> bool:
        """Everything is acknowledged."""
        return self.ended and not self._open

    @property
    def unsent(self) -> int:
        """How many this connection has not been given yet."""
        return len(self._open) - self._sent

    def add(self, request: RecordCheckInRequest) -> None:
        self._open.append(identified(request))

    def connected(self) -> None:
        """Another connection begins: whatever is not acknowledged is sent on it."""
        self._sent = 0

    def message(self) -> StreamCheckInsRequest:
        """The next ones to send, as many as one message takes."""
        message = StreamCheckInsRequest(first_sequence=self._first + self._sent)
        size = 0
        for request in islice(self._open, self._sent, self._sent + MESSAGE_AT_MOST):
            if size >= MESSAGE_BYTES:
                break
            message.requests.append(request)
            size += request.ByteSize()
        self._sent += len(message.requests)
        return message

    def took(self, answer: StreamCheckInsResponse) -> Iterator[Acknowledged]:
        """What an answer says of the first ones, which are done with."""
        self.worked()
        for told in answer.acknowledgements:
            request = self._open.popleft()
            self._first += 1
            self._sent -= 1
            if told.HasField("refused"):
                error = error_in(told.refused, request.request_id)
                yield Acknowledged(request, 0, "", error)
            else:
                name = f"{request.parent}/checkIns/{told.number}"
                yield Acknowledged(request, told.position, name)
