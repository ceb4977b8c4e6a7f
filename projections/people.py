"""People as their own events show them, and who answers for what the erased had owned."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledger.persons import Person, person_after
from ledger.refusals import NotFound
from ledger.texts.keyring import ERASED_NAMES
from projections import plan, revisions
from projections.paging import Listed, Slice, cut

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from okr.v1 import resources_pb2 as resources
    from projections.as_of import Known
    from projections.revisions import RevisionRow


def person_at(connection: Connection, name: str, known: Known) -> resources.Person:
    """A person as known.

    Raises:
        NotFound: nobody of that name was registered, or erased.
    """
    found = _person_of(name, revisions.of(connection, name, known.position))
    if found is None:
        raise NotFound(name)
    return found.resource()


def list_people(connection: Connection, known: Known, part: Slice) -> Listed[resources.Person]:
    """The registered people in order of registration, the erased ones among them."""
    after = int(part.after[0]) if part.after else 0
    entries = plan.members_of(
        connection, plan.PEOPLE, known.position, after_position=after, limit=part.limit + 1
    )
    rows = revisions.of_many(connection, [entry.member for entry in entries], known.position)
    people = ((_person_of(each.member, rows[each.member]), each.position) for each in entries)
    return cut(((p.resource(), (position,)) for p, position in people if p), part.limit)


def _person_of(name: str, rows: Sequence[RevisionRow]) -> Person | None:
    found: Person | None = None
    for row in rows:
        found = person_after(found, name, row.revision.fact)
    return found


class Successors:
    """Who answers, as known at a position, for what somebody owned who was erased."""

    def __init__(self, connection: Connection, position: int) -> None:
        self._connection = connection
        self._position = position
        self._known: dict[str, str] = {}

    def answering(self, owner: str) -> str:
        """The owner, or who succeeded them: the erased name itself where nobody did.

        Costs an indexed look-up for each name of an erased person, once.
        """
        if not owner.startswith(ERASED_NAMES):
            return owner
        if owner not in self._known:
            self._known[owner] = self._last(owner)
        return self._known[owner]

    def _last(self, owner: str) -> str:
        seen = {owner}
        while successor := self._successor(owner):
            if successor in seen:
                break
            seen.add(successor)
            owner = successor
        return owner

    def _successor(self, name: str) -> str:
        found = plan.members_of(self._connection, plan.successors_of(name), self._position)
        return found[-1].member if found else ""

    def predecessors(self, owner: str) -> list[str]:
        """The keys of those for whom somebody answers, directly or through others."""
        found: list[str] = []
        to_visit, seen = [owner], {owner}
        while to_visit:
            collection = plan.predecessors_of(to_visit.pop())
            for entry in plan.members_of(self._connection, collection, self._position):
                key, _, person = entry.member.partition(" ")
                if person not in seen:
                    seen.add(person)
                    found.append(key)
                    to_visit.append(person)
        return found
