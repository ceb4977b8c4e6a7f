"""Revisions of key results and objectives: who changed what, when, why, and what it did."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any, Final, TypeVar

from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message
from sqlalchemy import Connection

from ledger.call import hides
from ledger.cycles import Cycle, cycle_of
from ledger.key_results import key_result_of
from ledger.objectives import KEY_RESULTS, objective_of, stream_of
from ledger.refusals import NotFound, invalid
from ledger.revision import Revision, difference
from ledger.scoring.exact import ZERO, subtract, text
from ledger.standing import Three
from ledger.values import date_message, timestamp
from okr.v1 import audit_service_pb2 as api
from okr.v1 import events_pb2 as facts
from okr.v1 import resources_pb2 as resources
from projections import answers, plan, revisions
from projections.as_of import Known
from projections.audit.revision_lists import BY_DAY, BY_POSITION, Level, Scope, rows_of
from projections.board import LAST_DAY, board, key_result_board
from projections.catalogue import cycle_at
from projections.filtering.events import REVISION_FIELDS, Facets, is_after_plan
from projections.filtering.fields import predicate
from projections.filtering.order import Order, ordered
from projections.known_check_ins import counts
from projections.owners import Owners
from projections.paging import Cursor, Listed, Slice, sifted
from projections.revisions import RevisionRow
from projections.scorecard import below, teams_on

REVISIONS: Final = "/revisions/"
ANY: Final = "-"
"""Stands for every id of a collection."""

Asked = api.ListKeyResultRevisionsRequest | api.ListObjectiveRevisionsRequest
Resource = TypeVar("Resource", resources.KeyResultRevision, resources.ObjectiveRevision)


@dataclass(frozen=True, slots=True)
class Numbered:
    """A revision, those of its subject up to itself, and its cycle as known now."""

    row: RevisionRow
    known: Sequence[Revision]
    cycle: Cycle

    @property
    def number(self) -> int:
        """Its place among them, from 1."""
        return len(self.known)

    @property
    def day(self) -> date:
        """The day on which it was recorded, within its cycle."""
        return Known(self.row.position, self.row.recorded_us, None).day_of(self.cycle)

    def told(self) -> dict[str, Any]:
        """What revisions of every kind tell."""
        row, metadata = self.row, self.row.circumstances
        changed, before, after = _changes(self.known[-1].fact)
        return {
            "name": f"{row.subject}{REVISIONS}{self.number}",
            "number": self.number,
            "position": row.position,
            "event_type": row.event_type,
            "recorded_time": timestamp(row.recorded_us),
            # Its days are those of the cycle, whatever day the caller asks about.
            "effective_date": date_message(max(row.effective, self.cycle.first_day)),
            "actor": metadata.actor.plain,
            "on_behalf_of": metadata.on_behalf_of.plain,
            "reason": metadata.reason.plain,
            "category": metadata.category,
            "adjustment": metadata.adjustment,
            "changed": changed,
            "before": before,
            "after": after,
            "after_plan_commitment": is_after_plan(self.cycle, row.position),
            "source_time": metadata.source_time if metadata.HasField("source_time") else None,
        }


Show = Callable[[Connection, Numbered], Resource]


def get(connection: Connection, name: str, known: Known, show: Show[Resource]) -> Resource:
    """One revision.

    Raises:
        NotFound: there is none of that number, or it is not known.
    """
    subject, _, number = name.partition(REVISIONS)
    return show(connection, _numbered(connection, subject, int(number), known))


def pair(
    connection: Connection, name: str, numbers: Sequence[int], known: Known, show: Show[Resource]
) -> tuple[Resource, Resource]:
    """Two revisions of a subject.

    Raises:
        NotFound: there is none of one of the numbers, or it is not known.
    """
    first, second = (
        show(connection, _numbered(connection, name, number, known)) for number in numbers
    )
    return first, second


def compared(
    first: resources.KeyResultRevision | resources.ObjectiveRevision,
    second: resources.KeyResultRevision | resources.ObjectiveRevision,
) -> dict[str, Any]:
    """What differs between two revisions, in the fields of the answer that says so."""
    change = difference(first.snapshot.definition, second.snapshot.definition)
    scores = [
        Decimal(each.score_after) if each.HasField("score_after") else ZERO
        for each in (first, second)
    ]
    return {
        "first": first,
        "second": second,
        "changed": change.changed if change else None,
        "before": change.before if change else None,
        "after": change.after if change else None,
        "difference": text(subtract(scores[1], scores[0])),
    }


def list_revisions(
    connection: Connection, asked: Asked, known: Known, part: Slice, show: Show[Resource]
) -> Listed[Resource]:
    """The revisions that a request asks for and that hold by the day asked for.

    Costs by the number of revisions shown, each scored just before and just after; of a cycle or
    team also by the number of all of theirs.

    Raises:
        NotFound: what they are to be of is not known.
        FieldInvalid: it is any objective, and neither a cycle nor a team is given; or the filter or
            order is none.
    """
    owners = Owners(connection, known.position)
    found = sifted(_candidates(connection, asked, known, part.after, owners), part.limit)
    subjects = [row.subject for row in found.items]
    of_subject = revisions.of_many(connection, subjects, known.position)
    return Listed(
        [show(connection, _placed(row, of_subject[row.subject], owners)) for row in found.items],
        found.next,
    )


def _candidates(
    connection: Connection, asked: Asked, known: Known, after: Cursor, owners: Owners
) -> Iterator[tuple[RevisionRow | None, Cursor]]:
    """The revisions in the list's scope, those that are not asked for as None."""
    _, passes = predicate(asked.filter, REVISION_FIELDS)
    order = ordered(asked.order_by, (BY_POSITION, BY_DAY), Order(BY_POSITION, descending=True))
    teams = _teams(connection, asked.team, known)
    scope = _scope(connection, asked, known, teams)
    for rows in rows_of(connection, scope, known.position, order, after):
        owners.load(stream_of(row.subject) for row, _ in rows)
        for row, cursor in rows:
            facets = Facets(row, owners, stream_of(row.subject))
            wanted = (
                not hides(row.subject)
                and (known.day is None or row.effective <= known.day)
                and (facets.after_plan or not asked.after_plan_commitment)
                and (facets.cycle is not None and asked.cycle in ("", facets.cycle.name))
                and not (teams and teams.isdisjoint(facets.teams))
                and passes(facets)
            )
            yield row if wanted else None, cursor


def _teams(connection: Connection, team: str, known: Known) -> frozenset[str]:
    """A team and those below it; none where none is asked for.

    Raises:
        NotFound: it is not known, or not in force on the day.
    """
    if not team:
        return frozenset()
    teams = teams_on(connection, known.position, known.day or LAST_DAY)
    if team not in teams:
        raise NotFound(team)
    return frozenset(below(teams, team))


def _scope(connection: Connection, asked: Asked, known: Known, teams: frozenset[str]) -> Scope:
    if asked.cycle:
        cycle_at(connection, asked.cycle, known)
    objective, _, key_result = asked.parent.partition(KEY_RESULTS)
    if objective != f"objectives/{ANY}":
        subject = objective if key_result in ("", ANY) else asked.parent
        if not revisions.of(connection, subject, known.position):
            raise NotFound(subject)
        if key_result == ANY:
            return Scope(Level.COLLECTIONS, [plan.key_results_of(objective)])
        return Scope(Level.SUBJECTS, [subject])
    if asked.cycle:
        collections = [plan.objectives_of(asked.cycle)]
    elif teams:
        collections = [plan.objectives_of(team) for team in sorted(teams)]
    else:
        raise invalid("cycle", "parent.scope", f"must be given, or a team, for {asked.parent}")
    level = Level.OWNERS_OF_KEY_RESULTS if key_result else Level.COLLECTIONS
    return Scope(level, collections)


def _numbered(connection: Connection, subject: str, number: int, known: Known) -> Numbered:
    rows = revisions.of(connection, subject, known.position)
    if not 0 < number <= len(rows):
        raise NotFound(f"{subject}{REVISIONS}{number}")
    return _placed(rows[number - 1], rows, Owners(connection, known.position))


def _placed(row: RevisionRow, rows: Sequence[RevisionRow], owners: Owners) -> Numbered:
    """A revision among all known ones of its subject."""
    known = [each.revision for each in rows if each.position <= row.position]
    return Numbered(row, known, owners.cycle(stream_of(row.subject)))


def show_key_result(connection: Connection, made: Numbered) -> resources.KeyResultRevision:
    """A key result's revision, with the scores around it on the day on which it was recorded."""
    name, position = made.row.subject, made.row.position
    snapshot = key_result_of(name, made.known)
    assert snapshot is not None, f"{name} before it was added"
    count = counts(connection, [name], position)[name]

    def scores(position: int) -> Three | None:
        there = key_result_board(connection, name, position, made.day)
        found = there.facts.key_results.get(name)
        if found is None or found.current.dropped:
            return None
        return there.standings.key_result(name).scores

    return resources.KeyResultRevision(
        **made.told(),
        snapshot=replace(snapshot, check_in_count=count).resource(),
        **_around(scores(position - 1), scores(position)),
    )


def show_objective(connection: Connection, made: Numbered) -> resources.ObjectiveRevision:
    """An objective's revision, with the scores around it on the day on which it was recorded."""
    name, position = made.row.subject, made.row.position
    snapshot = objective_of(name, made.known)
    assert snapshot is not None, f"{name} before it was created"
    at = revisions.of(connection, snapshot.cycle, position)
    shown = snapshot.resource(cycle_of(snapshot.cycle, [row.revision for row in at]))
    key_results = plan.members_of(connection, plan.key_results_of(name), position)
    shown.key_results.extend(entry.member for entry in key_results)

    def scores(position: int) -> Three | None:
        there = board(connection, [name], position, made.day)
        if name not in there.facts.objectives:
            return None
        standing = there.standings.objective(name)
        return standing.scores if standing.counts else None

    return resources.ObjectiveRevision(
        **made.told(),
        snapshot=shown,
        **_around(scores(position - 1), scores(position)),
    )


def _around(before: Three | None, after: Three | None) -> dict[str, Any]:
    """The scores before and after a revision, in the fields of the answer that says so."""
    return {
        "score_before": answers.number(before.current) if before else None,
        "score_after": answers.number(after.current) if after else None,
        "scores_before": answers.three(before),
        "scores_after": answers.three(after),
    }


def _changes(fact: Message) -> tuple[FieldMask | None, Message | None, Message | None]:
    """The changed fields, before and after; of an addition its whole definition."""
    match fact:
        case facts.KeyResultRevised() | facts.ObjectiveRevised():
            return fact.changed, fact.before, fact.after
        case facts.KeyResultAdded() | facts.KeyResultCarriedOver() | facts.ObjectiveCreated():
            return None, None, fact.definition
        case _:
            return None, None, None
