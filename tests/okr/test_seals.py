"""A seal held against the scorecard that it was made from."""

from __future__ import annotations

from hashlib import sha256

import pytest

from okr.seals import differences, digest, not_shown
from okr.v1.resources_pb2 import (
    Cycle,
    KeyResult,
    KeyResultScore,
    Objective,
    ObjectiveScore,
    Scorecard,
    Seal,
    Team,
    TeamScore,
)
from okr.v1.values_pb2 import FinalScore


def card() -> Scorecard:
    lines = [
        KeyResultScore(key_result=KeyResult(name="objectives/b/keyResults/k"), score="0.5"),
        KeyResultScore(
            key_result=KeyResult(name="objectives/b/keyResults/a"),
            score="1",
            original_score="0.9",
            as_judged_score="1",
        ),
    ]
    block = ObjectiveScore(objective=Objective(name="objectives/b"), key_results=lines, score="0.7")
    line = TeamScore(team=Team(name="teams/x"), score="0.7")
    return Scorecard(cycle=Cycle(name="cycles/q"), score="0.7", teams=[line], objectives=[block])


def seal() -> Seal:
    text = "objectives/b/keyResults/a\t1\t0.9\t1\nobjectives/b/keyResults/k\t0.5\t\t\n"
    return Seal(
        cycle="cycles/q",
        score="0.7",
        team_scores=[FinalScore(name="teams/x", score="0.7")],
        objective_scores=[FinalScore(name="objectives/b", score="0.7")],
        key_result_count=2,
        key_result_digest=sha256(text.encode()).digest(),
    )


def test_a_seal_that_is_right_differs_in_nothing() -> None:
    assert digest(card()) == seal().key_result_digest
    assert differences(seal(), card()) == []
    assert digest(Scorecard()) == sha256().digest()


def altered(of: str) -> Seal:
    made = seal()
    match of:
        case "cycles/q":
            made.as_judged_score = "0.6"
        case "teams/x":
            made.team_scores[0].score = "0.8"
        case "objectives/b":
            made.objective_scores[0].original_score = "0.8"
        case "objectives/c":
            made.objective_scores.add(name=of)
        case _:
            made.key_result_digest = bytes(32)
    return made


@pytest.mark.parametrize(
    "of", ["cycles/q", "teams/x", "objectives/b", "objectives/c", "key results"]
)
def test_what_was_altered_is_named(of: str) -> None:
    assert differences(altered(of), card()) == [of]


def test_a_score_that_the_seal_left_out_is_named() -> None:
    made = seal()
    del made.objective_scores[:]
    assert differences(made, card()) == ["objectives/b"]


def test_a_seal_whose_key_results_are_not_all_shown_cannot_be_told_to_be_right() -> None:
    assert not_shown(seal(), card()) == 0
    partly = card()
    del partly.objectives[0].key_results[0]

    assert not_shown(seal(), partly) == 1
    assert differences(seal(), partly) == ["key results"]
