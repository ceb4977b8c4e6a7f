"""The domain as the write lane uses it: how it decides, and how streams fold into states."""

from __future__ import annotations

from google.protobuf.message import Message

from ledger.context import Context
from ledger.decisions import decide
from ledger.event import Decision, Record
from ledger.fold import State, applied, initial
from ledger.view import View, World
from okr.v1.event_record_pb2 import EventMetadata


class Domain:
    """Decides requests and folds streams; pure, and without state of its own."""

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
