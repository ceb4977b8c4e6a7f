"""Who belongs to what: objectives to cycles and teams, key results to objectives, and so on.

A collection is named by its path: "cycles", "cycles/2026-q4/objectives". A member enters it once or
again, and nothing leaves: whether an objective still is a team's, or an owner's, is for its
revisions to say.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sqlalchemy import Column, Select, Table, bindparam, func, select

from ledger.texts.keyring import erased_name
from okr.v1 import events_pb2 as facts
from projections.read_model import ReadModel
from projections.store.tables import TABLES, TEXT, WHOLE, pages, wanted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from okr.v1.values_pb2 import KeyResultDefinition, ObjectiveDefinition
    from projections.event import Event

CYCLES: Final = "cycles"
TEAMS: Final = "teams"
PEOPLE: Final = "people"


def objectives_of(owner: str) -> str:
    """The collection of a cycle's objectives, or of those that were ever a team's."""
    return f"{owner}/objectives"


def key_results_of(objective: str) -> str:
    """The collection of an objective's key results, dropped ones included."""
    return f"{objective}/keyResults"


def owned_by(owner: str) -> str:
    """The collection of the objectives and key results that ever named an owner.

    `owner` is the name as it is stored: in the clear, or the key that it is sealed with.
    """
    return f"owners/{owner}"


def successors_of(person: str) -> str:
    """The collection of who came to answer for somebody who was erased, by each of their names."""
    return f"{person}/successors"


def predecessors_of(person: str) -> str:
    """The collection of the erased persons whom somebody succeeded, "{key} {name}" each."""
    return f"{person}/predecessors"


def continuations_of(key_result: str) -> str:
    """The collection of the key results of later cycles that continue a key result."""
    return f"{key_result}/continuations"


def adjustments_of(cycle: str) -> str:
    """The collection of a cycle's adjustments, proposed ones included."""
    return f"{cycle}/adjustments"


class Membership(NamedTuple):
    """A member of a collection, from a position on."""

    collection: str
    position: int
    member: str


# Kept in the order of its key: a collection is read as one stretch.
members = Table(
    "members",
    TABLES,
    Column("collection", TEXT, primary_key=True),
    Column("position", WHOLE, primary_key=True, autoincrement=False),
    Column("member", TEXT, primary_key=True),
    sqlite_with_rowid=False,
)


def _cycle(event: Event) -> list[Membership]:
    assert isinstance(event.fact, facts.CycleDrafted)
    return [Membership(CYCLES, event.record.position, event.fact.cycle)]


def _team(event: Event) -> list[Membership]:
    assert isinstance(event.fact, facts.TeamRegistered)
    return [Membership(TEAMS, event.record.position, event.fact.team)]


def _person(event: Event) -> list[Membership]:
    assert isinstance(event.fact, facts.PersonRegistered)
    return [Membership(PEOPLE, event.record.position, event.fact.person)]


def _erased(event: Event) -> list[Membership]:
    fact, position = event.fact, event.record.position
    assert isinstance(fact, facts.PersonErased)
    if not fact.successor:
        return []
    # Registered or not, what they owned reads as their key's.
    names = {fact.person, erased_name(fact.key)}
    return [
        *(Membership(successors_of(name), position, fact.successor) for name in sorted(names)),
        Membership(predecessors_of(fact.successor), position, f"{fact.key} {fact.person}"),
    ]


def _objective(event: Event) -> list[Membership]:
    fact, position = event.fact, event.record.position
    assert isinstance(fact, facts.ObjectiveCreated)
    return [
        Membership(objectives_of(owner), position, fact.objective)
        for owner in (fact.cycle, fact.definition.team)
        if owner
    ] + _owned(position, fact.definition, fact.objective)


def _moved_objective(event: Event) -> list[Membership]:
    fact, position = event.fact, event.record.position
    assert isinstance(fact, facts.ObjectiveRevised)
    owned = _owned(position, fact.after, fact.objective)
    if "team" not in fact.changed.paths:
        return owned
    return [Membership(objectives_of(fact.after.team), position, fact.objective), *owned]


def _key_result(event: Event) -> list[Membership]:
    fact, position = event.fact, event.record.position
    assert isinstance(fact, facts.KeyResultAdded | facts.KeyResultCarriedOver)
    collections = [fact.key_result.rpartition("/")[0]]
    if isinstance(fact, facts.KeyResultCarriedOver):
        collections.append(continuations_of(fact.continued_from))
    return [
        *(Membership(collection, position, fact.key_result) for collection in collections),
        *_owned(position, fact.definition, fact.key_result),
    ]


def _revised_key_result(event: Event) -> list[Membership]:
    fact = event.fact
    assert isinstance(fact, facts.KeyResultRevised)
    return _owned(event.record.position, fact.after, fact.key_result)


def _owned(
    position: int, definition: ObjectiveDefinition | KeyResultDefinition, name: str
) -> list[Membership]:
    """The owner that a definition, or what changed of it, names."""
    owner = definition.owner.plain or definition.owner.encrypted.key
    return [Membership(owned_by(owner), position, name)] if owner else []


def _adjustment(event: Event) -> list[Membership]:
    fact = event.fact
    assert isinstance(fact, facts.AdjustmentProposed | facts.StrategyAdjusted)
    return [Membership(adjustments_of(fact.cycle), event.record.position, fact.adjustment)]


MODEL: Final = ReadModel(
    members,
    {
        facts.CycleDrafted: _cycle,
        facts.TeamRegistered: _team,
        facts.PersonRegistered: _person,
        facts.PersonErased: _erased,
        facts.ObjectiveCreated: _objective,
        facts.ObjectiveRevised: _moved_objective,
        facts.KeyResultAdded: _key_result,
        facts.KeyResultCarriedOver: _key_result,
        facts.KeyResultRevised: _revised_key_result,
        facts.AdjustmentProposed: _adjustment,
        facts.StrategyAdjusted: _adjustment,
    },
    version=2,
)


def members_of(
    connection: Connection,
    collection: str,
    known: int,
    *,
    after_position: int = 0,
    limit: int | None = None,
) -> list[Membership]:
    """The members of a collection known at a position, in the order of their first entries.

    At most `limit`, of those that first entered after a position. Costs by the collection's size.
    """
    parameters = {"name_0": collection, "known": known, "after": after_position}
    statement = _of(1).having(func.min(members.c.position) > bindparam("after")).limit(limit)
    return [Membership._make(row) for row in connection.execute(statement, parameters)]


def members_of_many(
    connection: Connection, collections: Sequence[str], known: int
) -> dict[str, list[str]]:
    """The members of each collection known at a position, in the order of their first entries."""
    found = entries_of_many(connection, collections, known)
    return {name: [entry.member for entry in entries] for name, entries in found.items()}


def entries_of_many(
    connection: Connection, collections: Sequence[str], known: int
) -> dict[str, list[Membership]]:
    """The same with the position of each member's first entry."""
    found: dict[str, list[Membership]] = {collection: [] for collection in collections}
    for width, names in pages(collections):
        for row in connection.execute(_of(width), {**names, "known": known}):
            made = Membership._make(row)
            found[made.collection].append(made)
    return found


@cache
def _of(width: int) -> Select[*tuple[Any, ...]]:
    names = wanted(width)
    first = func.min(members.c.position)
    return (
        select(members.c.collection, first, members.c.member)
        .join(names, members.c.collection == names.c.name)
        .where(members.c.position <= bindparam("known"))
        .group_by(members.c.collection, members.c.member)
        .order_by(members.c.collection, first, members.c.member)
    )
