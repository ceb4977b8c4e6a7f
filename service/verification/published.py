"""Checkpoints that were kept where whoever writes to the ledger could not reach them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from okr.proofs import checkpoint
from okr.proofs.note import NoteInvalid, VerifierKey

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from okr.proofs.checkpoint import Checkpoint

log = structlog.get_logger(__name__)


class CheckpointsUnusable(Exception):
    """Files that nothing can be held against, or a key that is none."""


def published_in(files: Sequence[Path], keys: Sequence[str], log_id: str) -> list[Checkpoint]:
    """The checkpoints of a ledger in files, each signed by one of the keys where any are given.

    One that was cut off as it was written is left out, and the log says so.

    Raises:
        CheckpointsUnusable: a file cannot be read, has none, or one that is not right.
    """
    try:
        known = [VerifierKey.parse(key) for key in keys]
    except NoteInvalid as error:
        raise CheckpointsUnusable(f"--key: {error}") from None
    return [stated for file in files for stated in _in_file(file, known, log_id)]


def _in_file(file: Path, keys: Sequence[VerifierKey], log_id: str) -> list[Checkpoint]:
    try:
        kept = checkpoint.kept_in(file.read_text("utf-8"), keys)
    except (OSError, UnicodeDecodeError) as error:
        raise CheckpointsUnusable(f"{file}: cannot be read: {error}") from None
    except NoteInvalid as error:
        raise CheckpointsUnusable(f"{file}: {error}") from None
    if kept.cut_off:
        log.warning("checkpoints were cut off", file=str(file), count=kept.cut_off)
    for each in kept.checkpoints:
        if each.log_id != log_id:
            raise CheckpointsUnusable(f"{file}: a checkpoint in it is of ledger {each.log_id}")
    return kept.checkpoints
