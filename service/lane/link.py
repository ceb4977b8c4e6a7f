"""What the server and its write lane say to each other.

Both ends are the same program on the same machine, joined by sockets that nobody else can reach,
so that what they send is pickled.
"""

from __future__ import annotations

import pickle
from struct import Struct
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from ledger.log.lane import LaneCounts

if TYPE_CHECKING:
    from ledger.log.command import Done
    from service.errors import Told

FRAME_BYTES: Final = 8 * 1024 * 1024
"""The size at which a frame takes no further call."""
BULK_FRAME_BYTES: Final = 48 * 1024
"""The size at which it takes no further message with many requests: some 256 check-ins."""

_LENGTH: Final = Struct(">I")


class Ask(NamedTuple):
    """A call that changes the ledger: `raw` is its request as it came.

    `deadline` is an instant of `time.monotonic()`, which all processes of a machine share.
    `checked` says of a message with many requests that all of them keep their rules, `forbidden`
    at which places, from 0, there are some that the caller is not permitted.
    """

    number: int
    method: str
    raw: bytes
    actor: str
    on_behalf_of: str
    deadline: float | None
    checked: bool = False
    forbidden: tuple[int, ...] = ()


class Many(NamedTuple):
    """How many requests a message carried, and how many of them were refused."""

    requests: int
    refused: int


class Answer(NamedTuple):
    """What became of the call with the number: the response's bytes, or what its caller is told.

    `request_id` and `position` are for the request log, empty and 0 as far as there is none.
    """

    number: int
    raw: bytes
    request_id: str
    position: int
    refusal: Told | None = None
    done: Done | None = None
    """What was done, in place of a response, where the server makes the response itself."""
    many: Many | None = None
    """For the request log, of a message with many requests."""


class Turn(NamedTuple):
    """What one turn of the lane gave.

    `taken_in` says that a frame of calls is done with: each is answered, waits in the lane for
    another turn, or has a thread that answers it later.
    """

    answers: list[Answer]
    taken_in: bool
    last_position: int
    counts: LaneCounts


class Ready(NamedTuple):
    """The lane has opened the log."""


def framed(message: object) -> bytes:
    """A message as a frame: its length in four bytes, and the pickle."""
    body = pickle.dumps(_plain(message), pickle.HIGHEST_PROTOCOL)
    return _LENGTH.pack(len(body)) + body


def _plain(message: object) -> object:
    """The message, what there are many of as plain tuples: they pickle in a third of the time."""
    match message:
        case Turn(answers, taken_in, last_position, counts):
            return [tuple(answer) for answer in answers], taken_in, last_position, tuple(counts)
        case list():
            return [tuple(ask) for ask in message]
    return message


def _made(message: Any) -> Any:
    """The message that `_plain` was given."""
    if type(message) is list:
        return [Ask._make(ask) for ask in message]
    if type(message) is tuple:
        answers, taken_in, last_position, counts = message
        return Turn(
            [Answer._make(answer) for answer in answers],
            taken_in,
            last_position,
            LaneCounts._make(counts),
        )
    return message


class Frames:
    """Takes in bytes as they come and gives messages as they are whole."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def feed(self, data: bytes) -> list[Any]:
        """The messages that are whole now."""
        self._bytes += data
        messages: list[Any] = []
        begin = 0
        while len(self._bytes) - begin >= _LENGTH.size:
            body = begin + _LENGTH.size
            end = body + _LENGTH.unpack_from(self._bytes, begin)[0]
            if len(self._bytes) < end:
                break
            # Our own bytes, see above.
            messages.append(_made(pickle.loads(memoryview(self._bytes)[body:end])))  # noqa: S301
            begin = end
        del self._bytes[:begin]
        return messages
