"""Where the facts behind scores come from: the read models' tables, or a history in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Protocol

from projections import alignments, known_check_ins, plan, revisions

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from ledger.revision import Revision
    from projections.known_check_ins import KnownCheckIn


class Source(Protocol):
    """Facts known at a position, by the names asked for; a name without any may be missing."""

    def revisions(self, subjects: Sequence[str], known: int) -> Mapping[str, Sequence[Revision]]:
        """The revisions of each subject, in order of position."""

    def members(self, collections: Sequence[str], known: int) -> Mapping[str, Sequence[str]]:
        """The members of each collection, in the order of their first entries."""

    def edges(self, parents: Sequence[str], known: int) -> Mapping[str, Sequence[Revision]]:
        """What was ever known of the edges down from each parent, in order of position."""

    def last_check_ins(
        self, key_results: Sequence[str], known: int, day: date
    ) -> Mapping[str, KnownCheckIn]:
        """The check-in in force on a day of each key result that has one."""

    def all_check_ins(
        self, key_results: Sequence[str], known: int, day: date
    ) -> Mapping[str, Sequence[KnownCheckIn]]:
        """Every check-in that holds on a day, in order."""

    def check_in_counts(self, key_results: Sequence[str], known: int) -> Mapping[str, int]:
        """How many check-ins each key result had, retracted ones included."""


@dataclass(frozen=True, slots=True)
class Tables:
    """The facts in one state of the read models' tables."""

    connection: Connection

    def revisions(self, subjects: Sequence[str], known: int) -> Mapping[str, Sequence[Revision]]:
        rows = revisions.of_many(self.connection, subjects, known)
        return {subject: [row.revision for row in found] for subject, found in rows.items()}

    def members(self, collections: Sequence[str], known: int) -> Mapping[str, Sequence[str]]:
        return plan.members_of_many(self.connection, collections, known)

    def edges(self, parents: Sequence[str], known: int) -> Mapping[str, Sequence[Revision]]:
        return alignments.ever_of_parents(self.connection, parents, known)

    def last_check_ins(
        self, key_results: Sequence[str], known: int, day: date
    ) -> Mapping[str, KnownCheckIn]:
        return known_check_ins.in_force(self.connection, key_results, known, day)

    def all_check_ins(
        self, key_results: Sequence[str], known: int, day: date
    ) -> Mapping[str, Sequence[KnownCheckIn]]:
        return known_check_ins.all_in_force(self.connection, key_results, known, day)

    def check_in_counts(self, key_results: Sequence[str], known: int) -> Mapping[str, int]:
        return known_check_ins.counts(self.connection, key_results, known)
