"""A ledger, or its newest part, into a file."""

from __future__ import annotations

from contextlib import suppress
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
from service.moving.telling import told_nobody

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ledger.event import Record
    from ledger.log.contract import LogReader
    from service.moving.telling import Tell

PAGE: Final = 2_048


class Exported(NamedTuple):
    """What an export holds: the tally at its end, and the position that it was resumed at."""

    tally: Tally
    resumed_position: int


def export(
    log: LogReader,
    name: str,
    target: Path,
    after: int = 0,
    tell: Tell = told_nobody,
) -> Exported:
    """Writes the events after a position to a file, and goes on with one that was left unfinished.

    Reads pages up to the log's head of now and holds nothing in between, so that it may run beside
    any number of servers. `name` is what errors call the log. For `after` the events up to it are
    read too, for the tree over all.

    Raises:
        ExportRefused: an event of the log does not follow on the one before it, or the log ends
            before `after`.
        FileUnusable: the file is there already, or cannot be written.
        LogUnavailable: the log cannot be read.
    """
    with unfinished(target) as made:
        found = _resumed(made.file, log, after)
        with told(target, "write"):
            if found is None:
                writing = Writing(Tally(header(log, name, after)))
                made.file.seek(0)
                made.file.write(links.MAGIC + links.delimited(writing.header()))
            else:
                writing = Writing(found.tally, found.digest)
                made.file.seek(found.end)
            made.file.truncate()
            resumed_position = writing.tally.position
            if found is None or not found.whole:
                _write(made.file, log, name, writing, tell)
        made.put()
    return Exported(writing.tally, resumed_position)


def _write(
    file: BinaryIO,
    log: LogReader,
    name: str,
    writing: Writing,
    tell: Tell,
) -> None:
    try:
        for content in contents(log, writing.tally):
            file.write(links.delimited(writing.chunk(content)))
            tell(writing.tally.position, writing.tally.header.last_position)
    except Misfit as misfit:
        raise ExportRefused(name, "", misfit.position, misfit.reason) from None
    file.write(links.delimited(writing.trailer()))


def header(log: LogReader, name: str, after: int = 0) -> ExportHeader:
    """What an export of the events after a position begins with, if it is made now.

    Raises:
        ExportRefused: the log ends before.
    """
    head = log.head().position
    if after > head:
        raise ExportRefused(name, "", 0, f"its last event is {head}, which is before {after}")
    epochs = log.epochs()
    made = ExportHeader(
        log_id=epochs[-1].log_id,
        epochs=[
            ExportedEpoch(epoch=each.epoch, begin_time=timestamp(each.begun_us)) for each in epochs
        ],
        after_position=after,
        last_position=head,
    )
    if after:
        leaves, tree = Leaves(made.log_id), Frontier()
        for record in _records(log, 0, after):
            made.after_leaf = leaves.hash(record)
            tree.append(made.after_leaf)
        made.after_hashes.extend(tree.hashes)
    return made


def contents(log: LogReader, tally: Tally) -> Iterator[ExportedEvents]:
    """What follows on a tally, in chunks, up to the position that its header names."""
    records = _records(log, tally.position, tally.header.last_position)
    for content in cut(exported(record) for record in records):
        first, last = content.events[0].position, content.events[-1].position
        content.requests.extend(
            ExportedRequest(
                first_position=each.first_position,
                last_position=each.last_position,
                request_digest=each.digest,
                content_hash=each.content_hash,
            )
            for each in log.requests(first - 1, last)
        )
        yield content


def _records(log: LogReader, after: int, up_to: int) -> Iterator[Record]:
    while after < up_to and (page := log.read(after, min(PAGE, up_to - after))):
        yield from page
        after = page[-1].position


def _resumed(file: BinaryIO, log: LogReader, after: int) -> Reading | None:
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
    epochs = [(found.header.log_id, each.epoch) for each in found.header.epochs]
    if found.header.after_position != after or epochs != [each[:2] for each in log.epochs()]:
        return None
    if last is not None:
        stored = log.read(last.position - 1, 1)
        if not stored or exported(stored[0]) != last:
            return None
    return found


def exported(record: Record) -> ExportedEvent:
    """A record as an export has it."""
    return ExportedEvent(**record._asdict())
