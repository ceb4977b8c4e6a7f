"""A small quarter whose every score can be worked out by hand.

Third quarter of 2024, default policy. `awareness` (followers 1000 → 1200, traffic 0 → 10)
contributes to `revenue` (customers 0 → 20). What happens, in the order in which the ledger learns
it, with the effective days:

    week 1   8 July     followers 1050 (check-in 1), traffic 2, customers 4
    week 3   22 July    followers 1100 (check-in 2)
    adjusted 5 August   followers' target 1200 → 1100, newsletter 0 → 100 added
    late     15 July    followers 1080 (check-in 3)
    corrected           check-in 2: 1100 → 1110
    week 6   12 August  followers 1090 (check-in 4)
    revised  19 August  followers' target 1100 → 1150
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from okr.v1 import score_service_pb2 as scores
from okr.v1.values_pb2 import AsOf
from tests.support.ask import (
    AWARENESS,
    FOLLOWERS,
    Q3,
    TRAFFIC,
    WHY,
    add,
    adjust,
    align,
    check_in,
    commit,
    correct,
    cycle,
    day,
    new,
    objective,
    revise,
    team,
)
from tests.support.whole import Caller

REVENUE: Final = "objectives/revenue"
CUSTOMERS: Final = f"{REVENUE}/keyResults/customers"
NEWSLETTER: Final = f"{AWARENESS}/keyResults/newsletter"
ANNA: Final = [("okr-actor", "people/anna")]
BEA: Final = [("okr-actor", "services/crm"), ("okr-on-behalf-of", "people/bea")]
RELATIVE: Final = ("target", "target_change_percent")


@dataclass(frozen=True)
class Told:
    """The story's caller, and the head's position after each of its parts."""

    me: Caller
    planned: int
    week_3: int
    adjusted: int
    late: int
    corrected: int
    revised: int

    def followers(self, known: int = 0, on: str = "") -> Any:
        """The followers' line as known at a position and effective on a day; now by default."""
        return self.me.ask(
            scores.GetKeyResultRequest(name=FOLLOWERS, as_of=at(known, on))
        ).key_result

    def scorecard(self, known: int = 0, on: str = "", of_team: str = "") -> Any:
        """The scorecard as known at a position and effective on a day; now by default."""
        request = scores.GetScorecardRequest(cycle=Q3, team=of_team, as_of=at(known, on))
        return self.me.ask(request).scorecard


def at(known: int = 0, on: str = "") -> AsOf:
    """Both instants of a read; 0 and "" for now."""
    as_of = AsOf(effective_at=day(on) if on else None)
    if known:
        as_of.position = known
    return as_of


def told(me: Caller) -> Told:
    """Tells the story to an empty ledger."""
    me.all_of(
        *(cycle(first="2024-07-01", last="2024-09-30"), team(), team("sales")),
        *(objective("revenue", new("customers", target="20"), team="teams/sales"), objective()),
        *(align(AWARENESS, REVENUE), commit()),
    )
    planned = me.head()
    me.all_of(
        check_in(value="1050", on="2024-07-08"),
        check_in(TRAFFIC, "2", on="2024-07-08"),
        check_in(CUSTOMERS, "4", on="2024-07-08"),
        check_in(value="1100", on="2024-07-22"),
    )
    week_3 = me.head()
    changes = (revise(target="1100", mask=RELATIVE), add("newsletter", target="100"))
    me.ask(adjust(*changes, on="2024-08-05"), ANNA)
    adjusted = me.head()
    me.ask(check_in(value="1080", on="2024-07-15"))
    late = me.head()
    me.ask(correct(2, "1110"), BEA)
    corrected = me.head()
    me.ask(check_in(value="1090", on="2024-08-12"))
    me.ask(revise(target="1150", on="2024-08-19", because=WHY), BEA)
    return Told(me, planned, week_3, adjusted, late, corrected, me.head())


def by_name(lines: Any, of: str) -> dict[str, Any]:
    """The lines of a scorecard by the names of what they are about."""
    return {getattr(line, of).name: line for line in lines}
