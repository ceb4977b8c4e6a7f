"""The lines of the attention list: what is found about key results and objectives, and where."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import Connection

from ledger.call import hides
from ledger.check_ins import CheckIn
from ledger.dues import due, owner_of
from ledger.event import fact_of
from ledger.key_results import KeyResult
from ledger.momentum import Momentum, momentum
from ledger.objectives import Objective
from ledger.revision import in_order
from ledger.scoring.cadence import Due
from ledger.scoring.exact import ZERO, units
from ledger.scoring.pace import Status, gap
from ledger.standing import KeyResultStanding
from ledger.values import timestamp
from okr.v1 import events_pb2 as facts
from okr.v1.resources_pb2 import DeviationFinding, DeviationKind
from projections.attention.dependencies import Instants, changes
from projections.attention.dues import last_day
from projections.attention.scope import Part
from projections.chronicle import Wanted, of_cycle
from projections.known_check_ins import all_in_force
from projections.paging import Cursor
from projections.revisions import RevisionRow

_OF_STATUS: Final = {
    Status.AT_RISK: DeviationKind.DEVIATION_KIND_AT_RISK,
    Status.STALE: DeviationKind.DEVIATION_KIND_STALE,
    Status.BEHIND: DeviationKind.DEVIATION_KIND_BEHIND,
}


@dataclass(frozen=True, slots=True)
class Measured:
    """Where a key result stands, how it moves, and the next check-in that it owes."""

    standing: KeyResultStanding
    moves: Momentum
    owed: Due | None

    @property
    def key_result(self) -> KeyResult:
        """The key result as known and in force."""
        return self.standing.facts.current

    @property
    def behind(self) -> Decimal | None:
        """The gap between expected and actual progress, None if either is missing."""
        expected, actual = self.standing.expected_progress, self.standing.attainment
        return None if expected is None or actual is None else gap(expected, actual)

    def is_overdue(self, day: date) -> bool:
        """Whether the day of its next check-in has passed."""
        return self.owed is not None and self.owed.day < day


@dataclass(frozen=True, slots=True)
class Subject:
    """A key result with what is measured of it, or an objective where that is None."""

    part: Part
    objective: Objective
    measured: Measured | None = None

    @property
    def of(self) -> KeyResult | Objective:
        """What it is about."""
        return self.measured.key_result if self.measured else self.objective

    @property
    def decided_by(self) -> list[str]:
        """The names whose revision shows that somebody looked: an objective's key results too."""
        parts = [] if self.measured else self.objective.key_results
        return [self.of.name, *parts]


@dataclass(frozen=True, slots=True)
class Line:
    """A subject and what was found about it, worst first, at least one thing."""

    subject: Subject
    findings: Sequence[DeviationFinding]

    @property
    def key(self) -> Cursor:
        """The place in the list: no two lines share one."""
        lag = shortfall = None
        measured = self.subject.measured
        if measured is not None:
            behind, expected = measured.behind, measured.standing.expected_progress
            lag = expected if behind is None else behind
            shortfall = measured.moves.shortfall
        worst = int(self.findings[0].kind)
        return (worst, -units(lag or ZERO), -units(shortfall or ZERO), self.subject.of.name)


def lines(connection: Connection, part: Part, position: int) -> Iterator[Line]:
    """What deviates in a cycle, in no order."""
    known = [*_key_results(connection, part, position), *_objectives(part)]
    subjects = [subject for subject in known if not hides(subject.of.name)]
    at = Instants(connection, position, part.day)
    concerns = changes(at, [subject.of.name for subject in subjects])
    concerned = [subject for subject in subjects if subject.of.name in concerns]
    decided = at.revisions([name for subject in concerned for name in subject.decided_by])
    reviews = _reviews(at, part) if concerned else []
    for subject in subjects:
        own = list(_own(subject.measured, subject)) if subject.measured else []
        history = [row for name in subject.decided_by for row in decided.get(name, ())]
        own += [
            _changed(row)
            for row in concerns.get(subject.of.name, ())
            if not (
                hides(row.subject)
                or _has_looked(subject, history, row)
                or _was_reviewed(subject, reviews, row)
            )
        ]
        if own:
            yield Line(subject, sorted(own, key=lambda f: (f.kind, list(f.positions))))


def _key_results(connection: Connection, part: Part, position: int) -> Iterator[Subject]:
    counting = list(part.key_results())
    held = all_in_force(connection, [k.name for _, k in counting], position, part.day)
    for objective, key_result in counting:
        standing = part.board.standings.key_result(key_result.name)
        check_ins = [known.check_in for known in held[key_result.name]]
        moves = momentum(standing, check_ins, part.cycle, part.day)
        owed = due(key_result, part.cycle, last_day(part, key_result), part.day)
        yield Subject(part, objective, Measured(standing, moves, owed))


def _objectives(part: Part) -> Iterator[Subject]:
    for objective in part.objectives():
        if part.is_owned(objective):
            yield Subject(part, objective)


def _own(measured: Measured, subject: Subject) -> Iterator[DeviationFinding]:
    """What a key result's own facts say."""
    standing, moves, key_result = measured.standing, measured.moves, measured.key_result
    defined = in_order(key_result.revisions, subject.part.day)[-1].position
    told = _latest(standing.facts.check_ins)
    if standing.status is Status.STALE:
        yield _finding(_OF_STATUS[standing.status], told)
    elif standing.status in _OF_STATUS:
        yield _finding(_OF_STATUS[standing.status], told, defined)
    elif standing.status is Status.PENDING and measured.is_overdue(subject.part.day):
        added = key_result.revisions[0].position
        yield _finding(DeviationKind.DEVIATION_KIND_NOT_STARTED, told or added)
    if moves.falling_behind and moves.since and moves.until:
        between = moves.since.content_position, moves.until.content_position
        yield _finding(DeviationKind.DEVIATION_KIND_FALLING_BEHIND, *between)
    if not owner_of(subject.objective, key_result):
        yield _finding(DeviationKind.DEVIATION_KIND_NO_OWNER, defined)


def _finding(kind: DeviationKind.ValueType, *positions: int) -> DeviationFinding:
    return DeviationFinding(kind=kind, positions=sorted(positions))


def _changed(row: RevisionRow) -> DeviationFinding:
    """The finding that something it depends on was changed."""
    said = row.circumstances
    return DeviationFinding(
        kind=DeviationKind.DEVIATION_KIND_DEPENDENCY_CHANGED,
        positions=[row.position],
        subject=row.subject,
        event_type=row.event_type,
        adjustment=row.adjustment,
        actor=said.actor.plain,
        reason=said.reason.plain,
        category=said.category,
        recorded_time=timestamp(row.recorded_us),
    )


def _has_looked(subject: Subject, history: Sequence[RevisionRow], change: RevisionRow) -> bool:
    """Whether it was checked in or revised since a change, or by the same adjustment."""
    if any(
        row.position > change.position or row.adjustment == change.adjustment > ""
        for row in history
    ):
        return True
    if subject.measured:
        check_ins = [subject.measured.standing.facts.check_ins]
    else:
        known = subject.part.board.facts.key_results
        counting = [k.name for k in subject.objective.key_results.values() if not k.dropped]
        check_ins = [known[name].check_ins for name in counting]
    return bool(check_ins) and all(_latest(each) > change.position for each in check_ins)


@dataclass(frozen=True, slots=True)
class _Review:
    """A review that was held, and the position of its record."""

    position: int
    fact: Any


def _reviews(at: Instants, part: Part) -> list[_Review]:
    """The reviews of the cycle that were held by the day."""
    wanted = Wanted(part.cycle.name, facts.ReviewHeld)
    return [
        _Review(entry.position, fact_of(entry))
        for entry in of_cycle(at.connection, wanted, at.position)
        if entry.effective <= at.day
    ]


def _was_reviewed(subject: Subject, reviews: Sequence[_Review], change: RevisionRow) -> bool:
    """Whether a later review that saw the change was its team's, or its owner took part."""
    objective, measured = subject.objective, subject.measured
    owner = subject.part.owner_of(objective, measured.key_result if measured else None)
    return any(
        review.position > change.position
        and review.fact.seen_position >= change.position
        and (
            review.fact.team == objective.definition.team
            or owner in [each.plain for each in review.fact.participants if each.plain]
        )
        for review in reviews
    )


def _latest(check_ins: Sequence[CheckIn]) -> int:
    """The position that gave the check-in in force its content, 0 if there is none."""
    return check_ins[-1].content_position if check_ins else 0
