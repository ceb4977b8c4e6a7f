"""What holds for every definition, reading and policy within the ledger's limits."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import ROUND_UP, Context, Decimal, localcontext

from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.scoring.attribution import Cause, Step, attribute
from ledger.scoring.exact import PLACES, rounded, text, total
from ledger.scoring.key_result import (
    Definition,
    Direction,
    Metric,
    Milestone,
    Reading,
    attainment,
    score,
)
from ledger.scoring.pace import (
    Checkpointed,
    Linear,
    Phased,
    Trajectory,
    expected_progress,
    forecast,
    status,
)
from ledger.scoring.policy import (
    BandRule,
    Boundary,
    ChildRollup,
    Clamp,
    CycleRollup,
    DayCount,
    Formula,
    Maintain,
    Policy,
    Rollup,
    StatusRollup,
    StatusRule,
    Ungraded,
    Weights,
)
from ledger.scoring.rollup import Unit, cycle_score, objective_rollup, objective_score, unit

# Machines differ in speed; what is checked here is digits.
lawful = settings(deadline=None, max_examples=80)

FIRST, LAST = date(2026, 10, 1), date(2026, 12, 31)
LIMIT = Decimal(10) ** 18 - Decimal("1e-9")

numbers = st.one_of(
    st.decimals(-LIMIT, LIMIT, places=9),
    st.integers(-5, 5).map(Decimal),
)
weights = st.one_of(st.decimals(0, LIMIT, places=9), st.integers(0, 3).map(Decimal))
scores = st.decimals(0, 1, places=PLACES)
maybe = st.none() | numbers
days = st.dates(FIRST - timedelta(days=10), LAST + timedelta(days=10))


@st.composite
def trajectories(draw: st.DrawFn) -> Trajectory:
    shape = draw(st.sampled_from([Linear, Phased, Checkpointed]))
    if shape is Phased:
        planned = draw(st.dictionaries(st.dates(FIRST, LAST), numbers, min_size=1, max_size=4))
        return Phased(tuple(sorted(planned.items())))
    if shape is Checkpointed:
        shares = sorted(draw(st.lists(st.decimals(0, 1, places=3), min_size=1, max_size=4)))
        return Checkpointed(tuple((draw(numbers), share) for share in shares))
    return Linear()


definitions = st.builds(
    Definition,
    metric=st.sampled_from(Metric),
    direction=st.sampled_from(Direction),
    baseline=maybe,
    target=maybe,
    commit=maybe,
    stretch=maybe,
    lower=maybe,
    upper=maybe,
    weight=weights,
    milestones=st.lists(st.builds(Milestone, st.sampled_from("abc"), weights), max_size=3).map(
        tuple
    ),
    trajectory=trajectories(),
)
readings = st.builds(
    Reading,
    value=maybe,
    completed=st.frozensets(st.sampled_from("abcd")),
    periods=st.lists(maybe, max_size=4).map(tuple),
    measured=st.booleans(),
)
policies = st.builds(
    Policy,
    name=st.just("any"),
    clamp=st.sampled_from(Clamp),
    formula=st.sampled_from(Formula),
    maintain=st.sampled_from(Maintain),
    boundary=st.sampled_from(Boundary),
    ungraded=st.sampled_from(Ungraded),
    rollup=st.sampled_from(Rollup),
    weights=st.sampled_from(Weights),
    child_rollup=st.sampled_from(ChildRollup),
    cycle_rollup=st.sampled_from(CycleRollup),
    status=st.sampled_from(StatusRule),
    status_rollup=st.sampled_from(StatusRollup),
    day_count=st.sampled_from(DayCount),
    bands=st.sampled_from(BandRule),
)
unit_policies = policies.map(lambda policy: replace(policy, clamp=Clamp.UNIT))
units = st.builds(Unit, st.none() | scores, weights, maybe)


@lawful
@given(definitions, readings, policies, days)
def test_scoring_is_total(
    definition: Definition, reading: Reading, policy: Policy, day: date
) -> None:
    grade = score(definition, reading, policy)
    attained = attainment(definition, reading, policy)
    expected = expected_progress(definition, FIRST, LAST, day, policy)
    assert (grade is None) == (attained is None)
    assert reading.measured or grade is None
    for number in (grade, expected):
        assert number is None or (number.is_finite() and number == rounded(number))
    status(expected, attained, policy)


@lawful
@given(
    st.decimals(allow_nan=False, allow_infinity=False),
    st.decimals(allow_nan=False, allow_infinity=False),
    st.sampled_from([Decimal("1E+300"), Decimal("1E-300"), Decimal("-0"), Decimal("9E+99")]),
    policies,
)
def test_scoring_is_total_far_beyond_the_limits(
    baseline: Decimal, target: Decimal, value: Decimal, policy: Policy
) -> None:
    definition = Definition(baseline=baseline, target=target)
    grade = score(definition, Reading(value), policy)
    assert grade is not None
    assert grade.is_finite()


@lawful
@given(definitions, readings, unit_policies)
def test_a_unit_score_lies_between_zero_and_one(
    definition: Definition, reading: Reading, policy: Policy
) -> None:
    grade = score(definition, reading, policy)
    assert grade is None or 0 <= grade <= 1


@lawful
@given(numbers, numbers, numbers, numbers, unit_policies)
def test_more_of_what_is_wanted_never_scores_less(
    baseline: Decimal, target: Decimal, one: Decimal, other: Decimal, policy: Policy
) -> None:
    direction = Direction.DECREASE if target < baseline else Direction.INCREASE
    definition = Definition(direction=direction, baseline=baseline, target=target)
    worse, better = sorted((one, other), reverse=target < baseline)
    low, high = (score(definition, Reading(value), policy) for value in (worse, better))
    assert low is not None
    assert high is not None
    assert low <= high


@lawful
@given(st.lists(numbers, min_size=6, max_size=6, unique=True), st.booleans(), unit_policies)
def test_zones_never_fall_on_the_way(values: list[Decimal], falling: bool, policy: Policy) -> None:
    *marks, one, other = values
    baseline, commit, target, stretch = sorted(marks, reverse=falling)
    definition = Definition(
        metric=Metric.ZONES, baseline=baseline, commit=commit, target=target, stretch=stretch
    )
    worse, better = sorted((one, other), reverse=falling)
    low, high = (attainment(definition, Reading(value), policy) for value in (worse, better))
    assert low is not None
    assert high is not None
    assert low <= high
    assert attainment(definition, Reading(target), policy) == Decimal("0.7")


@lawful
@given(numbers, numbers, numbers)
def test_a_bound_kept_by_more_room_never_scores_less(
    bound: Decimal, one: Decimal, other: Decimal
) -> None:
    policy = Policy("any", maintain=Maintain.DISTANCE, clamp=Clamp.NONE)
    at_most = Definition(direction=Direction.MAINTAIN_AT_MOST, upper=bound)
    at_least = Definition(direction=Direction.MAINTAIN_AT_LEAST, lower=bound)
    small, large = sorted((one, other))
    for definition, worse, better in ((at_most, large, small), (at_least, small, large)):
        low, high = (attainment(definition, Reading(value), policy) for value in (worse, better))
        assert low is not None
        assert high is not None
        assert low <= high


@lawful
@given(numbers)
def test_text_reads_back_as_the_same_number(number: Decimal) -> None:
    assert Decimal(text(number)) == number
    assert text(Decimal(text(number))) == text(number)
    assert text(number * 1) == text(number)


@lawful
@given(st.lists(units, max_size=5), st.lists(units, max_size=3), unit_policies)
def test_a_roll_up_lies_between_zero_and_one_and_its_shares_make_a_whole(
    key_results: list[Unit], children: list[Unit], policy: Policy
) -> None:
    rolled = objective_rollup(key_results, children, policy)
    assert rolled.score == objective_score(key_results, children, policy)
    assert rolled.score is None or 0 <= rolled.score <= 1
    assert len(rolled.shares) == len(key_results) + len(children)
    whole = rounded(total(rolled.shares))
    assert whole in (0, 1)
    assert rolled.score is not None or policy.ungraded is Ungraded.EXCLUDE
    assert rolled.score is None or whole == 1 or rolled.score == 0
    assert all(share >= 0 for share in rolled.shares)


@lawful
@given(st.lists(st.tuples(definitions, readings), max_size=4), policies)
def test_roll_ups_of_real_units_are_total(
    parts: list[tuple[Definition, Reading]], policy: Policy
) -> None:
    made = [unit(definition, reading, policy) for definition, reading in parts]
    rolled = objective_rollup(made, made[:1], policy)
    assert rolled.score is None or rolled.score == rounded(rolled.score)
    cycle_score([(rolled.score, [each.score for each in made])], policy)


@lawful
@given(
    st.lists(st.lists(units, max_size=3), min_size=1, max_size=6),
    st.lists(st.sampled_from(Cause), min_size=6, max_size=6),
    policies,
)
def test_the_parts_of_a_movement_sum_exactly_to_it(
    states: list[list[Unit]], causes: list[Cause], policy: Policy
) -> None:
    start, *later = states
    steps = [Step(causes[at], at, state) for at, state in enumerate(later)]
    told = attribute(start, steps, lambda state: objective_score(state, (), policy))
    assert total(movement.delta for movement in told.movements) == told.difference
    assert total(told.by_cause().values()) == told.difference


@lawful
@given(definitions, readings, policies, st.lists(units, max_size=4), days)
def test_the_threads_context_changes_no_digit(
    definition: Definition, reading: Reading, policy: Policy, others: list[Unit], day: date
) -> None:
    def figures() -> list[str]:
        made = unit(definition, reading, policy)
        found = [
            made.score,
            attainment(definition, reading, policy),
            objective_score([made, *others], others, policy),
            expected_progress(definition, FIRST, LAST, day, policy),
        ]
        return ["none" if number is None else text(number) for number in found]

    outside = figures()
    with localcontext(Context(prec=3, rounding=ROUND_UP, Emax=9, Emin=-9)):
        inside = figures()
    assert inside == outside


@lawful
@given(st.lists(st.tuples(days, numbers), max_size=8), days)
def test_a_forecast_lies_within_its_range(points: list[tuple[date, Decimal]], day: date) -> None:
    found = forecast(points, day, LAST)
    assert found is None or found.low <= found.value <= found.high
