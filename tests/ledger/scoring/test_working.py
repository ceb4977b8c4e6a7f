"""The working of a score leads to the score, whatever is scored and under whatever policy."""

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.scoring.definition import UNMEASURED, Definition, Reading
from ledger.scoring.explain_key_result import KeyResultWorking, Measured, Rules
from ledger.scoring.explain_rollup import Member, mean, objective
from ledger.scoring.key_result import score
from ledger.scoring.policy import STANDARD, CycleRollup, Policy, Rollup
from ledger.scoring.rollup import Unit, cycle_score, objective_score, team_score, unit
from ledger.scoring.working import RULES, Operation, Source, Step, Working, followed
from tests.ledger.scoring.test_properties import (
    definitions,
    lawful,
    policies,
    readings,
    scores,
    weights,
)

D = Decimal


def ruled(policy: Policy) -> Rules:
    return Rules(Working(), policy, lambda knob: Source(1, f"definition.policy.{knob}"))


def worked(definition: Definition, reading: Reading, rules: Rules) -> KeyResultWorking:
    working = rules.working

    def fact(value: Decimal | None) -> int:
        if value is None:
            return working.nothing("no value")
        return working.fact(value, "value", "k", Source(3, "measurement.value"))

    return KeyResultWorking(
        "k",
        rules,
        definition,
        lambda field: Source(2, f"definition.{field}"),
        Measured(
            fact(reading.value),
            tuple(
                (working.constant(D(0)) if value is None else fact(value), value is not None)
                for value in reading.periods
            ),
            reading.completed,
            missing=None if reading.measured else working.nothing("not measured"),
        ),
    )


def exact(number: Decimal | None) -> Fraction | None:
    return None if number is None else Fraction(number)


@lawful
@given(definitions, readings, policies)
def test_a_key_results_working_leads_to_its_score(
    definition: Definition, reading: Reading, policy: Policy
) -> None:
    rules = ruled(policy)
    steps = rules.working.result(worked(definition, reading, rules).score())
    assert followed(steps)[-1] == exact(score(definition, reading, policy))


@lawful
@given(
    st.lists(st.tuples(definitions, readings), max_size=4),
    st.lists(st.tuples(st.none() | scores, weights), max_size=3),
    policies,
)
def test_an_objectives_working_leads_to_its_score(
    parts: list[tuple[Definition, Reading]],
    children: list[tuple[Decimal | None, Decimal]],
    policy: Policy,
) -> None:
    rules = ruled(policy)
    key_results = [member(worked(*part, rules)) for part in parts]
    working = rules.working
    below = [
        Member(
            working.nothing("none") if s is None else working.constant(s), working.constant(weight)
        )
        for s, weight in children
    ]
    steps = working.result(objective(key_results, below, rules, "o"))
    assert followed(steps)[-1] == exact(
        objective_score(
            [unit(*part, policy) for part in parts], [Unit(*child) for child in children], policy
        )
    )


def member(of: KeyResultWorking) -> Member:
    sized = of.moves and of.definition.target is not None
    target = of.fact("target") if sized else None
    return Member(of.score(), of.fact("weight"), target, of.amounts())


@lawful
@given(st.lists(st.none() | scores, max_size=5), policies)
def test_the_mean_of_objectives_is_worked_out_as_it_is_scored(
    grades: list[Decimal | None], policy: Policy
) -> None:
    rules = ruled(policy)
    steps = [
        rules.working.nothing("none") if grade is None else rules.working.constant(grade)
        for grade in grades
    ]
    found = rules.working.numbers[mean(steps, rules, "t")]
    assert found == exact(team_score(grades, policy))
    by_key_results = replace(policy, cycle_rollup=CycleRollup.MEAN_OF_KEY_RESULTS)
    assert found == exact(cycle_score([(None, grades)], by_key_results))


def test_a_sum_of_values_is_divided_once() -> None:
    # (3 · 1⁄3 + 0.000000000002) ÷ 4 lies exactly between two numbers of 12 places.
    policy = replace(STANDARD, rollup=Rollup.SUM_OF_VALUES)
    third = unit(Definition(target=D(3), weight=D(3)), Reading(D(1)), policy)
    beside = Unit(D("0.000000000006"), D(1))
    assert objective_score([third, beside], (), policy) == D("0.250000000002")
    assert objective_score([third, replace(beside, score=D("0.000000000002"))], (), policy) == D(
        "0.25"
    )


def test_only_what_a_step_stands_on_is_its_working() -> None:
    working = Working()
    one, two = working.constant(D(1)), working.constant(D(2))
    working.apply(Operation.ADD, [one, two])
    why = working.choice("CLAMP", "policy", RULES)
    last = working.apply(Operation.MULTIPLY, [two, two], because=(why,))
    assert working.result(last) == [
        Step(Operation.CONSTANT, number=D(2)),
        Step(Operation.CHOICE, label="policy", text="CLAMP"),
        Step(Operation.MULTIPLY, (0, 0), (1,)),
    ]


def test_equal_steps_are_one_step() -> None:
    working = Working()
    assert working.constant(D(1)) == working.constant(D("1.0"))
    assert len(working.steps) == 1


@pytest.mark.parametrize("reading", [UNMEASURED, Reading()])
def test_what_is_not_measured_has_no_score(reading: Reading) -> None:
    rules = ruled(STANDARD)
    index = worked(Definition(target=D(1)), reading, rules).score()
    assert rules.working.numbers[index] is None


def test_operations_take_the_inputs_that_they_are_specified_for() -> None:
    working = Working()
    with pytest.raises(ValueError, match="SUBTRACT"):
        working.apply(Operation.SUBTRACT, [working.constant(D(1))])
