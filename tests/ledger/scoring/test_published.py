"""The figures that others have published come out of our functions, digit for digit."""

from collections.abc import Mapping
from dataclasses import fields
from decimal import Decimal
from pathlib import Path

import pytest

from ledger.scoring.conformance import evaluate
from ledger.scoring.exact import half_up
from ledger.scoring.policy import PRESETS, STANDARD, Policy
from ledger.scoring.rollup import Unit, cycle_score, objective_score
from tests.ledger.scoring.published import IPFS_CLUSTER_2019_Q2, PUBLISHED, Published


def case(row: Published, policy: Mapping[str, str]) -> dict[str, object]:
    return {
        "id": row.id,
        "kind": row.kind,
        "given": row.given,
        "policy": policy,
        "expect": row.expect,
    }


def knobs(policy: Policy) -> dict[str, str]:
    names = [field.name for field in fields(Policy) if field.name not in ("name", "version")]
    return {name: str(getattr(policy, name)) for name in names}


@pytest.mark.parametrize("row", PUBLISHED, ids=lambda row: row.id)
def test_the_sources_answer_under_the_sources_policy(row: Published, tmp_path: Path) -> None:
    (result,) = evaluate([case(row, row.policy)], tmp_path)
    assert result.passed, result


@pytest.mark.parametrize("row", PUBLISHED, ids=lambda row: row.id)
def test_the_sources_answer_under_the_preset_named_after_it(row: Published, tmp_path: Path) -> None:
    (result,) = evaluate([case(row, knobs(PRESETS[row.preset]))], tmp_path)
    assert result.passed, result


def test_every_preset_has_a_published_figure() -> None:
    assert {row.preset for row in PUBLISHED} | {"ipfs"} == set(PRESETS)


@pytest.mark.parametrize(("column", "published"), [(1, "0.3"), (2, "0.4")])
def test_a_real_quarter_has_its_published_rollup_under_its_preset(
    column: int, published: str
) -> None:
    assert half_up(_quarter(column, PRESETS["ipfs"]), 1) == Decimal(published)


def test_the_same_quarter_is_another_figure_as_a_mean_of_objectives_with_blanks_as_zero() -> None:
    assert half_up(_quarter(2, STANDARD), 1) == Decimal("0.3")


def _quarter(column: int, policy: Policy) -> Decimal:
    graded: dict[str, list[Decimal | None]] = {}
    for row in IPFS_CLUSTER_2019_Q2:
        graded.setdefault(row[0], []).append(Decimal(row[column]) if row[column] else None)
    score = cycle_score(
        [
            (objective_score([Unit(grade) for grade in grades], (), policy), grades)
            for grades in graded.values()
        ],
        policy,
    )
    assert score is not None
    return score
