"""The files of one ledger, and what is left of them when a process or the power goes.

The databases are real and lie on a file system in memory. Whoever crashes leaves copies of their
bytes as they are at that instant; the next life opens the copies, in a folder of its own, so that
nothing that the old one still holds open (a lock, a transaction, a file's index) can reach it.
"""

from __future__ import annotations

import shutil
import tempfile
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from random import Random

Files = dict[str, bytes]

LEDGER: Final = "okr-ledger.db"
IN_MEMORY: Final = Path("/dev/shm")
SECTOR: Final = 512
"""Written whole or not at all."""


class Disk:
    """A folder at a time, under a root that goes with `close`."""

    def __init__(self) -> None:
        there = IN_MEMORY if IN_MEMORY.is_dir() else None
        self._root = Path(tempfile.mkdtemp(prefix="okr-simulation-", dir=there))
        self._numbers = count(1)
        self.folder = self._root

    @property
    def ledger(self) -> Path:
        """The file of the log."""
        return self.folder / LEDGER

    def lay(self, files: Files) -> None:
        """Has a new folder with these files in place of the present one."""
        before = self.folder
        self.folder = self._root / str(next(self._numbers))
        self.folder.mkdir()
        for name, content in files.items():
            (self.folder / name).write_bytes(content)
        if before != self._root:
            shutil.rmtree(before)

    def killed(self) -> Files:
        """What a killed process leaves: all that it has written, flushed or not."""
        return {
            file.name: file.read_bytes() for file in sorted(self.folder.iterdir()) if kept(file)
        }

    def cut(self, chance: Random, lost: float) -> Files:
        """What a power cut leaves: of what is not flushed, each sector is lost with a chance.

        The log and the catalogue of the read models are flushed at each commit. A generation of
        these is flushed when its write-ahead log is copied into it, a file of snapshots never.
        """
        files = self.killed()
        for name, content in files.items():
            if unflushed(name):
                files[name] = torn(b"", content, chance, lost)
        return files

    def close(self) -> None:
        shutil.rmtree(self._root)


def kept(file: Path) -> bool:
    """Whether a new process would find the file of use: locks and indexes in memory go."""
    return not file.name.endswith((".lock", "-shm"))


def unflushed(name: str) -> bool:
    """Whether nobody has waited for what was last written to the file."""
    return ".snapshots." in name or (".views-" in name and name.endswith("-wal"))


def torn(before: bytes, after: bytes, chance: Random, lost: float) -> bytes:
    """A file whose change from one content to another, longer one did not reach the disk whole."""
    content = bytearray(after)
    for start in range(0, len(after), SECTOR):
        sector = slice(start, start + SECTOR)
        if before[sector] != after[sector] and chance.random() < lost:
            old = before[sector]
            content[sector] = old + bytes(len(after[sector]) - len(old))
    return bytes(content)
