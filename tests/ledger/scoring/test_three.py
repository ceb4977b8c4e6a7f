"""Three scores side by side, overrides, continuation, calibration, and what holds on a day."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

from ledger.scoring.calibration import brier, brier_mean, made_share
from ledger.scoring.in_force import in_force
from ledger.scoring.key_result import UNMEASURED, Definition, Reading
from ledger.scoring.policy import STANDARD
from ledger.scoring.three import ThreeScores, carry_over, final, three_scores
from ledger.scoring.trajectory import LINEAR, Phased

D = Decimal
PLAN = Definition(baseline=D(8), target=D(14))


def test_a_lowered_target_leaves_the_original_score_standing() -> None:
    lowered = replace(PLAN, target=D(12))
    found = three_scores(PLAN, lowered, PLAN, Reading(D(11)), STANDARD)
    assert found == ThreeScores(original=D("0.5"), current=D("0.75"), as_judged=D("0.5"))


def test_a_later_addition_has_no_original_score() -> None:
    found = three_scores(None, PLAN, PLAN, Reading(D(11)), STANDARD)
    assert found == ThreeScores(None, D("0.5"), D("0.5"))
    assert three_scores(PLAN, None, None, UNMEASURED, STANDARD) == ThreeScores(None, None, None)


def test_an_override_counts_and_the_computed_score_stays() -> None:
    assert final(D("0.8"), D("0.3")) == D("0.3")
    assert final(D("0.8"), D(0)) == 0
    assert final(D("0.8"), None) == D("0.8")
    assert final(None, D("0.3")) == D("0.3")


def test_a_key_result_goes_on_from_a_chosen_baseline() -> None:
    planned = replace(PLAN, trajectory=Phased(((date(2026, 6, 30), D(14)),)))
    following = carry_over(planned, D(11))
    assert following == replace(PLAN, baseline=D(11), trajectory=LINEAR)


def test_confidence_is_held_against_the_outcome() -> None:
    assert brier(D(10), met=True) == 0
    assert brier(D(10), met=False) == 1
    assert brier(D(7), met=True) == D("0.09")
    assert brier_mean([(D(7), True), (D(5), False)]) == D("0.17")
    assert brier_mean([]) is None


def test_the_share_of_due_check_ins_made() -> None:
    assert made_share(2, 3) == D("0.666666666667")
    assert made_share(0, 0) is None


def test_the_last_fact_by_day_holds_and_of_one_day_the_later_told() -> None:
    third, fifth = date(2026, 8, 3), date(2026, 8, 5)
    facts = [(fifth, "b"), (third, "a"), (fifth, "c")]
    assert in_force(facts, date(2026, 8, 2)) is None
    assert in_force(facts, date(2026, 8, 4)) == "a"
    assert in_force(facts, fifth) == "c"
