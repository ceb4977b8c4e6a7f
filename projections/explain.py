"""Scores explained: the arithmetic of each, down to the events that it comes from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction

from sqlalchemy import Connection

from ledger.cycles import Cycle
from ledger.explaining import Explaining
from ledger.objectives import KEY_RESULTS
from ledger.refusals import NotFound, invalid
from ledger.scoring.exact import PLACES, text
from ledger.scoring.working import Number, Operation, Step, followed
from ledger.standing import Kind
from ledger.values import date_message
from okr.v1 import explanation_pb2 as api
from okr.v1.score_service_pb2 import ExplainScoreRequest
from projections import answers
from projections.as_of import Known
from projections.board import Board, board, key_result_board
from projections.catalogue import cycle_at, cycle_of_objective
from projections.scorecard import tree

_KINDS = {
    api.SCORE_KIND_UNSPECIFIED: Kind.CURRENT,
    api.SCORE_KIND_CURRENT: Kind.CURRENT,
    api.SCORE_KIND_ORIGINAL: Kind.ORIGINAL,
    api.SCORE_KIND_AS_JUDGED: Kind.AS_JUDGED,
}


@dataclass(frozen=True, slots=True)
class Explained:
    """A score and the steps that lead to it."""

    cycle: Cycle
    day: date
    score: Decimal | None
    steps: Sequence[Step]


def explain(
    connection: Connection, request: ExplainScoreRequest, known: Known
) -> api.ScoreExplanation:
    """The working of a score as known and in force.

    Raises:
        NotFound: what it is of is not known, or not in force on the day.
        FieldInvalid: a team without a cycle, or a cycle beside anything else.
        RuntimeError: the steps lead to another number, which is a defect.
    """
    name, kind = request.name, _KINDS[request.kind]
    of_team = name.startswith("teams/")
    if of_team != bool(request.cycle):
        rule = "must be given for a team" if of_team else "belongs to a team's score alone"
        raise invalid("cycle", "explain.cycle", rule)
    if of_team or name.startswith("cycles/"):
        team = name if of_team else ""
        found = _of_group(connection, request.cycle or name, team, kind, known)
    else:
        found = _of_objective(connection, name, kind, known)
    numbers = followed(found.steps)
    if numbers[-1] != (None if found.score is None else Fraction(found.score)):
        raise RuntimeError(f"the steps of {name} lead to {numbers[-1]}, not to {found.score}")
    return api.ScoreExplanation(
        name=name,
        cycle=found.cycle.name,
        kind=request.kind or api.SCORE_KIND_CURRENT,
        effective_at=date_message(found.day),
        score=answers.number(found.score),
        steps=_shown(found.steps, numbers),
    )


def _of_group(
    connection: Connection, cycle_name: str, team: str, kind: Kind, known: Known
) -> Explained:
    cycle, day = cycle_at(connection, cycle_name, known)
    found = tree(connection, cycle, team, known.position, day)
    explaining = Explaining(found.board.facts, found.board.standings)
    index = explaining.group(team or cycle.name, found.order, cycle, kind, whole_cycle=not team)
    return Explained(cycle, day, found.root.scores.of(kind), explaining.working.result(index))


def _of_objective(connection: Connection, name: str, kind: Kind, known: Known) -> Explained:
    """The working of an objective's score, or of a key result's."""
    cycle, day = cycle_of_objective(connection, name, known)
    of_key_result = KEY_RESULTS in name
    make = key_result_board if of_key_result else _objective_board
    made = make(connection, name, known.position, day)
    if name not in (made.facts.key_results if of_key_result else made.facts.objectives):
        raise NotFound(name)
    explaining = Explaining(made.facts, made.standings)
    if of_key_result:
        index, scores = explaining.key_result(name, kind), made.standings.key_result(name).scores
    else:
        index, scores = explaining.objective(name, kind), made.standings.objective(name).scores
    return Explained(cycle, day, scores.of(kind), explaining.working.result(index))


def _objective_board(connection: Connection, name: str, position: int, day: date) -> Board:
    return board(connection, [name], position, day)


def _shown(steps: Iterable[Step], numbers: Iterable[Number]) -> list[api.ScoreStep]:
    return [_step(*each) for each in zip(steps, numbers, strict=True)]


def _step(step: Step, number: Number) -> api.ScoreStep:
    return api.ScoreStep(
        operation=api.ScoreStep.Operation.Value(f"OPERATION_{step.operation.name}"),
        inputs=step.inputs,
        because=step.because,
        value=_value(step, number),
        label=step.label,
        subject=step.subject,
        event_position=step.source.position,
        field=step.source.field,
        text=step.text,
    )


def _value(step: Step, number: Number) -> str | None:
    """A leaf's number as it is; any other rounded, for reading."""
    if step.operation in (Operation.CONSTANT, Operation.FACT):
        return None if step.number is None else text(step.number)
    return None if number is None else answers.number(_decimal(number))


def _decimal(number: Fraction) -> Decimal:
    """A fraction rounded half-even to 12 places."""
    return Decimal(f"{round(number * 10**PLACES)}E-{PLACES}")
