"""Status, band and commitment: what a score or its lag behind the plan is called."""

from collections.abc import Iterable
from decimal import Decimal
from enum import StrEnum
from typing import Final

from ledger.scoring.exact import half_up, ratio, rounded, subtract
from ledger.scoring.policy import BandRule, Policy, StatusRollup, StatusRule


class Status(StrEnum):
    """Whether progress keeps up with what is expected, from best to worst."""

    ON_TRACK = "ON_TRACK"
    PENDING = "PENDING"
    BEHIND = "BEHIND"
    STALE = "STALE"
    AT_RISK = "AT_RISK"


class Band(StrEnum):
    """The colour of a score."""

    RED = "RED"
    YELLOW = "YELLOW"
    GREEN = "GREEN"


class Commitment(StrEnum):
    """What an objective's team promises: to score 1, or to reach far and come to 0.7."""

    COMMITTED = "COMMITTED"
    ASPIRATIONAL = "ASPIRATIONAL"


COMMITTED_FROM: Final = Decimal(1)
ASPIRATIONAL_FROM: Final = Decimal("0.7")

_SEVERITY: Final = tuple(Status)
_NUMBERS: Final = {Status.ON_TRACK: 1, Status.BEHIND: 2, Status.STALE: 2, Status.AT_RISK: 3}
_NUMBERED: Final = {1: Status.ON_TRACK, 2: Status.BEHIND, 3: Status.AT_RISK}


def gap(expected: Decimal, actual: Decimal) -> Decimal:
    """How far progress is behind, rounded; negative when ahead."""
    return rounded(subtract(expected, actual))


def status(
    expected: Decimal | None, actual: Decimal | None, policy: Policy, *, stale: bool = False
) -> Status:
    """The status of actual against expected progress, both shares of the way to the target.

    Without a measured value (or anything to expect) it is PENDING; a stale one is STALE whatever
    it was; where nothing is expected yet (0 or less) it is ON_TRACK. Gap and ratio are rounded
    to 12 places before they are compared, so that a rounded number meets its unrounded equal.
    """
    if actual is None or expected is None:
        return Status.PENDING
    if stale:
        return Status.STALE
    if expected <= 0:
        return Status.ON_TRACK
    if policy.status is StatusRule.RATIO:
        kept = rounded(ratio(actual, expected))
        if kept >= policy.on_track:
            return Status.ON_TRACK
        return Status.BEHIND if kept >= policy.behind else Status.AT_RISK
    behind = gap(expected, actual)
    if behind <= 0:
        return Status.ON_TRACK
    return Status.BEHIND if behind <= policy.at_risk_over else Status.AT_RISK


def status_rollup(statuses: Iterable[Status], policy: Policy) -> Status:
    """One status for several; PENDING ones do not count, and of none other it is PENDING.

    WORST orders ON_TRACK, BEHIND, STALE, AT_RISK. ROUNDED_MEAN numbers ON_TRACK 1, BEHIND 2,
    AT_RISK 3, rounds half-up, and takes STALE for 2; where that ends ON_TRACK beside a STALE it
    is STALE, since silence is never green.
    """
    known = [each for each in statuses if each is not Status.PENDING]
    if not known:
        return Status.PENDING
    if policy.status_rollup is StatusRollup.WORST:
        return max(known, key=_SEVERITY.index)
    summed = sum(_NUMBERS[each] for each in known)
    mean = _NUMBERED[(2 * summed + len(known)) // (2 * len(known))]
    return Status.STALE if mean is Status.ON_TRACK and Status.STALE in known else mean


def band(score: Decimal | None, policy: Policy) -> Band | None:
    """The colour of a score, None without one."""
    if score is None:
        return None
    if policy.bands is BandRule.TENTHS:
        score = half_up(score, 1)
    if score >= policy.green_from:
        return Band.GREEN
    return Band.YELLOW if score >= policy.yellow_from else Band.RED


def met(score: Decimal | None, commitment: Commitment) -> bool:
    """Whether a score keeps the commitment: 1 if COMMITTED, 0.7 if ASPIRATIONAL.

    Source: whatmatters.com, how to grade committed and aspirational OKRs.
    """
    if score is None:
        return False
    wanted = COMMITTED_FROM if commitment is Commitment.COMMITTED else ASPIRATIONAL_FROM
    return score >= wanted
