"""A file to which checkpoints are appended, for others to take to where no server can reach."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from pathlib import Path

    from projections.proofs.store import Signed

log = structlog.get_logger(__name__)


class CheckpointFile:
    """Signed notes, one after the other, each flushed. What cannot be written now is left out."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def publish(self, signed: Signed) -> None:
        """Appends a checkpoint that has a signature, unless the file ends with it."""
        if not signed.signatures:
            return
        try:
            self.append(signed)
        except OSError as error:
            log.warning(
                "a checkpoint was not published",
                file=str(self._path),
                size=signed.checkpoint.size,
                reason=error.strerror,
            )

    def append(self, signed: Signed) -> None:
        """The same of any checkpoint.

        Raises:
            OSError: it cannot be written.
        """
        written = signed.written.encode()
        with self._path.open("ab+") as file:
            length = file.seek(0, os.SEEK_END)
            file.seek(max(0, length - len(written)))
            there = file.read()
            if there == written:
                return
            if there and not there.endswith(b"\n"):
                # A write that was cut off ends here.
                file.write(b"\n")
            file.write(written)
            file.flush()
            os.fsync(file.fileno())
