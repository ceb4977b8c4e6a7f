"""Standings as the API shows them."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from ledger.check_ins import CheckIn
from ledger.cycles import Cycle
from ledger.scoring.exact import rounded, text
from ledger.scoring.pace import Band, Forecast, Status
from ledger.standing import GroupStanding, KeyResultStanding, ObjectiveStanding, Three
from ledger.teams import Team
from okr.v1 import resources_pb2 as resources

Describe = Callable[[CheckIn], resources.CheckIn]
"""Shows a check-in with who recorded it and when."""


def number(value: Decimal | None) -> str | None:
    """A score or value as text, None where there is none."""
    return None if value is None else text(rounded(value))


def three(scores: Three | None) -> resources.ThreeScores | None:
    """Three scores side by side, None of what does not count."""
    if scores is None:
        return None
    return resources.ThreeScores(
        score=number(scores.current),
        original_score=number(scores.original),
        as_judged_score=number(scores.as_judged),
    )


def status(value: Status) -> resources.Status.ValueType:
    """A status as the API names it."""
    return resources.Status.Value(f"STATUS_{value.name}")


def band(value: Band | None) -> resources.Band.ValueType:
    """A band as the API names it."""
    return resources.Band.Value(f"BAND_{value.name}") if value else resources.BAND_UNSPECIFIED


def forecast(made: Forecast | None) -> resources.Forecast | None:
    """A forecast with its range, None where there is none."""
    if made is None:
        return None
    return resources.Forecast(value=text(made.value), low=text(made.low), high=text(made.high))


def key_result_score(
    standing: KeyResultStanding, share: Decimal, describe: Describe
) -> resources.KeyResultScore:
    """A key result's line; `share` is its part of the objective's weight."""
    facts = standing.facts
    dropped = facts.current.dropped
    return resources.KeyResultScore(
        key_result=facts.current.resource(),
        check_in=describe(facts.check_ins[-1]) if facts.check_ins else None,
        value=number(standing.value),
        attainment=number(standing.attainment),
        score=number(standing.scores.current),
        original_score=number(standing.scores.original),
        as_judged_score=number(standing.scores.as_judged),
        expected_progress=number(standing.expected_progress),
        expected_value=number(standing.expected_value),
        status=resources.STATUS_UNSPECIFIED if dropped else status(standing.status),
        band=band(standing.band),
        weight_share=text(rounded(share)),
    )


def objective_score(
    standing: ObjectiveStanding, cycle: Cycle, describe: Describe
) -> resources.ObjectiveScore:
    """An objective's block with its key results and contributing children."""
    return resources.ObjectiveScore(
        objective=standing.objective.resource(cycle),
        score=number(standing.score),
        computed_score=number(standing.computed),
        original_score=number(standing.original),
        as_judged_score=number(standing.as_judged),
        status=status(standing.status),
        band=band(standing.band),
        met=standing.met,
        key_results=[
            key_result_score(k, standing.shares[k.facts.current.name], describe)
            for k in standing.key_results
        ],
        children=[
            resources.ChildScore(
                name=child.name, score=number(child.score), weight_share=text(rounded(child.share))
            )
            for child in standing.children
        ],
    )


def team_score(team: Team, standing: GroupStanding) -> resources.TeamScore:
    """A team's line."""
    return resources.TeamScore(
        team=team.resource(),
        score=number(standing.scores.current),
        original_score=number(standing.scores.original),
        as_judged_score=number(standing.scores.as_judged),
        status=status(standing.status),
        band=band(standing.band),
        objective_count=standing.objective_count,
    )
