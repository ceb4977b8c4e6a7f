"""A ledger, or its newest part, into a file."""

from __future__ import annotations

from contextlib import closing, suppress
from typing import TYPE_CHECKING, BinaryIO, Final, NamedTuple

from ledger.values import timestamp
from okr.exports import links
from okr.exports.errors import ExportRefused, Misfit
from okr.exports.reading import Reading
from okr.exports.tally import Tally
from okr.exports.writing import Writing, cut
from okr.proofs.leaf import Leaves
from okr.proofs.tree import Frontier
from okr.v1.export_pb2 import (
    ExportedEpoch,
    ExportedEvent,
    ExportedEvents,
    ExportedRequest,
    ExportHeader,
)
from service.moving.files import told, unfinished
from service.moving.notes import Notes
from service.moving.telling import told_nobody

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ledger.event import Record
    from ledger.log.contract import LogReader
    from ledger.log.database import Database
    from okr.v1.export_pb2 import ExportLink
    from service.moving.telling import Tell

PAGE: Final = 2_048


class Exported(NamedTuple):
    """What an export holds: the tally at its end, and the position that it was resumed at."""

    tally: Tally
    resumed_position: int


class Source:
    """A ledger to export: its log, and what was signed of it. Whoever makes it closes it.

    Pages are read up to the log's head of the beginning, and nothing is held in between, so that it
    may be read beside any number of servers.

    Raises:
        LogUnavailable, ReadModelsUnavailable: the log, or what was signed of it, cannot be read;
            so do the methods.
    """

    def __init__(self, log: LogReader, database: Database) -> None:
        self._log = log
        self._name = str(database)
        self._notes = Notes(database, log.identity().log_id)

    def header(self, after: int = 0) -> ExportHeader:
        """What an export of the events after a position begins with, if it is made now.

        The events up to that position are read for the tree over all.

        Raises:
            ExportRefused: the log ends before it.
        """
        head = self._log.head().position
        if after > head:
            reason = f"its last event is {head}, which is before {after}"
            raise ExportRefused(self._name, "", 0, reason)
        epochs = self._log.epochs()
        made = ExportHeader(
            log_id=epochs[-1].log_id,
            epochs=[
                ExportedEpoch(epoch=each.epoch, begin_time=timestamp(each.begun_us))
                for each in epochs
            ],
            after_position=after,
            last_position=head,
            verifier_keys=self._notes.keys(),
        )
        if after:
            leaves, tree = Leaves(made.log_id), Frontier()
            for record in self._records(0, after):
                made.after_leaf = leaves.hash(record)
                tree.append(made.after_leaf)
            made.after_hashes.extend(tree.hashes)
        return made

    def links(self, writing: Writing) -> Iterator[ExportLink]:
        """The links that follow on those that were made, up to the trailer.

        Raises:
            ExportRefused: an event of the log does not follow on the one before it, or is not what
                was signed.
        """
        tally = writing.tally
        records = self._records(tally.position, tally.header.last_position)
        try:
            for content in cut(map(exported, records)):
                self._complete(content)
                yield writing.chunk(content)
        except Misfit as misfit:
            raise ExportRefused(self._name, "", misfit.position, misfit.reason) from None
        yield writing.trailer()

    def holds(self, header: ExportHeader, last: ExportedEvent | None) -> bool:
        """Whether an export that begins so and has come to that event is one of this ledger."""
        epochs = [(header.log_id, each.epoch) for each in header.epochs]
        if epochs != [each[:2] for each in self._log.epochs()]:
            return False
        if last is None:
            return True
        return list(map(exported, self._log.read(last.position - 1, 1))) == [last]

    def close(self) -> None:
        self._notes.close()

    def _complete(self, content: ExportedEvents) -> None:
        """Adds to a chunk's events the requests and checkpoints that go with them."""
        first, last = content.events[0].position, content.events[-1].position
        content.requests.extend(
            ExportedRequest(
                first_position=each.first_position,
                last_position=each.last_position,
                request_digest=each.digest,
                content_hash=each.content_hash,
            )
            for each in self._log.requests(first - 1, last)
        )
        content.checkpoints.extend(self._notes.between(first, last))

    def _records(self, after: int, up_to: int) -> Iterator[Record]:
        while after < up_to and (page := self._log.read(after, min(PAGE, up_to - after))):
            yield from page
            after = page[-1].position


def export(
    log: LogReader,
    database: Database,
    target: Path,
    after: int = 0,
    tell: Tell = told_nobody,
) -> Exported:
    """Writes the events after a position to a file, and goes on with one that was left unfinished.

    `database` is where the log is.

    Raises:
        ExportRefused, LogUnavailable, ReadModelsUnavailable: as `Source`.
        FileUnusable: the file is there already, or cannot be written.
    """
    with closing(Source(log, database)) as source, unfinished(target) as made:
        found = _resumed(made.file, source, after)
        with told(target, "write"):
            if found is None:
                writing = Writing(Tally(source.header(after)))
                made.file.seek(0)
                made.file.write(links.MAGIC + links.delimited(writing.header()))
            else:
                writing = Writing(found.tally, found.digest)
                made.file.seek(found.end)
            made.file.truncate()
            resumed_position = writing.tally.position
            if found is None or not found.whole:
                for link in source.links(writing):
                    made.file.write(links.delimited(link))
                    tell(writing.tally.position, writing.tally.header.last_position)
        made.put()
    return Exported(writing.tally, resumed_position)


def _resumed(file: BinaryIO, source: Source, after: int) -> Reading | None:
    """What an earlier attempt has come to, None where it is of no use.

    It ends before whatever was cut off, or is damaged.
    """
    try:
        found = Reading(file, "", readable=False)
    except ExportRefused:
        return None
    last: ExportedEvent | None = None
    with suppress(ExportRefused):
        for content in found.chunks():
            last = content.events[-1]
    if found.header.after_position != after or not source.holds(found.header, last):
        return None
    return found


def exported(record: Record) -> ExportedEvent:
    """A record as an export has it."""
    return ExportedEvent(**record._asdict())
