"""The parts of a movement add up, and each has its cause."""

from decimal import Decimal

from ledger.scoring.attribution import Cause, Movement, Step, attribute
from ledger.scoring.key_result import Definition, Reading
from ledger.scoring.policy import STANDARD
from ledger.scoring.rollup import Unit, objective_score, unit

D = Decimal


def kr(value: str, target: str) -> Unit:
    return unit(Definition(baseline=D(0), target=D(target)), Reading(D(value)), STANDARD)


def objective(units: list[Unit]) -> Decimal | None:
    return objective_score(units, (), STANDARD)


def test_a_score_moves_by_progress_a_lowered_target_and_dropped_scope() -> None:
    poor = kr("0", "10")
    told = attribute(
        [kr("30", "100"), poor],
        [
            Step(Cause.PROGRESS, 7, [kr("42", "100"), poor]),
            Step(Cause.TARGET, 8, [kr("42", "60"), poor]),
            Step(Cause.SCOPE, 8, [kr("42", "60")]),
        ],
        objective,
    )
    assert told.before == D("0.15")
    assert told.after == D("0.7")
    assert [movement.delta for movement in told.movements] == [D("0.06"), D("0.14"), D("0.35")]
    assert [movement.position for movement in told.movements] == [7, 8, 8]
    assert told.difference == D("0.55")


def test_parts_of_rounded_scores_add_up_exactly() -> None:
    states = [[kr(str(value), "3")] * 3 for value in (0, 1, 2, 1)]
    steps = [Step(Cause.PROGRESS, at, state) for at, state in enumerate(states)]
    told = attribute([kr("1", "7")], steps, objective)
    parts = told.by_cause()
    assert list(parts) == list(Cause)
    assert sum(parts.values()) == told.difference


def test_no_score_counts_as_zero_and_stays_told_apart() -> None:
    scores: list[Decimal | None] = [None, D("0.4"), None]
    steps = [Step(Cause.PROGRESS, 1, 1), Step(Cause.PROGRESS, 2, 2)]
    told = attribute(0, steps, lambda at: scores[at])
    assert told.movements == (
        Movement(Cause.PROGRESS, 1, None, D("0.4"), D("0.4")),
        Movement(Cause.PROGRESS, 2, D("0.4"), None, D("-0.4")),
    )
    assert told.difference == 0


def test_time_moves_a_score_without_an_event() -> None:
    told = attribute(D(1), [Step(Cause.TIME, None, D("0.5"))], lambda score: score)
    assert told.by_cause()[Cause.TIME] == D("-0.5")


def test_nothing_happened() -> None:
    told = attribute(D("0.5"), [], lambda score: score)
    assert (told.before, told.after, told.movements) == (D("0.5"), D("0.5"), ())
    assert set(told.by_cause().values()) == {D(0)}


def test_causes_stand_in_their_order() -> None:
    assert [cause.value for cause in Cause] == [
        "PROGRESS",
        "CORRECTION",
        "BASELINE",
        "TARGET",
        "WEIGHT",
        "SCOPE",
        "ALIGNMENT",
        "POLICY",
        "OVERRIDE",
        "TIME",
    ]
