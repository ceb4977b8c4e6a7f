"""What goes into the write lane and what comes out of it."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from google.protobuf.message import Message

    from ledger.context import Context
    from ledger.event import Decision, Record
    from ledger.view import World
    from okr.v1.event_record_pb2 import EventMetadata


class Command(NamedTuple):
    """A request on its way to a decision.

    `request_id` may be empty; then nothing guards against a repetition. `content_hash` tells one
    content under the id from another. `deadline` is on the monotonic clock, in seconds.
    `validate_only` decides and writes nothing.
    """

    request: Message
    principal: str
    content_hash: bytes = b""
    on_behalf_of: str = ""
    request_id: str = ""
    validate_only: bool = False
    deadline: float | None = None


class Done(NamedTuple):
    """A command's success.

    `records` are in order of position, as stored. `states` are those of the written streams right
    after the command; there are none when it was `repeated`. When `validated_only`, nothing was
    written, and both say what would have been.
    """

    records: tuple[Record, ...]
    states: Mapping[str, Any] = MappingProxyType({})
    repeated: bool = False
    validated_only: bool = False


class Decider(Protocol):
    """Decides requests. Pure: reads no clock, makes no id, does no I/O but through `world`."""

    def __call__(self, world: World, request: Message, context: Context) -> Decision:
        """Raises `ledger.refusals.Refusal` where the rules forbid the request."""


class Folder(Protocol):
    """Folds streams into immutable states; a state must not grow with its stream."""

    def initial(self, stream: str) -> Any:
        """The state of a stream without events."""

    def apply(self, state: Any, record: Record, fact: Message, metadata: EventMetadata) -> Any:
        """The state after one more event."""


class Codec(Protocol):
    """Makes bytes of a folder's states, for snapshots."""

    def code(self) -> bytes:
        """Changes with whatever may change a fold, a state or its bytes."""

    def encode(self, state: Any) -> bytes:
        """A state as bytes."""

    def decode(self, data: bytes) -> Any:
        """The state that the same code made the bytes of.

        Raises:
            ValueError: they are no such bytes.
        """
