"""The kinds of conformance cases: each takes what is given and answers all it can by name.

Answers are not rounded beyond what the scoring functions do. Numbers that are absent are None.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from itertools import accumulate
from typing import Any, Final

from ledger.scoring.attribution import Cause, Step, attribute
from ledger.scoring.conformance_given import (
    Given,
    definition_of,
    maybe,
    number,
    numbers,
    reading_of,
)
from ledger.scoring.exact import add, ratio
from ledger.scoring.in_force import in_force
from ledger.scoring.key_result import (
    Definition,
    Metric,
    Reading,
    attainment,
    score,
    share_of_all_periods,
    zones,
)
from ledger.scoring.pace import (
    Commitment,
    Phased,
    Status,
    band,
    expected_progress,
    expected_value,
    gap,
    met,
    plan_overshoot,
    plan_ratios,
    running_ratios,
    status,
    status_rollup,
)
from ledger.scoring.policy import Policy
from ledger.scoring.rollup import Unit, cycle_score, objective_score, unit, weight_shares
from ledger.scoring.three import carry_over, final

Answers = dict[str, Any]


def key_result(given: Given, policy: Policy) -> Answers:
    """One key result: attainment, score, zones, and the running share of all periods."""
    definition, reading = definition_of(given), reading_of(given)
    answers: Answers = {
        "attainment": attainment(definition, reading, policy),
        "score": score(definition, reading, policy),
        "commit": definition.commit,
        "target": definition.target,
    }
    if definition.metric is Metric.ZONES and definition.stretch is not None:
        commit, target = zones(definition.baseline or Decimal(0), definition.stretch)
        answers["commit"] = commit if definition.commit is None else definition.commit
        answers["target"] = target if definition.target is None else definition.target
    if reading.periods:
        periods = int(given.get("periods", len(reading.periods)))
        answers["running"] = [
            share_of_all_periods(definition, reading.periods[:count], periods, policy)
            for count in range(1, len(reading.periods) + 1)
        ]
    return answers


def _unit(given: Given, policy: Policy) -> Unit:
    weight = number(given.get("weight", "1"))
    if "key_results" in given or "children" in given:
        return Unit(_objective_score(given, policy), weight)
    if "score" in given:
        return Unit(maybe(given, "score"), weight, maybe(given, "target"))
    return unit(definition_of(given), reading_of(given), policy)


def _units(given: Given, name: str, policy: Policy) -> list[Unit]:
    return [_unit(each, policy) for each in given.get(name, ())]


def _objective_score(given: Given, policy: Policy) -> Decimal | None:
    key_results, children = (_units(given, name, policy) for name in ("key_results", "children"))
    return objective_score(key_results, children, policy)


def objective(given: Given, policy: Policy) -> Answers:
    """An objective, or (from `rows`) a cycle whose key results are graded already."""
    if "rows" in given:
        return {"score": _graded_cycle(given["rows"], policy)}
    if "targets" in given:
        units = [Unit(None, target=target) for target in numbers(given["targets"])]
    else:
        units = _units(given, "key_results", policy) + _units(given, "children", policy)
    return {
        "score": _objective_score(given, policy),
        "weights": list(weight_shares(units, policy)),
    }


def _graded_cycle(rows: Sequence[tuple[str, Decimal | None]], policy: Policy) -> Decimal | None:
    objectives: dict[str, list[Decimal | None]] = {}
    for name, grade in rows:
        objectives.setdefault(name, []).append(grade)
    return cycle_score(
        [
            (objective_score([Unit(grade) for grade in grades], (), policy), grades)
            for grades in objectives.values()
        ],
        policy,
    )


def status_of_progress(given: Given, policy: Policy) -> Answers:
    """A status from expected and actual progress."""
    expected, actual = maybe(given, "expected"), maybe(given, "actual")
    behind = None if expected is None or actual is None else gap(expected, actual)
    return {"status": status(expected, actual, policy), "gap": behind}


def expected(given: Given, policy: Policy) -> Answers:
    """Expected progress and value on a day; without numbers the way is from 0 to 1."""
    on = date.fromisoformat(given["on"])
    baseline, target = maybe(given, "baseline"), maybe(given, "target")
    if "plan" in given:
        points = tuple((date.fromisoformat(day), number(value)) for day, value in given["plan"])
        target = points[-1][1] if target is None else target
        definition = Definition(baseline=baseline, target=target, trajectory=Phased(points))
        first, last = points[0][0], points[-1][0]
    else:
        definition = Definition(baseline=baseline, target=Decimal(1) if target is None else target)
        first, last = (date.fromisoformat(given[name]) for name in ("start", "end"))
    return {
        "expected": expected_progress(definition, first, last, on, policy),
        "expected_value": expected_value(definition, first, last, on, policy),
    }


def plan(given: Given, policy: Policy) -> Answers:
    """Actual against planned figures, or a target changed under a plan."""
    if "plan_end" in given:
        return _changed_target(given, policy)
    planned, actual = numbers(given["plan"]), numbers(given["actual"])
    ratios = plan_ratios(planned, actual)
    running = running_ratios(planned, actual) if given.get("per_period") else ratios
    if given.get("per_period"):
        planned, actual = list(accumulate(planned, add)), list(accumulate(actual, add))
    end = planned[-1]
    statuses = [
        status(ratio(wanted, end), ratio(done, end), policy)
        for wanted, done in zip(planned, actual, strict=False)
    ]
    return {
        "ratio": list(ratios),
        "running_ratio": list(running),
        "statuses": statuses,
        "status": statuses[-1],
    }


def _changed_target(given: Given, policy: Policy) -> Answers:
    original = definition_of({**given, "target": given["plan_end"]})
    current = replace(original, target=number(given["new_target"]))
    reading = reading_of(given)
    baseline, plan_end = original.baseline or Decimal(0), number(given["plan_end"])
    return {
        "plan_overshoot": plan_overshoot(baseline, plan_end, number(given["new_target"])),
        "score_against_original": score(original, reading, policy),
        "score_against_current": score(current, reading, policy),
    }


def several_statuses(given: Given, policy: Policy) -> Answers:
    """One status for several."""
    return {"status": status_rollup([Status(each) for each in given["statuses"]], policy)}


def bands(given: Given, policy: Policy) -> Answers:
    """Bands of scores, and whether a score keeps its commitment."""
    answers: Answers = {}
    if "scores" in given:
        answers["bands"] = [band(each, policy) for each in numbers(given["scores"])]
    if "score" in given:
        answers["band"] = band(maybe(given, "score"), policy)
        if "commitment" in given:
            answers["met"] = met(maybe(given, "score"), Commitment(given["commitment"]))
    return answers


def carried_over(given: Given, policy: Policy) -> Answers:
    """A key result continued from where it stands."""
    value = number(given["value"])
    before = definition_of(given)
    after = carry_over(before, value)
    return {
        "new_baseline": after.baseline,
        "new_target": after.target,
        "score": score(before, Reading(value), policy),
    }


def overridden(given: Given, _policy: Policy) -> Answers:
    """A computed score and the one that counts."""
    computed = maybe(given, "computed")
    return {"final": final(computed, maybe(given, "override")), "computed_kept": computed}


def attributed(given: Given, policy: Policy) -> Answers:
    """An objective's score before and after the key result at index `drop` leaves it."""
    units = _units(given, "key_results", policy)
    dropped = [each for at, each in enumerate(units) if at != given["drop"]]
    told = attribute(
        units,
        [Step(Cause.SCOPE, 1, dropped)],
        lambda key_results: objective_score(key_results, (), policy),
    )
    return {"before": told.before, "after": told.after, "moved": told.by_cause()}


def as_of(given: Given, _policy: Policy) -> Answers:
    """The target in force on the day of each actual value."""
    targets = [(date.fromisoformat(day), number(value)) for day, value in given["targets"]]
    days = [date.fromisoformat(day) for day, _ in given["actuals"]]
    return {"target_in_force": [in_force(targets, day) for day in days]}


KINDS: Final[Mapping[str, Callable[[Given, Policy], Answers]]] = {
    "key_result": key_result,
    "objective": objective,
    "status": status_of_progress,
    "expected": expected,
    "plan": plan,
    "status_rollup": several_statuses,
    "band": bands,
    "carry_over": carried_over,
    "override": overridden,
    "attribution": attributed,
    "as_of": as_of,
}
