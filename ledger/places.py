"""Where in its objective's stream a check-in stands, so that it is read without all the others."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field

STRIDE = 256
"""The most events among which a check-in has to be looked for."""


@dataclass(frozen=True, slots=True)
class Places:
    """The places of one key result's check-ins, by stream version.

    A mark, (number, version), is set for a check-in that stands at least `STRIDE` versions after
    the last mark. So each check-in stands less than that behind the mark before it, however many
    events of other key results lie between, and a stream of n events has n / `STRIDE` marks.

    `corrected` tells the version of each check-in's last correction.
    """

    marks: tuple[tuple[int, int], ...] = ()
    corrected: Mapping[int, int] = field(default_factory=dict)
    retracted: frozenset[int] = frozenset()

    def after_record(self, number: int, version: int) -> Places:
        """The places after a new check-in, whose number is the highest."""
        if self.marks and version - self.marks[-1][1] < STRIDE:
            return self
        return Places((*self.marks, (number, version)), self.corrected, self.retracted)

    def after_correction(self, number: int, version: int) -> Places:
        """The places after a correction; costs by the number of corrected check-ins."""
        return Places(self.marks, {**self.corrected, number: version}, self.retracted)

    def after_retraction(self, number: int) -> Places:
        """The places after a retraction; costs by the number of retracted check-ins."""
        return Places(self.marks, self.corrected, self.retracted | {number})

    def span(self, number: int) -> tuple[int, int]:
        """The versions, both inclusive, between which a recorded check-in stands."""
        found = bisect_right(self.marks, number, key=lambda mark: mark[0]) - 1
        _, version = self.marks[found]
        return version, version + STRIDE - 1


NOWHERE = Places()
"""The places of no check-ins."""
