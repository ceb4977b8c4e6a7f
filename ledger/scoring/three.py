"""What stands beside a computed score: the other two scores, an override, a continuation."""

from dataclasses import dataclass, replace
from decimal import Decimal

from ledger.scoring.key_result import Definition, Reading, score
from ledger.scoring.policy import Policy
from ledger.scoring.trajectory import LINEAR


@dataclass(frozen=True, slots=True)
class ThreeScores:
    """One value under three definitions; each None where there is no definition or no grade."""

    original: Decimal | None
    current: Decimal | None
    as_judged: Decimal | None


def three_scores(
    original: Definition | None,
    current: Definition | None,
    as_judged: Definition | None,
    reading: Reading,
    policy: Policy,
) -> ThreeScores:
    """The reading in force held against three definitions.

    `original` is the one at plan commitment, None for a later addition; `current` the one in
    force; `as_judged` the one in force on the day of the check-in in force.
    """
    return ThreeScores(
        *(
            None if definition is None else score(definition, reading, policy)
            for definition in (original, current, as_judged)
        )
    )


def final(computed: Decimal | None, override: Decimal | None) -> Decimal | None:
    """The score that counts: a person's override, where there is one, before the computed."""
    return computed if override is None else override


def carry_over(definition: Definition, new_baseline: Decimal) -> Definition:
    """The key result as it begins in the next cycle: same target, its chosen new baseline.

    The way is linear again, since a planned one was for the days or values of the old cycle.

    Source: Viva Goals, closing and scoring.
    """
    return replace(definition, baseline=new_baseline, trajectory=LINEAR)
