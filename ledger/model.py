"""The domain as the write lane uses it: how it decides, and what the states of streams are."""

from __future__ import annotations

from google.protobuf.message import Message

from ledger.context import Context
from ledger.decisions import decide
from ledger.event import Decision, Record
from ledger.fold import State, applied, initial
from ledger.stored_states import code, decoded, encoded
from ledger.view import View, World
from okr.v1.event_record_pb2 import EventMetadata


class Domain:
    """Decides requests, folds streams and stores states; pure, and without state of its own."""

    def __call__(self, world: World, request: Message, context: Context) -> Decision:
        """What a request means in the present state.

        Raises:
            Refusal: the rules of the domain refuse it.
        """
        return decide(View(world), request, context)

    def initial(self, stream: str) -> State | None:
        """The state of a stream without events."""
        return initial(stream)

    def apply(
        self, state: State | None, record: Record, fact: Message, metadata: EventMetadata
    ) -> State:
        """The state after one more event."""
        return applied(state, record.stream, fact, metadata, record.position)

    def code(self) -> bytes:
        """Changes with whatever may change a fold, a state or its bytes."""
        return code()

    def encode(self, state: State) -> bytes:
        """A state as bytes."""
        return encoded(state)

    def decode(self, data: bytes) -> State:
        """The state that the same code made the bytes of.

        Raises:
            ValueError: they are no such bytes.
        """
        return decoded(data)
