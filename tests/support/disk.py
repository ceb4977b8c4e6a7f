"""A disk that loses its power: what a traced process has written, as a cut at a step leaves it."""

from __future__ import annotations

import random
from collections import defaultdict
from itertools import pairwise
from pathlib import Path
from typing import Final

from tests.support.tracing import Flushed, Removed, Step, Truncated, Wrote

SECTOR: Final = 512
"""Written whole or not at all; whatever is bigger may tear."""


class Disk:
    """Takes in steps one after the other, and says what would be there if the power went now.

    What was flushed is there. Of the rest, any part may be: some sectors of a write and not the
    others, a later write and not an earlier one, a new file whose folder was not flushed, or a
    removed one.
    """

    def __init__(self) -> None:
        self._flushed: dict[str, bytearray] = defaultdict(bytearray)
        self._pending: dict[str, list[Wrote | Truncated]] = defaultdict(list)
        self._named: set[str] = set()
        self._removed: set[str] = set()

    def take(self, step: Step, *, flushes: bool = True) -> None:
        """The next step; a disk that lies about its flushes is one without `flushes`."""
        if isinstance(step, (Wrote, Truncated)):
            # Two files that may be there under one name are more than is kept here.
            assert step.path not in self._removed
            self._pending[step.path].append(step)
        elif isinstance(step, Removed):
            self._removed.add(step.path)
        elif isinstance(step, Flushed) and flushes:
            if step.path in self._pending or step.path in self._flushed:
                for pending in self._pending.pop(step.path, []):
                    _apply(self._flushed[step.path], pending)
            else:
                self._flush_names(step.path)

    def after_cut(self, chance: random.Random, kept: float) -> dict[str, bytes]:
        """The files by path; of what was not flushed, `kept` is how likely a part is there."""
        files = {}
        for path in sorted(self._flushed.keys() | self._pending.keys()):
            certain = path in self._named and path not in self._removed
            if not certain and chance.random() >= kept:
                continue
            content = bytearray(self._flushed.get(path, b""))
            for pending in self._pending.get(path, []):
                for part in _sectors(pending):
                    if chance.random() < kept:
                        _apply(content, part)
            files[path] = bytes(content)
        return files

    def _flush_names(self, folder: str) -> None:
        for path in [path for path in self._removed if str(Path(path).parent) == folder]:
            self._forget(path)
        for path in self._flushed.keys() | self._pending.keys():
            if str(Path(path).parent) == folder:
                self._named.add(path)

    def _forget(self, path: str) -> None:
        self._flushed.pop(path, None)
        self._pending.pop(path, None)
        self._named.discard(path)
        self._removed.discard(path)


def _sectors(step: Wrote | Truncated) -> list[Wrote | Truncated]:
    if isinstance(step, Truncated):
        return [step]
    path, offset, data = step
    first = SECTOR - offset % SECTOR
    bounds = [0, *range(first, len(data), SECTOR), len(data)]
    return [Wrote(path, offset + start, data[start:end]) for start, end in pairwise(bounds)]


def _apply(content: bytearray, step: Wrote | Truncated) -> None:
    if isinstance(step, Truncated):
        del content[step.size :]
        content.extend(bytes(step.size - len(content)))
        return
    content.extend(bytes(max(0, step.offset - len(content))))
    content[step.offset : step.offset + len(step.data)] = step.data
