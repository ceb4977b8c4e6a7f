"""Holds exports against themselves, each other, and checkpoints that someone kept."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from okr.exports.errors import ExportRefused
from okr.exports.reading import Reading
from okr.proofs.note import VerifierKey

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from okr.exports.tally import Tally
    from okr.proofs.checkpoint import Checkpoint
    from okr.v1.export_pb2 import ExportHeader


class Checked(NamedTuple):
    """What was found in order: the events after one position up to another, and their ledger.

    The files hold `checkpoints` that agree with them; the last one that a given key has signed is
    of `signed_position` events, 0 if none is.
    """

    log_id: str
    epoch: int
    after_position: int
    position: int
    root: bytes
    checkpoints: int
    signed_position: int


def check(
    files: Sequence[Path],
    checkpoints: Iterable[Checkpoint] = (),
    keys: Sequence[VerifierKey] = (),
    tell: Callable[[int, int], object] = lambda _done, _total: None,
) -> Checked:
    """Reads exports, each of which goes on where the one before it ends.

    Every part is as it was written, positions and versions have no gap, times never decrease,
    every event is one that this version can read, and the first so many events have the root that
    each checkpoint states, those of the files included. `tell` gets how far it is and how far it
    has to go. Memory by one chunk and by the number of streams.

    Raises:
        ExportRefused: the first file, part or event that is not so.
        OSError: a file cannot be read.
    """
    kept = list(checkpoints)
    read: list[tuple[str, Tally]] = []
    for path in files:
        with path.open("rb") as file:
            export = Reading(file, str(path), roots=_roots(kept, str(path)), keys=keys)
            if read:
                _require_next(read[-1], export)
            for _ in export.chunks():
                tell(export.tally.position, export.header.last_position)
        read.append((str(path), export.tally))
    (_, first), (name, last) = read[0], read[-1]
    for each in kept:
        _require_covered(each, first.header, last, name)
    return Checked(
        last.header.log_id,
        last.header.epochs[-1].epoch,
        first.header.after_position,
        last.position,
        last.tree.root(),
        sum(tally.checkpoints for _, tally in read),
        max(tally.signed_position for _, tally in read),
    )


def _roots(checkpoints: Sequence[Checkpoint], name: str) -> Mapping[int, bytes]:
    for one, other in pairwise(sorted(checkpoints, key=lambda each: each.size)):
        if one.size == other.size and one.root != other.root:
            reason = f"two checkpoints of {one.size} events contradict each other"
            raise ExportRefused(name, "", 0, reason)
    return {each.size: each.root for each in checkpoints}


def _require_next(before: tuple[str, Tally], export: Reading) -> None:
    """Refuses an export that does not go on where the one before it ends."""
    name, tally = before
    header = export.header
    hashes = list(header.after_hashes)
    epochs = list(tally.header.epochs)
    if (
        (header.log_id, header.after_position) != (tally.header.log_id, tally.position)
        or hashes != tally.tree.hashes
        or list(header.epochs[: len(epochs)]) != epochs
    ):
        reason = f"it does not go on after event {tally.position}, with which {name} ends"
        raise ExportRefused(export.name, "the header", 0, reason)


def _require_covered(checkpoint: Checkpoint, first: ExportHeader, last: Tally, name: str) -> None:
    """Refuses a checkpoint that nothing of the exports was held against."""
    told = f"a checkpoint of {checkpoint.size} events"
    reason = ""
    if checkpoint.log_id != first.log_id:
        reason = f"{told} is of ledger {checkpoint.log_id}, not of {first.log_id}"
    elif checkpoint.epoch not in {each.epoch for each in last.header.epochs}:
        reason = f"{told} is of epoch {checkpoint.epoch}, of which the export knows nothing"
    elif checkpoint.size > last.position:
        reason = f"{told} is there, and the export ends with event {last.position}"
    elif checkpoint.size < first.after_position:
        reason = f"{told} cannot be held against it: it begins after event {first.after_position}"
    if reason:
        raise ExportRefused(name, "", 0, reason)
