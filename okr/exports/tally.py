"""What an export holds so far: kept alike by who writes it and by who reads it."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessageClass

from okr.exports.errors import Misfit
from okr.proofs import checkpoint, note
from okr.proofs.leaf import Leaves
from okr.proofs.note import NoteInvalid
from okr.proofs.tree import HASH_BYTES, Frontier
from okr.v1 import events_pb2
from okr.v1.event_record_pb2 import EventMetadata
from okr.v1.export_pb2 import ExportTrailer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from okr.proofs.note import VerifierKey
    from okr.v1.export_pb2 import ExportedEvent, ExportedEvents, ExportedRequest, ExportHeader

EVENT_TYPES: Final = {
    descriptor.full_name: GetMessageClass(descriptor)
    for descriptor in events_pb2.DESCRIPTOR.message_types_by_name.values()
}
"""Every event's message by its full name."""


class Tally:
    """The totals of an export and the tree over its ledger, from the header on.

    `roots` are those that the first so many events are to have; `keys` are believed to sign
    checkpoints only of what was so. Memory by the number of streams.

    Raises:
        Misfit: the header contradicts itself, or such a root.
    """

    def __init__(
        self,
        header: ExportHeader,
        roots: Mapping[int, bytes] = MappingProxyType({}),
        keys: Sequence[VerifierKey] = (),
    ) -> None:
        self.header = header
        self._roots = roots
        self._keys = keys
        self.chunks = self.events = self.requests = self.checkpoints = 0
        self.signed_position = 0
        """The events up to it are those of which one of the keys has signed a checkpoint."""
        self.position = header.after_position
        self.tree = Frontier(header.after_position, header.after_hashes)
        self._recorded_us = -(1 << 63)
        self._versions: dict[str, int] = {}
        self._leaves = Leaves(header.log_id)
        self._check_header()
        self._check_root(self._roots)

    def take(self, content: ExportedEvents, *, readable: bool) -> None:
        """Adds the events and requests of the next chunk.

        `readable` demands that payload and metadata are messages that this version knows. Some
        6 µs an event, 10 with that.

        Raises:
            Misfit: the first event that does not follow, or that is not readable.
        """
        first = self.position + 1
        stated = self._stated(content)
        for event in content.events:
            self._follow(event)
            if readable:
                _read(event)
            self.tree.append(self._leaves.hash(event))
            if event.position in self._roots:
                self._check_root(self._roots)
            if event.position in stated:
                self._check_root(stated)
        self._check_requests(content.requests, first)
        self.chunks += 1
        self.events += len(content.events)
        self.requests += len(content.requests)
        self.checkpoints += len(content.checkpoints)

    def trailer(self) -> ExportTrailer:
        """What an export says at its end that has all that was taken."""
        return ExportTrailer(
            chunks=self.chunks,
            events=self.events,
            requests=self.requests,
            root=self.tree.root(),
            checkpoints=self.checkpoints,
        )

    def _follow(self, event: ExportedEvent) -> None:
        stream = event.stream
        version = self._versions.get(stream)
        if event.position != self.position + 1:
            raise Misfit(event.position, f"the one before it is event {self.position}")
        if event.recorded_us < self._recorded_us:
            raise Misfit(event.position, "it was recorded before the one that it follows")
        if version is None:
            # Of what comes before the export nothing is known.
            version = max(0, event.stream_version - 1) if self.header.after_position else 0
        if event.stream_version != version + 1:
            raise Misfit(
                event.position,
                f"it is version {event.stream_version} of {stream}, not {version + 1}",
            )
        self.position = event.position
        self._recorded_us = event.recorded_us
        self._versions[stream] = event.stream_version

    def _check_requests(self, requests: Sequence[ExportedRequest], first: int) -> None:
        before = first - 1
        for request in requests:
            if not (
                before < request.first_position <= self.position
                and request.first_position <= request.last_position <= self.header.last_position
            ):
                raise Misfit(request.first_position, "a request says that it wrote other events")
            before = request.first_position

    def _stated(self, content: ExportedEvents) -> Mapping[int, bytes]:
        """The roots that the chunk's own checkpoints state, by size."""
        found: dict[int, bytes] = {}
        first, last = self.position + 1, self.position + len(content.events)
        for written in content.checkpoints:
            try:
                noted = note.parsed(written)
                stated = checkpoint.parsed(noted.text)
            except NoteInvalid as invalid:
                raise Misfit(0, f"a checkpoint of it is none: {invalid}") from None
            if stated.log_id != self.header.log_id or not first <= stated.size <= last:
                raise Misfit(0, "a checkpoint of it is of other events")
            if found.setdefault(stated.size, stated.root) != stated.root:
                raise Misfit(stated.size, "two checkpoints of the events up to it differ")
            if any(key.has_signed(noted) for key in self._keys):
                self.signed_position = stated.size
        return found

    def _check_root(self, roots: Mapping[int, bytes]) -> None:
        expected = roots.get(self.position)
        if expected not in {None, self.tree.root()}:
            raise Misfit(
                self.position, "up to here the events are not those that the checkpoint was made of"
            )

    def _check_header(self) -> None:
        header, after = self.header, self.header.after_position
        numbers = [epoch.epoch for epoch in header.epochs]
        hashes = [*header.after_hashes, *([header.after_leaf] if after else [])]
        if (
            not header.log_id
            or not numbers
            or min(numbers) < 1
            or numbers != sorted(set(numbers))
            or not 0 <= after <= header.last_position
            or len(header.after_hashes) != after.bit_count()
            or any(len(each) != HASH_BYTES for each in hashes)
        ):
            raise Misfit(0, "it does not say which events of which ledger follow")


def _read(event: ExportedEvent) -> None:
    try:
        message = EVENT_TYPES[event.event_type]
    except KeyError:
        raise Misfit(
            event.position, f"{event.event_type} is not an event that this version knows"
        ) from None
    try:
        message.FromString(event.payload)
        EventMetadata.FromString(event.metadata)
    except DecodeError:
        raise Misfit(event.position, f"it is not a readable {event.event_type}") from None
