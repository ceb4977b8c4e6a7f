"""Bad input: what a cycle's end does not allow, or what is said about it wrongly."""

from __future__ import annotations

from typing import Final

from tests.api.case import (
    CUSTOMERS,
    invalid,
    missing,
    no_such_day,
    outside,
    refused,
    taken,
)
from tests.support.ask import (
    AWARENESS,
    FOLLOWERS,
    Q3,
    SUPPORTS,
    WHY,
    abandon,
    add,
    adjust,
    align,
    amend,
    carry_over,
    check_in,
    close,
    commit,
    correct,
    drop,
    grade,
    lesson,
    objective,
    regrade,
    reopen,
    restore,
    retract,
    review,
    revise,
    unalign,
    update_cycle,
    update_objective,
)

CLOSED: Final = "cycles/closed"
DONE: Final = "objectives/done"
REACH: Final = f"{DONE}/keyResults/reach"
PLANNED: Final = "objectives/planned"

SEALED: Final = (
    *(
        refused(
            f"{name} in a sealed cycle", request, "CYCLE_STATE", resource=CLOSED, state="SEALED"
        )
        for name, request in (
            ("change", update_cycle(CLOSED, title="Else", because=WHY)),
            ("commitment", commit(CLOSED)),
            ("closing", close(CLOSED)),
            ("objective", objective("x", cycle=CLOSED, because=WHY)),
            ("objective's change", update_objective(DONE, title="Else", because=WHY)),
            ("abandoning", abandon(DONE, because=WHY)),
            ("grading", grade(DONE, on="2024-06-30")),
            ("regrading", regrade("objectives/marked", on="2024-06-30")),
            ("key result", add("x", DONE, target="1", because=WHY)),
            ("revision", revise(REACH, target="9", because=WHY)),
            ("drop", drop(REACH, because=WHY)),
            ("restore", restore(f"{DONE}/keyResults/gone", because=WHY)),
            ("carried-over key result", carry_over(REACH, DONE, baseline="1", because=WHY)),
            ("alignment", align(REACH, "objectives/marked", because=WHY)),
            ("supporting alignment", align(REACH, "objectives/marked", SUPPORTS, because=WHY)),
            ("unalignment", unalign("objectives/marked", DONE, because=WHY)),
            ("check-in", check_in(REACH, on="2024-06-30")),
            ("correction", correct(1, "3", REACH)),
            ("retraction", retract(1, REACH)),
            ("adjustment", adjust(drop(REACH), name="x", cycle=CLOSED)),
        )
    ),
    refused(
        "contribution to a sealed cycle's objective",
        align("objectives/week", DONE, because=WHY),
        "CYCLE_STATE",
        resource=CLOSED,
        state="SEALED",
    ),
)

ENDS: Final = (
    *SEALED,
    refused("closing of a draft", close("cycles/draft"), "CYCLE_STATE", state="DRAFT"),
    refused(
        "closing before the end",
        close("cycles/now"),
        "REASON_REQUIRED",
        resource="cycles/now",
        missing="reason",
    ),
    refused("closing as of August", close(on="2024-08-01"), "REASON_REQUIRED", resource=Q3),
    outside("closing before the start", close(on="2024-06-30"), "2024-07-01", "2024-10-05"),
    outside("closing after the grace", close(on="2024-10-06"), "2024-07-01", "2024-10-05"),
    invalid("closing on no day", no_such_day(close(), 2024, 9, 31), "effective_date"),
    missing("closing of nothing", close("cycles/none"), "cycles/none"),
    refused("opening of an active cycle", reopen(), "CYCLE_STATE", resource=Q3, state="ACTIVE"),
    refused("opening without a reason", reopen(CLOSED, " \t"), "REASON_REQUIRED", missing="reason"),
    invalid("opening in silence", reopen(CLOSED, ""), "reason"),
    refused("amendment of an active cycle", amend(), "CYCLE_STATE", resource=Q3, state="ACTIVE"),
    invalid("amendment that says nothing", amend("", "", CLOSED), "statement"),
    invalid("amendment of white space", amend("", " \n", CLOSED), "statement"),
    missing(
        "amendment about nothing",
        amend(f"{DONE}/keyResults/none", "x", CLOSED),
        f"{DONE}/keyResults/none",
    ),
    missing("amendment about no team", amend("teams/none", "x", CLOSED), "teams/none"),
    invalid("amendment about another cycle", amend(FOLLOWERS, "x", CLOSED), "subject"),
    invalid("amendment about a person", amend("people/anna", "x", CLOSED), "subject"),
    invalid(
        "amended value of an objective",
        amend(DONE, "x", CLOSED, amended_value="1"),
        "amended_value",
    ),
    invalid(
        "amended value that is no number",
        amend(REACH, "x", CLOSED, amended_value="NaN"),
        "amended_value",
    ),
    invalid(
        "amended score off the scale",
        amend(REACH, "x", CLOSED, amended_score="1.1"),
        "amended_score",
    ),
    refused(
        "carry-over within a cycle",
        carry_over(CUSTOMERS, AWARENESS, baseline="1", because=WHY),
        "CARRY_OVER_NOT_LATER",
        resource=CUSTOMERS,
        parent=AWARENESS,
    ),
    refused(
        "carry-over backwards",
        carry_over(f"{PLANNED}/keyResults/traffic", AWARENESS, baseline="1", because=WHY),
        "CARRY_OVER_NOT_LATER",
        parent=AWARENESS,
    ),
    invalid("carry-over without a baseline", carry_over(REACH, PLANNED), "definition.baseline"),
    invalid(
        "carry-over past its target",
        carry_over(REACH, PLANNED, baseline="10"),
        "definition.direction",
    ),
    missing(
        "carry-over of nothing",
        carry_over(f"{DONE}/keyResults/none", PLANNED),
        f"{DONE}/keyResults/none",
    ),
    taken(
        "carry-over to a taken id",
        carry_over(REACH, PLANNED, key_result_id="traffic", baseline="1"),
        f"{PLANNED}/keyResults/traffic",
    ),
    refused(
        "carry-over into a committed plan",
        carry_over(REACH, AWARENESS, baseline="1"),
        "REASON_REQUIRED",
        resource=Q3,
    ),
    invalid("review ahead of the ledger", review("x", seen_position=1 << 40), "seen_position"),
    invalid("review behind the ledger", review("x", seen_position=-1), "seen_position"),
    invalid("review of no kind", review("x", 0), "kind"),
    invalid("review of an unknown kind", review("x", 99), "kind"),
    invalid(
        "review with nobody", review("x", participants=["people/anna", " "]), "participants[1]"
    ),
    invalid("review with somebody twice", review("x", participants=["a", "a"]), "participants"),
    invalid(
        "review of an adjustment by no name", review("x", adjustments=["first"]), "adjustments[0]"
    ),
    invalid(
        "review of another's adjustment",
        review("x", cycle=CLOSED, adjustments=["adjustments/first"]),
        "adjustments[0]",
    ),
    missing(
        "review of no adjustment", review("x", adjustments=["adjustments/none"]), "adjustments/none"
    ),
    missing("review of no cycle", review("x", cycle="cycles/none"), "cycles/none"),
    missing("review of no team", review("x", team="teams/none"), "teams/none"),
    taken("review", review("held"), "reviews/held"),
    invalid("lesson that says nothing", lesson("", ""), "lesson"),
    invalid("lesson of white space", lesson("", "\t"), "lesson"),
    invalid("lesson of no category", lesson(category=0), "category"),
    invalid("lesson about another cycle", lesson(REACH), "subject"),
    missing("lesson about nothing", lesson("objectives/none"), "objectives/none"),
    missing("lesson of no cycle", lesson(parent="cycles/none"), "cycles/none"),
    missing("lesson from no review", lesson(review="reviews/none"), "reviews/none"),
    invalid("lesson from another's review", lesson(parent=CLOSED, review="reviews/held"), "review"),
)
