"""From one pair of instants to another: what was known at both, and what came to hold between.

The way leads through the days first, by what was known at the start, and then through the
positions, on the day of the end. So each step either lets one fact hold that did not before, or is
a day that has passed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property

from ledger.causes import parts_of
from ledger.check_ins import CheckIn
from ledger.cycles import cycle_of
from ledger.objectives import KEY_RESULTS
from ledger.revision import Revision
from ledger.scoring.attribution import Cause
from ledger.values import ALWAYS

CYCLES, TEAMS = "cycles/", "teams/"


@dataclass(frozen=True, slots=True)
class Instants:
    """What was known, up to a position, and the day that it is about."""

    position: int
    day: date


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that came to hold, or a day that passed (TIME, without position and change).

    `day` is the day that scores are of once it has; `position` that of the event. `subject` names
    whose revision it is, the parent of an alignment, or the key result of a check-in. A check-in
    is itself the change where its day has come, and an event about it where that became known.
    """

    cause: Cause
    day: date
    position: int = 0
    subject: str = ""
    change: Revision | CheckIn | None = None


@dataclass(frozen=True)
class Span:
    """Everything known at the end of some subjects and of all that may contribute to them.

    `revisions` are of cycles, teams, objectives and key results; `alignments` by the parent that
    they contribute to; both in order of position. `check_ins` are those known at the start, in
    the form known then, that hold on the start's day or come to hold by the end's; `measured` are
    the events about check-ins between the two positions.

    Of a key result whose score stands on its last check-in, and none of whose check-ins was
    changed between the positions, those before the one in force at the start may be left out.
    """

    start: Instants
    end: Instants
    revisions: Mapping[str, Sequence[Revision]]
    alignments: Mapping[str, Sequence[Revision]] = field(default_factory=dict)
    check_ins: Mapping[str, Sequence[CheckIn]] = field(default_factory=dict)
    measured: Mapping[str, Sequence[Revision]] = field(default_factory=dict)

    def at_start(self) -> Iterator[tuple[str, Revision]]:
        """The revisions and alignments that hold at the start, each with its subject."""
        for subject, effective, revision in self._dated:
            if revision.position <= self.start.position and effective <= self.start.day:
                yield subject, revision

    def steps(self) -> Iterator[Step]:
        """What came to hold, in order; the causes of one event in the order of causes."""
        yield from self._days()
        yield from self._positions()

    def _days(self) -> Iterator[Step]:
        known, first, last = self.start.position, self.start.day, self.end.day
        found: list[tuple[date, int, str, Revision | CheckIn]] = [
            (effective, revision.position, subject, revision)
            for subject, effective, revision in self._dated
            if revision.position <= known and first < effective <= last
        ]
        for key_result, forms in self.check_ins.items():
            found += [
                (form.effective, form.content_position, key_result, form)
                for form in forms
                if not form.retracted and first < form.effective <= last
            ]
        found.sort(key=lambda each: each[:2])
        passed = first
        for day, position, subject, change in found:
            yield from _passing(passed, day)
            passed = day
            yield from _steps(day, position, subject, change)
        yield from _passing(passed, last)

    def _positions(self) -> Iterator[Step]:
        known, day = self.start.position, self.end.day
        found = [
            (revision.position, subject, revision)
            for subject, effective, revision in self._dated
            if known < revision.position <= self.end.position and effective <= day
        ]
        for key_result, events in self.measured.items():
            found += [(event.position, key_result, event) for event in events]
        found.sort(key=lambda each: each[0])
        for position, subject, change in found:
            yield from _steps(day, position, subject, change)

    @cached_property
    def _dated(self) -> list[tuple[str, date, Revision]]:
        """Every revision and alignment with the day from which it holds.

        A cycle is what it is on its first day on the days before it too.
        """
        found = []
        for subject, known in self.revisions.items():
            first = _first_day(subject, known)
            found += [(subject, r.effective if r.effective > first else ALWAYS, r) for r in known]
        for parent, known in self.alignments.items():
            found += [(parent, revision.effective, revision) for revision in known]
        return found


def is_key_result(name: str) -> bool:
    """Whether a name is that of a key result."""
    return KEY_RESULTS in name


def _first_day(subject: str, known: Sequence[Revision]) -> date:
    cycle = cycle_of(subject, known) if subject.startswith(CYCLES) else None
    return cycle.first_day if cycle else ALWAYS


def _passing(after: date, until: date) -> Iterator[Step]:
    """The days after one, up to another."""
    for ahead in range(1, (until - after).days + 1):
        yield Step(Cause.TIME, after + timedelta(days=ahead))


def _steps(day: date, position: int, subject: str, change: Revision | CheckIn) -> Iterator[Step]:
    if isinstance(change, CheckIn):
        yield Step(Cause.PROGRESS, day, position, subject, change)
        return
    for cause, part in parts_of(change.fact):
        yield Step(cause, day, position, subject, Revision(change.effective, position, part))
