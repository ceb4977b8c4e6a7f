"""A quarter with private objectives of two teams, which everything else of it has to do with.

Whatever is private to marketing has "zebra" in its ids, titles and texts, and what is to sales
"yacht"; nothing else has. The other objectives are aligned to the private ones, are adjusted
together with them, continue them and are continued by them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from google.protobuf.message import Message

from okr.v1.values_pb2 import AlignmentKind, Visibility
from tests.support.ask import (
    AWARENESS,
    FOLLOWERS,
    WHY,
    add,
    adjust,
    align,
    amend,
    carry_over,
    check_in,
    close,
    commit,
    correct,
    cycle,
    drop,
    grade,
    lesson,
    new,
    objective,
    propose,
    reject,
    retract,
    review,
    revise,
    team,
    update_objective,
)

PRIVATE: Final = Visibility.VISIBILITY_TEAM
MARKS: Final = {"marketing": b"zebra", "sales": b"yacht"}
"""What the texts of a team's private objectives contain."""

MERGER: Final = "objectives/zebra-merger"
REACH: Final = f"{MERGER}/keyResults/zebra-reach"
COST: Final = f"{MERGER}/keyResults/zebra-cost"
LAYOFF: Final = "objectives/yacht-layoff"
HEADS: Final = f"{LAYOFF}/keyResults/yacht-heads"
REVENUE: Final = "objectives/revenue"
CUSTOMERS: Final = f"{REVENUE}/keyResults/customers"
SUPPORTS: Final = AlignmentKind.ALIGNMENT_KIND_SUPPORTS


def plan() -> Iterator[Message]:
    """Up to plan commitment. One of the private objectives becomes so by a revision."""
    yield cycle(first="2024-07-01", last="2024-09-30")
    yield cycle("q4", first="2024-10-01", last="2024-12-31")
    yield from (
        team("company"),
        team(parent="teams/company"),
        team("sales", parent="teams/company"),
    )
    yield team("europe", parent="teams/marketing")
    yield objective(owner={"plain": "people/anna"})
    yield objective("revenue", new("customers", target="20"), team="teams/sales")
    yield objective("eu-leads", new("leads", target="5"), team="teams/europe")
    yield objective(
        "zebra-merger",
        new("zebra-reach", target="100", owner={"plain": "people/zebra-owner"}),
        new("zebra-cost", baseline="50", target="10"),
        description="zebra first draft",
        visibility=PRIVATE,
    )
    yield objective("yacht-layoff", new("yacht-heads", target="9"), team="teams/sales")
    yield update_objective(LAYOFF, visibility=PRIVATE)
    yield objective("next", new("n", target="5"), cycle="cycles/q4")
    yield objective(
        "zebra-next",
        new("zebra-n", target="5"),
        cycle="cycles/q4",
        visibility=PRIVATE,
        title="zebra next",
    )
    yield align(MERGER, REVENUE)
    yield align(AWARENESS, MERGER, kind=SUPPORTS)
    yield align(HEADS, AWARENESS)
    yield from (commit(), commit("cycles/q4"))


def quarter() -> Iterator[Message]:
    """What happens after it, up to a seal and what is said of it."""
    yield from (check_in(value="1050", on="2024-07-08"), check_in(CUSTOMERS, "4", on="2024-07-08"))
    yield check_in(REACH, "30", on="2024-07-08", note="zebra going well", confidence=8)
    yield check_in(HEADS, "2", on="2024-07-15", note="yacht going on", confidence=3)
    yield check_in(COST, "40", on="2024-07-15", note="zebra cheap")
    yield check_in(REACH, "35", on="2024-07-22")
    yield from (correct(1, "33", REACH, reason="zebra mistyped"), retract(2, REACH, "zebra twice"))
    yield adjust(
        revise(target="1300", mask=("target", "target_change_percent")),
        revise(REACH, target="80", title="zebra less"),
        name="mixed",
        on="2024-08-05",
    )
    yield adjust(
        revise(HEADS, target="7"), drop(COST), name="hidden", because="money", on="2024-08-06"
    )
    later = new("yacht-k", target="1")
    yield adjust(
        objective("yacht-later", later, team="teams/sales", visibility=PRIVATE),
        name="created",
        because="yacht more",
        on="2024-08-06",
    )
    added = add("zebra-added", MERGER, target="4", title="zebra?")
    yield propose(added, name="asked", because="zebra ask")
    yield propose(
        objective("zebra-proposed", new("zebra-p", target="1"), visibility=PRIVATE),
        revise(CUSTOMERS, target="25"),
        name="asked-both",
    )
    yield propose(revise(weight="2"), revise(HEADS, target="5"), name="asked-sales")
    yield reject("asked", because="zebra no")
    yield update_objective(AWARENESS, title="Known", because=WHY, on="2024-08-12")
    yield revise(CUSTOMERS, target="22", because=WHY, on="2024-08-19")
    yield check_in(value="1150", on="2024-08-19", note="a fair")
    yield review("weekly", adjustments=["adjustments/mixed", "adjustments/hidden"], on="2024-08-20")
    yield lesson(MERGER, "zebra lesson")
    yield lesson(HEADS, "yacht lesson")
    yield lesson(AWARENESS, "Be known earlier")
    yield carry_over(
        REACH,
        "objectives/next",
        key_result_id="continued",
        title="Continued",
        owner={"plain": "people/anna"},
        baseline="1",
        because=WHY,
    )
    yield carry_over(
        FOLLOWERS, "objectives/zebra-next", key_result_id="zebra-c", baseline="1", because=WHY
    )
    yield grade(MERGER, override_score="0.5", because="zebra good enough", on="2024-09-30")
    yield close(because="over")
    yield amend(REACH, "zebra late", amended_value="36")
    yield amend(CUSTOMERS, "late")
