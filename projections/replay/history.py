"""What is known of a cycle, in memory: each fact is read once, whatever instants are asked for."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING, Generic, TypeVar

from projections import alignments, known_check_ins, plan, revisions
from projections.check_ins import CheckInRow, Kind
from projections.known_check_ins import KnownCheckIn, Place

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from ledger.check_ins import CheckIn
    from ledger.revision import Revision

Fact = TypeVar("Fact")


class Kept(Generic[Fact]):
    """Facts by name, each name's in order of position; a name is read when first asked for."""

    def __init__(
        self,
        read: Callable[[Sequence[str]], Mapping[str, Iterable[Fact]]],
        position: Callable[[Fact], int],
    ) -> None:
        self._read = read
        self._position = position
        self._facts: dict[str, list[Fact]] = {}

    def known(self, names: Sequence[str], position: int) -> dict[str, list[Fact]]:
        """The facts of each name up to a position."""
        missing = [name for name in names if name not in self._facts]
        if missing:
            self._facts.update({name: list(found) for name, found in self._read(missing).items()})
        return {name: self._up_to(self._facts[name], position) for name in names}

    def _up_to(self, facts: list[Fact], position: int) -> list[Fact]:
        return facts[: bisect_right(facts, position, key=self._position)]


class _Form(KnownCheckIn):
    """A check-in that is parsed once, however often it is scored."""

    @cached_property
    def check_in(self) -> CheckIn:
        return super().check_in


class CheckInLine:
    """The check-ins of a key result at one position after the other, in order of their places."""

    def __init__(self, rows: Sequence[CheckInRow]) -> None:
        self._rows = rows
        self._begin()

    def _begin(self) -> None:
        self._taken = 0
        self._recorded = 0
        self._forms: dict[int, KnownCheckIn] = {}
        self._places: list[Place] = []

    def count(self, known: int) -> int:
        """How many were recorded by a position."""
        self._go_to(known)
        return self._recorded

    def last(self, known: int, day: date) -> KnownCheckIn | None:
        """The one in force."""
        self._go_to(known)
        number = self._held(day)
        return self._forms[self._places[number - 1].number] if number else None

    def all(self, known: int, day: date) -> list[KnownCheckIn]:
        """Every one that holds, in order."""
        self._go_to(known)
        return [self._forms[place.number] for place in self._places[: self._held(day)]]

    def _held(self, day: date) -> int:
        return bisect_right(self._places, day.toordinal(), key=lambda place: place.effective_day)

    def _go_to(self, known: int) -> None:
        """Takes in what is known at a position; back to an earlier one begins anew."""
        if self._taken and self._rows[self._taken - 1].position > known:
            self._begin()
        while self._taken < len(self._rows) and self._rows[self._taken].position <= known:
            self._take(self._rows[self._taken])
            self._taken += 1

    def _take(self, row: CheckInRow) -> None:
        before = self._forms.pop(row.number, None)
        if before is not None:
            self._places.remove(before.place)
        if row.kind == Kind.RETRACTED:
            return
        self._recorded += row.kind == Kind.RECORDED
        form = _form(row, before)
        self._forms[row.number] = form
        insort(self._places, form.place)


class History:
    """A `Source` for every instant up to a position, over one state of the tables after another.

    `connection` is what names are read through that were not asked for before. Costs the memory
    of every fact about the names asked for.
    """

    def __init__(self, until: int) -> None:
        self.connection: Connection | None = None
        self._until = until
        self._revisions: Kept[Revision] = Kept(self._read_revisions, lambda r: r.position)
        self._entries = Kept(self._read_entries, lambda entry: entry.position)
        self._edges: Kept[Revision] = Kept(self._read_edges, lambda r: r.position)
        self._check_ins: dict[str, CheckInLine] = {}

    def revisions(self, subjects: Sequence[str], known: int) -> Mapping[str, Sequence[Revision]]:
        return self._revisions.known(subjects, known)

    def members(self, collections: Sequence[str], known: int) -> Mapping[str, Sequence[str]]:
        found = self._entries.known(collections, known)
        return {name: [entry.member for entry in entries] for name, entries in found.items()}

    def edges(self, parents: Sequence[str], known: int) -> Mapping[str, Sequence[Revision]]:
        return self._edges.known(parents, known)

    def last_check_ins(
        self, key_results: Sequence[str], known: int, day: date
    ) -> Mapping[str, KnownCheckIn]:
        found = {name: line.last(known, day) for name, line in self._lines(key_results)}
        return {name: last for name, last in found.items() if last is not None}

    def all_check_ins(
        self, key_results: Sequence[str], known: int, day: date
    ) -> Mapping[str, Sequence[KnownCheckIn]]:
        return {name: line.all(known, day) for name, line in self._lines(key_results)}

    def check_in_counts(self, key_results: Sequence[str], known: int) -> Mapping[str, int]:
        return {name: line.count(known) for name, line in self._lines(key_results)}

    def _lines(self, key_results: Sequence[str]) -> list[tuple[str, CheckInLine]]:
        missing = [name for name in key_results if name not in self._check_ins]
        if missing:
            rows = known_check_ins.rows_of(self._through(), missing, self._until)
            self._check_ins.update({name: CheckInLine(found) for name, found in rows.items()})
        return [(name, self._check_ins[name]) for name in key_results]

    def _read_revisions(self, names: Sequence[str]) -> Mapping[str, Iterable[Revision]]:
        rows = revisions.of_many(self._through(), names, self._until)
        return {name: [row.revision for row in found] for name, found in rows.items()}

    def _read_entries(self, names: Sequence[str]) -> Mapping[str, Iterable[plan.Membership]]:
        return plan.entries_of_many(self._through(), names, self._until)

    def _read_edges(self, names: Sequence[str]) -> Mapping[str, Iterable[Revision]]:
        return alignments.ever_of_parents(self._through(), names, self._until)

    def _through(self) -> Connection:
        assert self.connection is not None
        return self.connection


def _form(row: CheckInRow, before: KnownCheckIn | None) -> _Form:
    """A check-in as an event gives it; a correction keeps who recorded it and when."""
    return _Form(
        row.key_result,
        row.number,
        row.effective_day,
        row.moment,
        row.kind,
        row.position,
        row.metadata,
        row.payload,
        before.position if before else row.position,
        before.recorded_us if before else row.recorded_us,
        before.metadata if before else row.metadata,
        retracted=False,
    )
