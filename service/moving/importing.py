"""A ledger, or its newest part, from a file of an export."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, NamedTuple

from ledger.event import Record
from ledger.log.contract import Epoch, StoredRequest
from ledger.log.errors import LogMismatch
from ledger.log.opening import open_intake
from okr.exports.reading import Reading
from okr.proofs.leaf import Leaves
from service.moving.files import reading
from service.moving.telling import told_nobody

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from ledger.log.contract import Intake
    from ledger.log.database import Database
    from okr.exports.tally import Tally
    from okr.v1.export_pb2 import ExportedEvent, ExportedEvents, ExportHeader
    from service.moving.telling import Tell


class Imported(NamedTuple):
    """What was imported: the tally of the file, and the last event that was there before."""

    tally: Tally
    there_before: int


def take_in(
    database: Database,
    file: Path,
    *,
    begin_epoch: Callable[[Epoch], Epoch] | None = None,
    tell: Tell = told_nobody,
) -> Imported:
    """Takes in what an export has beyond the log, which is empty or holds the beginning of it.

    Each chunk is one transaction, checked before; one that was ended at any instant goes on after
    its last whole chunk. A log that is made here can be opened when all is in. With `begin_epoch`
    it begins the generation that follows on the export's last one.

    Raises:
        ExportRefused: the file is not in order; what came before that has been taken in.
        FileUnusable: the file cannot be read.
        LogMismatch, RecordUnfit: the log is not the beginning of what the file holds.
        LogLocked, LogUnavailable: the log cannot be written.
    """
    name = str(database)
    with reading(file) as opened:
        # First, so that no log is made for a file that is none.
        export = Reading(opened, str(file))
        with closing(open_intake(database)) as intake:
            before = intake.head().position
            epochs = _epochs(export.header)
            _require_beginning(intake, name, export.header, epochs)
            for content in export.chunks():
                _take(intake, name, content, before)
                tell(export.tally.position, export.header.last_position)
            if begin_epoch is not None:
                epochs.append(begin_epoch(epochs[-1]))
            intake.complete(epochs)
    return Imported(export.tally, before)


def _take(intake: Intake, name: str, content: ExportedEvents, before: int) -> None:
    first, last = content.events[0].position, content.events[-1].position
    if first <= before:
        # What came to differ stays different, so the last one that both have tells of all.
        event = content.events[min(before, last) - first]
        if intake.read(event.position - 1, 1) != [_record(event)]:
            raise _forked(name, event.position)
    if last > before:
        intake.take(
            [_record(event) for event in content.events if event.position > before],
            [
                StoredRequest(
                    each.first_position,
                    each.last_position,
                    each.request_digest,
                    each.content_hash,
                )
                for each in content.requests
                if each.first_position > before
            ],
        )


def _require_beginning(
    intake: Intake, name: str, header: ExportHeader, epochs: Sequence[Epoch]
) -> None:
    """Refuses a log that is not the beginning of the ledger of an export."""
    there = intake.epochs()
    if there and there != epochs[: len(there)]:
        reason = f"it holds epoch {there[-1].epoch} of ledger {there[-1].log_id}"
        raise LogMismatch(name, f"{reason}, and the export is not of what came of that")
    after = header.after_position
    if not after:
        return
    found = intake.read(after - 1, 1)
    if not found:
        held = f"it holds {intake.head().position} events"
        raise LogMismatch(name, f"{held}, and the export begins after event {after}")
    if Leaves(header.log_id).hash(found[0]) != header.after_leaf:
        raise _forked(name, after)


def _forked(name: str, position: int) -> LogMismatch:
    return LogMismatch(name, f"its event {position} is not that of the export")


def _epochs(header: ExportHeader) -> list[Epoch]:
    return [
        Epoch(header.log_id, each.epoch, each.begin_time.ToMicroseconds()) for each in header.epochs
    ]


def _record(event: ExportedEvent) -> Record:
    return Record(
        event.position,
        event.stream,
        event.stream_version,
        event.event_type,
        event.recorded_us,
        event.metadata,
        event.payload,
    )
