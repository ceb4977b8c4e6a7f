"""A ledger, or its newest part, from a file of an export."""

from __future__ import annotations

from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, NamedTuple

from ledger.event import Record
from ledger.log.contract import Epoch, LogIdentity, StoredRequest
from ledger.log.errors import LogMismatch
from ledger.log.opening import open_intake
from okr.exports.reading import Reading
from okr.proofs.leaf import Leaves
from service.moving.files import reading
from service.moving.notes import Notes
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
    """A ledger that was imported: which it is, the tally of the last file, what was there before.

    `there_before` is the position of the last event that had not to be taken in.
    """

    identity: LogIdentity
    tally: Tally
    there_before: int


def take_in(
    database: Database,
    files: Sequence[Path],
    *,
    begin_epoch: Callable[[Epoch], Epoch] | None = None,
    tell: Tell = told_nobody,
) -> Imported:
    """Takes in what exports, each going on from the one before, have beyond the log.

    That is empty or holds the beginning of them. Each chunk is one transaction, checked before; one
    that was ended at any instant goes on after its last whole chunk. A log that is made here can be
    opened when all is in. With `begin_epoch` it is made here, and begins the generation that
    follows on the last file's.

    Raises:
        ExportRefused: a file is not in order; what came before that has been taken in.
        FileUnusable: a file cannot be read.
        LogMismatch, RecordUnfit: the log is not the beginning of what the files hold.
        LedgerContradicted: what was signed in that place is of another ledger.
        LogLocked, LogUnavailable: the log cannot be written.
    """
    with ExitStack() as opened:
        # First, so that no log is made for a file that is none.
        exports = [Reading(opened.enter_context(reading(file)), str(file)) for file in files]
        intake = opened.enter_context(closing(open_intake(database)))
        notes = opened.enter_context(closing(Notes(database, exports[-1].header.log_id)))
        before = intake.head().position
        epochs = _epochs(exports[-1].header)
        for export in exports:
            _require_beginning(intake, str(database), export.header, is_new=begin_epoch is not None)
            notes.keep_keys(export.header.verifier_keys)
            for content in export.chunks():
                _take(intake, str(database), content, before)
                notes.keep(content.checkpoints)
                tell(export.tally.position, exports[-1].header.last_position)
        if begin_epoch is not None:
            epochs.append(begin_epoch(epochs[-1]))
        intake.complete(epochs)
    identity = LogIdentity(epochs[-1].log_id, epochs[-1].epoch)
    return Imported(identity, exports[-1].tally, before)


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


def _require_beginning(intake: Intake, name: str, header: ExportHeader, *, is_new: bool) -> None:
    """Refuses a log that is not the beginning of the ledger of an export, or is not new."""
    there = intake.epochs()
    if there and is_new:
        held = f"it holds epoch {there[-1].epoch} of ledger {there[-1].log_id}"
        raise LogMismatch(name, f"{held}; restore into an empty place")
    if there and there != _epochs(header)[: len(there)]:
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
