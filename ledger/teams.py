"""Teams: owners of objectives, in a tree."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

from ledger import refusals
from ledger.refusals import invalid
from ledger.revision import Revision, difference, etag, in_order, merged, wanted
from ledger.values import ALWAYS, blank, plain
from okr.v1 import events_pb2 as facts
from okr.v1 import resources_pb2 as resources
from okr.v1.ledger_service_pb2 import CreateTeamRequest, UpdateTeamRequest
from okr.v1.values_pb2 import TeamDefinition


@dataclass(frozen=True, slots=True)
class Team:
    """A team as its revisions make it."""

    name: str
    revisions: tuple[Revision, ...]
    definition: TeamDefinition
    retired: bool

    @property
    def etag(self) -> str:
        """Changes with every revision."""
        return etag(self.revisions)

    def resource(self) -> resources.Team:
        """The team as the API shows it."""
        return resources.Team(
            name=self.name, definition=self.definition, retired=self.retired, etag=self.etag
        )


Lookup = Callable[[str], Team | None]
"""Finds a team by its name."""


def team_of(name: str, revisions: Sequence[Revision], on: date = date.max) -> Team | None:
    """The team that its revisions make on a day; None before it was registered.

    Raises:
        TypeError: a fact that is not about teams.
    """
    definition: TeamDefinition | None = None
    retired = False
    for revision in in_order(revisions, on):
        match revision.fact:
            case facts.TeamRegistered() as fact:
                definition = fact.definition
            case facts.TeamRevised() as fact if definition is not None:
                definition = merged(definition, fact.changed, fact.after)
            case facts.TeamRetired():
                retired = True
            case other:
                raise TypeError(f"{other.DESCRIPTOR.full_name} is not about a team")
    return None if definition is None else Team(name, tuple(revisions), definition, retired)


def create(name: str, request: CreateTeamRequest, team: Lookup) -> facts.TeamRegistered:
    """Registers a team below an existing one, or at the top.

    Raises:
        FieldInvalid: the definition breaks a rule.
        NotFound: the parent does not exist.
        TeamRetired: the parent is retired.
    """
    definition = settled(request.definition)
    _below(name, definition.parent, team, ALWAYS)
    return facts.TeamRegistered(team=name, definition=definition)


def revise(
    team: Team, request: UpdateTeamRequest, lookup: Lookup, effective: date = date.max
) -> facts.TeamRevised:
    """Changes a team's title or its place in the tree as they are on the effective date.

    Raises:
        FieldInvalid: the new definition breaks a rule.
        NotFound: the parent does not exist.
        TeamRetired: the team or its new parent is retired.
        TeamTreeCycle: the team would be its own ancestor on some day from then on.
        NothingToChange: every field is already as asked.
    """
    in_use(team)
    there = team_of(team.name, team.revisions, effective)
    current = there.definition if there else team.definition
    change = difference(current, settled(wanted(current, request.definition, request.update_mask)))
    if change is None:
        raise refusals.NothingToChange(team.name)
    if change.touches("parent"):
        _below(team.name, change.after.parent, lookup, effective)
    return facts.TeamRevised(
        team=team.name, changed=change.changed, before=change.before, after=change.after
    )


def retire(team: Team) -> facts.TeamRetired:
    """Retires a team.

    Raises:
        TeamRetired: it is retired already.
    """
    in_use(team)
    return facts.TeamRetired(team=team.name)


def in_use(team: Team) -> None:
    """Refuses a retired team.

    Raises:
        TeamRetired: it is.
    """
    if team.retired:
        raise refusals.TeamRetired(team.name)


def settled(given: TeamDefinition) -> TeamDefinition:
    """The definition with its text in normal form and its rules checked.

    Raises:
        FieldInvalid: it breaks a rule.
    """
    title = plain(given.title)
    if blank(title):
        raise invalid("definition.title", "string.min_len", "must not be empty")
    return TeamDefinition(title=title, parent=given.parent)


def _below(name: str, parent: str, team: Lookup, effective: date) -> None:
    if not parent:
        return
    found = team(parent)
    if found is None:
        raise refusals.NotFound(parent)
    in_use(found)
    above: set[str] = set()
    to_visit = [parent]
    while to_visit:
        current = to_visit.pop()
        if current == name:
            raise refusals.TeamTreeCycle(name, parent)
        known = team(current)
        if known is not None and current not in above:
            above.add(current)
            to_visit += _parents_from(known, effective)


def _parents_from(team: Team, effective: date) -> list[str]:
    """What a team stands below on a day or on any later one."""
    there = team_of(team.name, team.revisions, effective)
    found = [there.definition.parent] if there else []
    found += [
        r.fact.after.parent
        for r in team.revisions
        if isinstance(r.fact, facts.TeamRevised) and r.effective > effective
    ]
    return [name for name in found if name]
