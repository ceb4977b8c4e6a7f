"""What each method needs: which action, on what. A method without a line here is refused."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from service.access.resources import (
    ADJUSTMENT,
    ANY,
    CYCLE,
    KEY_RESULT,
    LEDGER,
    OBJECTIVE,
    PERSON,
    REVIEW,
    SERVICE,
    TEAM,
    Resource,
    subject_of,
    unknown,
)

if TYPE_CHECKING:
    from service.access.directory import Directory

SEE: Final = "see"
"""Whether an objective is shown to somebody at all."""
ACT_FOR: Final = "act_for"
"""Whether one may act on behalf of another."""

GROUPS: Final[Mapping[str, tuple[str, ...]]] = {
    "look_up": ("read",),
    "read": (),
    "watch": (),
    "check_in": (),
    "edit": (),
    "adjust": (),
    "approve": (),
    "grade": (),
    "administer_cycle": (),
    "administer_teams": (),
    "administer_people": (),
    "operate": (),
}
"""The groups of actions, and the groups that each one is part of."""


class Need(NamedTuple):
    """An action, and what it is done to: the name of that, or what it will be."""

    action: str
    of: str | Resource


Needs = Callable[[Any, "Directory", str], Iterable[str | Resource | Need]]
"""What a request is about, by what is known; the last argument is who asks."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A method's group, the kinds of things that it can be about, and which those are.

    A name stands for the method's own action on it. `moves` says that afterwards others may have
    other rights than before.
    """

    group: str
    needs: Needs
    kinds: tuple[str, ...]
    moves: bool = False


def _named(field: str) -> Needs:
    """What one field of the request names."""
    return lambda request, directory, who: (getattr(request, field),)


def _narrowest(*fields: str) -> Needs:
    """What the first of these fields names that is filled: they narrow an answer down."""

    def needs(request: Any, _directory: Directory, _who: str) -> Iterable[str]:
        return (next(filter(None, (getattr(request, field) for field in fields)), ""),)

    return needs


def _whole(_request: Any, _directory: Directory, _who: str) -> Iterable[str]:
    return ("",)


def _attention(request: Any, _directory: Directory, who: str) -> Iterable[str]:
    """One's own list is one's own affair."""
    return (who if request.owner == who else request.team or request.cycle,)


def _revisions(request: Any, _directory: Directory, _who: str) -> Iterable[str]:
    """One thing's revisions, or those of all that "-" stands for within a team or a cycle."""
    one = request.parent if f"/{ANY}" not in request.parent else ""
    return (one or request.team or request.cycle,)


def _new_cycle(_request: Any, _directory: Directory, _who: str) -> Iterable[Resource]:
    return (unknown(CYCLE),)


def _new_team(request: Any, _directory: Directory, _who: str) -> Iterable[Resource]:
    return (unknown(TEAM)._replace(team=request.definition.parent),)


def _changed_team(request: Any, directory: Directory, _who: str) -> Iterator[str | Resource]:
    """The team; where it moves, what is above it too, before and after."""
    yield request.name
    if _sets(request, "parent"):
        yield directory.parent(request.name)
        yield request.definition.parent


def _new_objective(request: Any, _directory: Directory, _who: str) -> Iterable[Resource]:
    return (_planned(request.definition.team, request.cycle),)


def _changed_objective(request: Any, directory: Directory, _who: str) -> Iterator[str | Resource]:
    """The objective; where it moves, what it will be in its new team too."""
    yield request.name
    if _sets(request, "team"):
        there = directory.find(subject_of(request.name))
        yield _planned(request.definition.team, there.cycle if there else "")


def _planned(team: str, cycle: str) -> Resource:
    return unknown(OBJECTIVE)._replace(team=team, cycle=cycle)


def _sets(request: Any, field: str) -> bool:
    """Whether a change sets a field of the definition."""
    if request.update_mask.paths:
        return field in request.update_mask.paths
    return bool(getattr(request.definition, field))


def _both_ends(request: Any, _directory: Directory, _who: str) -> Iterable[str]:
    return (request.child, request.parent)


def _carried_over(request: Any, _directory: Directory, _who: str) -> Iterable[str | Need]:
    """The new one's objective; the old one is only read."""
    return (request.parent, Need("GetKeyResult", request.continued_from))


def _each(request: Any, _directory: Directory, _who: str) -> Iterable[str]:
    return (each.parent for each in request.requests)


def changed_by(change: Any, directory: Directory) -> Iterator[Need]:
    """What one change of an adjustment needs when it is made by itself."""
    kind = change.WhichOneof("change")
    if kind is None:
        return
    action = "".join(word.capitalize() for word in kind.split("_"))
    yield from needs_of(action, getattr(change, kind), directory, "")


def _adjusted(request: Any, directory: Directory, _who: str) -> Iterator[str | Resource | Need]:
    """To adjust what each change is about, and to make the change."""
    yield from () if request.changes else (request.cycle,)
    for change in request.changes:
        for need in changed_by(change, directory):
            yield need.of
            yield need


def _proposed(request: Any, directory: Directory, _who: str) -> Iterator[str | Resource]:
    """A proposal changes nothing yet; whoever approves it has to have the rights to."""
    yield from () if request.changes else (request.cycle,)
    for change in request.changes:
        yield from (need.of for need in changed_by(change, directory))


def _approved(request: Any, directory: Directory, _who: str) -> Iterator[str | Resource | Need]:
    adjustment = directory.adjustment(request.name)
    if adjustment is None:
        yield request.name
        return
    yield from adjustment.subjects
    yield from adjustment.needs


def _rejected(request: Any, directory: Directory, who: str) -> Iterable[str | Resource]:
    """What it is about, unless it is one's own and withdrawn."""
    adjustment = directory.adjustment(request.name)
    if adjustment is None or adjustment.proposer == who:
        return (request.name,)
    return adjustment.subjects


def _looked_at(request: Any, directory: Directory, _who: str) -> Iterable[str | Resource]:
    adjustment = directory.adjustment(request.name)
    return (request.name,) if adjustment is None else adjustment.subjects


_PLAN: Final = (OBJECTIVE, KEY_RESULT)
_WITHIN: Final = (TEAM, CYCLE, LEDGER)
_SCORED: Final = (*_PLAN, TEAM, CYCLE)
_ADJUSTED: Final = (*_PLAN, CYCLE, ADJUSTMENT)
_ALL: Final = (*_SCORED, LEDGER, ADJUSTMENT, REVIEW, PERSON, SERVICE)

RULES: Final[Mapping[str, Rule]] = {
    "CreateCycle": Rule("administer_cycle", _new_cycle, (CYCLE,)),
    "UpdateCycle": Rule("administer_cycle", _named("name"), (CYCLE,)),
    "CommitPlan": Rule("administer_cycle", _named("name"), (CYCLE,)),
    "CloseCycle": Rule("administer_cycle", _named("name"), (CYCLE,)),
    "ReopenCycle": Rule("administer_cycle", _named("name"), (CYCLE,)),
    "RegisterPerson": Rule("administer_people", _whole, (LEDGER,)),
    "ErasePerson": Rule("administer_people", _whole, (LEDGER,)),
    "CreateTeam": Rule("administer_teams", _new_team, (TEAM,), moves=True),
    "UpdateTeam": Rule("administer_teams", _changed_team, (TEAM, LEDGER), moves=True),
    "RetireTeam": Rule("administer_teams", _named("name"), (TEAM,)),
    "CreateObjective": Rule("edit", _new_objective, (OBJECTIVE,), moves=True),
    "UpdateObjective": Rule("edit", _changed_objective, (OBJECTIVE,), moves=True),
    "AbandonObjective": Rule("edit", _named("name"), (OBJECTIVE,)),
    "AddKeyResult": Rule("edit", _named("parent"), (OBJECTIVE,), moves=True),
    "ReviseKeyResult": Rule("edit", _named("name"), (KEY_RESULT,), moves=True),
    "DropKeyResult": Rule("edit", _named("name"), (KEY_RESULT,)),
    "RestoreKeyResult": Rule("edit", _named("name"), (KEY_RESULT,)),
    "CarryOverKeyResult": Rule("edit", _carried_over, (OBJECTIVE,), moves=True),
    "Align": Rule("edit", _both_ends, _PLAN),
    "Unalign": Rule("edit", _both_ends, _PLAN),
    "GradeObjective": Rule("grade", _named("name"), (OBJECTIVE,)),
    "RegradeObjective": Rule("grade", _named("name"), (OBJECTIVE,)),
    "RecordAmendment": Rule("grade", _narrowest("subject", "parent"), _SCORED),
    "RecordCheckIn": Rule("check_in", _named("parent"), (KEY_RESULT,)),
    "BatchRecordCheckIns": Rule("check_in", _each, (KEY_RESULT,)),
    "StreamCheckIns": Rule("check_in", _each, (KEY_RESULT,)),
    "CorrectCheckIn": Rule("check_in", _named("name"), (KEY_RESULT,)),
    "RetractCheckIn": Rule("check_in", _named("name"), (KEY_RESULT,)),
    "RecordReview": Rule("check_in", _narrowest("team", "cycle"), (TEAM, CYCLE), moves=True),
    "RecordLesson": Rule("check_in", _narrowest("subject", "parent"), (*_PLAN, CYCLE)),
    "AdjustStrategy": Rule("adjust", _adjusted, _ADJUSTED, moves=True),
    "ProposeAdjustment": Rule("adjust", _proposed, _ADJUSTED, moves=True),
    "ApproveAdjustment": Rule("approve", _approved, _ADJUSTED, moves=True),
    "RejectAdjustment": Rule("approve", _rejected, _ADJUSTED),
    "GetCycle": Rule("look_up", _named("name"), (CYCLE,)),
    "ListCycles": Rule("look_up", _whole, (LEDGER,)),
    "GetPerson": Rule("look_up", _whole, (LEDGER,)),
    "ListPeople": Rule("look_up", _whole, (LEDGER,)),
    "GetTeam": Rule("look_up", _named("name"), (TEAM,)),
    "ListTeams": Rule("look_up", _whole, (LEDGER,)),
    "GetPolicy": Rule("look_up", _whole, (LEDGER,)),
    "ListPolicies": Rule("look_up", _whole, (LEDGER,)),
    "GetObjective": Rule("read", _named("name"), (OBJECTIVE,)),
    "ListObjectives": Rule("read", _narrowest("team", "cycle"), _WITHIN),
    "GetKeyResult": Rule("read", _named("name"), (KEY_RESULT,)),
    "ListKeyResults": Rule("read", _named("parent"), (OBJECTIVE,)),
    "GetCheckIn": Rule("read", _named("name"), (KEY_RESULT,)),
    "ListCheckIns": Rule("read", _named("parent"), (KEY_RESULT,)),
    "GetAlignment": Rule("read", _both_ends, _PLAN),
    "ListAlignments": Rule("read", _named("cycle"), (CYCLE,)),
    "GetScorecard": Rule("read", _narrowest("team", "cycle"), _WITHIN),
    "ListDueCheckIns": Rule("read", _attention, (*_WITHIN, PERSON, SERVICE)),
    "ListDeviations": Rule("read", _attention, (*_WITHIN, PERSON, SERVICE)),
    "ExplainScore": Rule("read", _named("name"), _SCORED),
    "GetSeal": Rule("read", _named("name"), (CYCLE,)),
    "ListSeals": Rule("read", _named("cycle"), (CYCLE,)),
    "GetAmendment": Rule("read", _named("name"), (CYCLE,)),
    "ListAmendments": Rule("read", _narrowest("subject", "cycle"), _SCORED),
    "GetReview": Rule("read", _named("name"), (REVIEW,)),
    "ListReviews": Rule("read", _narrowest("team", "cycle"), _WITHIN),
    "GetLesson": Rule("read", _named("name"), (CYCLE,)),
    "ListLessons": Rule("read", _narrowest("subject", "cycle"), _SCORED),
    "SimulatePolicy": Rule("read", _narrowest("team", "cycle"), _WITHIN),
    "GetKeyResultRevision": Rule("read", _named("name"), (KEY_RESULT,)),
    "ListKeyResultRevisions": Rule("read", _revisions, (*_PLAN, *_WITHIN)),
    "CompareKeyResultRevisions": Rule("read", _named("name"), (KEY_RESULT,)),
    "GetObjectiveRevision": Rule("read", _named("name"), (OBJECTIVE,)),
    "ListObjectiveRevisions": Rule("read", _revisions, (OBJECTIVE, *_WITHIN)),
    "CompareObjectiveRevisions": Rule("read", _named("name"), (OBJECTIVE,)),
    "GetAdjustment": Rule("read", _looked_at, _ADJUSTED),
    "ListAdjustments": Rule("read", _named("cycle"), (CYCLE,)),
    "GetEvent": Rule("read", _whole, (LEDGER,)),
    "ListEvents": Rule("read", _named("stream"), _ALL),
    "ComparePlans": Rule("read", _narrowest("team", "cycle"), _WITHIN),
    "AttributeScore": Rule("read", _named("subject"), _SCORED),
    "ListScoreChanges": Rule("read", _named("subject"), _SCORED),
    # Hashes over the whole ledger, for everybody to keep; those beside an event's for its readers.
    "GetCheckpoint": Rule("look_up", _whole, (LEDGER,)),
    "GetConsistencyProof": Rule("look_up", _whole, (LEDGER,)),
    "GetInclusionProof": Rule("read", _whole, (LEDGER,)),
    "GetRetrospective": Rule("read", _narrowest("team", "cycle"), _WITHIN),
    "WatchEvents": Rule("watch", _narrowest("stream", "team", "cycle"), _ALL),
    "WatchScores": Rule("watch", _narrowest("team", "cycle"), _WITHIN),
    "ReplayCycle": Rule("watch", _narrowest("team", "cycle"), _WITHIN),
    "GetStatus": Rule("operate", _whole, (LEDGER,)),
}
"""The rule of each method, by its name: no two services have one of the same name."""


def needs_of(method: str, request: Any, directory: Directory, who: str) -> Iterator[Need]:
    """Everything that has to be permitted for a request of a method.

    Raises:
        KeyError: there is no rule for the method.
    """
    for need in RULES[method].needs(request, directory, who):
        yield need if isinstance(need, Need) else Need(method, need)
