"""How cycles ended and what was said of them: seals, amendments, reviews, lessons.

A seal's scores are those of the scorecard at its closing's position, made by the same functions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

from ledger.closing import (
    SEALS,
    KeyResultLine,
    amendment_resource,
    digest,
    seal_resource,
)
from ledger.cycles import Cycle
from ledger.objectives import override_of
from ledger.refusals import NotFound
from ledger.reviews import lesson_resource, review_resource
from ledger.standing import Three
from okr.v1 import events_pb2 as facts
from okr.v1 import resources_pb2 as resources
from okr.v1.values_pb2 import CycleState, FinalScore
from projections.answers import number
from projections.as_of import Known
from projections.catalogue import cycle_at
from projections.chronicle import Entry, Wanted, named, of_cycle, reopening_of
from projections.paging import Listed, Slice, cut
from projections.scorecard import Tree, scorecard, tree

if TYPE_CHECKING:
    from sqlalchemy import Connection

Resource = TypeVar("Resource")


def final_scores(connection: Connection, cycle_name: str, known: Known) -> facts.CycleSealed:
    """The scores of a cycle as known and on the day given: a seal without its number.

    Costs by the number of the cycle's key results.
    """
    cycle, day = cycle_at(connection, cycle_name, known)
    of = tree(connection, cycle, "", known.position, day)
    lines = [
        KeyResultLine(line.facts.current.name, **_texts(line.scores))
        for name in of.order
        for line in of.board.standings.objective(name).key_results
    ]
    return facts.CycleSealed(
        cycle=cycle_name,
        closing_position=known.position,
        team_scores=[
            FinalScore(name=team, **_texts(of.groups[team].scores)) for team in sorted(of.groups)
        ],
        objective_scores=[_objective_score(of, name) for name in sorted(of.order)],
        key_result_count=len(lines),
        key_result_digest=digest(lines),
        **_texts(of.root.scores),
    )


def _objective_score(of: Tree, name: str) -> FinalScore:
    standing = of.board.standings.objective(name)
    return FinalScore(
        name=name,
        computed_score=number(standing.computed),
        override_score=override_of(standing.objective, of.day),
        state=standing.objective.state(of.cycle),
        **_texts(Three(standing.score, standing.original, standing.as_judged)),
    )


def _texts(scores: Three) -> dict[str, Any]:
    return {
        "score": number(scores.current),
        "original_score": number(scores.original),
        "as_judged_score": number(scores.as_judged),
    }


def scorecard_at(
    connection: Connection, cycle_name: str, team: str, known: Known
) -> resources.Scorecard:
    """A cycle's scorecard; of a sealed one with its seal and what was amended beside it.

    Raises:
        NotFound: the cycle or the team is not known, or does not hold on the day.
        DayOutsideCycle, DayInFuture: the day asked for is not one of the cycle's.
    """
    cycle, day = cycle_at(connection, cycle_name, known)
    return with_seal(connection, tree(connection, cycle, team, known.position, day), known)


def with_seal(connection: Connection, of: Tree, known: Known) -> resources.Scorecard:
    """The scorecard of a tree; of a sealed cycle with its seal and what was amended beside it."""
    card = scorecard(of)
    if of.cycle.state == CycleState.CYCLE_STATE_SEALED:
        _add_seal(connection, card, of.cycle, known)
    return card


def _add_seal(
    connection: Connection, card: resources.Scorecard, cycle: Cycle, known: Known
) -> None:
    """Puts the seal beside the scores, of a team's card what its lines are about."""
    sealed = _named(connection, f"{cycle.name}{SEALS}{cycle.seal}", known)
    card.seal.CopyFrom(seal_resource(sealed))
    amended = of_cycle(
        connection,
        Wanted(cycle.name, facts.AmendmentRecorded),
        known.position,
        after_position=sealed.position,
    )
    shown = {"", *(line.team.name for line in card.teams)}
    for block in card.objectives:
        shown |= {block.objective.name, *(line.key_result.name for line in block.key_results)}
    if card.team:
        for scores in (card.seal.team_scores, card.seal.objective_scores):
            kept = [score for score in scores if score.name in shown]
            del scores[:]
            scores.extend(kept)
    beside = (amendment_resource(entry) for entry in amended)
    card.amendments.extend(
        each
        for each in beside
        if each.seal == card.seal.name and (not card.team or each.subject in shown)
    )


def seal(connection: Connection, name: str, known: Known) -> resources.Seal:
    """A seal.

    Raises:
        NotFound: it is not known.
    """
    return _seal(connection, _named(connection, name, known), known)


def list_seals(
    connection: Connection, cycle: str, known: Known, part: Slice
) -> Listed[resources.Seal]:
    """The seals of a cycle that hold by the day asked for, the first one first.

    Raises:
        NotFound: the cycle is not known.
    """

    def shown(entry: Entry) -> resources.Seal:
        return _seal(connection, entry, known)

    return _page(connection, Wanted(cycle, facts.CycleSealed), shown, known, part)


def _seal(connection: Connection, entry: Entry, known: Known) -> resources.Seal:
    return seal_resource(entry, named(connection, reopening_of(entry.name), known.position))


def amendment(connection: Connection, name: str, known: Known) -> resources.Amendment:
    """An amendment.

    Raises:
        NotFound: it is not known.
    """
    return amendment_resource(_named(connection, name, known))


def list_amendments(
    connection: Connection, cycle: str, subject: str, known: Known, part: Slice
) -> Listed[resources.Amendment]:
    """The amendments of a cycle in order, those about a subject where it is given.

    Raises:
        NotFound: the cycle is not known.
    """
    wanted = Wanted(cycle, facts.AmendmentRecorded, subject)
    return _page(connection, wanted, amendment_resource, known, part)


def review(connection: Connection, name: str, known: Known) -> resources.Review:
    """A review.

    Raises:
        NotFound: it is not known.
    """
    return review_resource(_named(connection, name, known))


def list_reviews(
    connection: Connection, cycle: str, team: str, known: Known, part: Slice
) -> Listed[resources.Review]:
    """The reviews of a cycle held by the day asked for, in the order in which they were recorded.

    Raises:
        NotFound: the cycle is not known.
    """
    wanted = Wanted(cycle, facts.ReviewHeld, team)
    return _page(connection, wanted, review_resource, known, part)


def lesson(connection: Connection, name: str, known: Known) -> resources.Lesson:
    """A lesson.

    Raises:
        NotFound: it is not known.
    """
    return lesson_resource(_named(connection, name, known))


def list_lessons(
    connection: Connection, cycle: str, subject: str, known: Known, part: Slice
) -> Listed[resources.Lesson]:
    """The lessons of a cycle in order, those about a subject where it is given.

    Raises:
        NotFound: the cycle is not known.
    """
    wanted = Wanted(cycle, facts.LessonRecorded, subject)
    return _page(connection, wanted, lesson_resource, known, part)


def _named(connection: Connection, name: str, known: Known) -> Entry:
    entry = named(connection, name, known.position)
    if entry is None or (known.day is not None and entry.effective > known.day):
        raise NotFound(name)
    return entry


def _page(
    connection: Connection,
    wanted: Wanted,
    shown: Callable[[Entry], Resource],
    known: Known,
    part: Slice,
) -> Listed[Resource]:
    cycle_at(connection, wanted.cycle, known)

    def after(position: int) -> Iterator[tuple[Resource, tuple[int]]]:
        while entries := of_cycle(
            connection, wanted, known.position, after_position=position, limit=part.limit + 1
        ):
            for entry in entries:
                if known.day is None or entry.effective <= known.day:
                    yield shown(entry), (entry.position,)
            position = entries[-1].position

    return cut(after(int(part.after[0]) if part.after else 0), part.limit)
