"""Bad input: names, ids and reasons."""

from __future__ import annotations

from typing import Final

from grpc import StatusCode

from tests.api.case import (
    CUSTOMERS,
    EXISTS,
    MISSING,
    NEWSLETTER,
    REVENUE,
    TRAFFIC,
    Case,
    invalid,
    missing,
    refused,
    taken,
)
from tests.support.ask import (
    AWARENESS,
    FOLLOWERS,
    Q3,
    WHY,
    abandon,
    add,
    adjust,
    align,
    check_in,
    close,
    commit,
    correct,
    cycle,
    drop,
    grade,
    new,
    objective,
    reopen,
    retire,
    retract,
    revise,
    team,
    unalign,
    update_cycle,
    update_objective,
    update_team,
)

UNKNOWN_RESOURCE: Final = (
    missing("cycle", commit("cycles/none"), "cycles/none"),
    missing("cycle of a new objective", objective("x", cycle="cycles/none"), "cycles/none"),
    missing(
        "team of a new objective", objective("x", team="teams/none", because=WHY), "teams/none"
    ),
    missing("team", retire("teams/none"), "teams/none"),
    missing("parent team", team("x", parent="teams/none"), "teams/none"),
    missing("objective", grade("objectives/none"), "objectives/none"),
    missing("objective of a new key result", add("x", "objectives/none"), "objectives/none"),
    missing("key result", check_in(f"{AWARENESS}/keyResults/none"), f"{AWARENESS}/keyResults/none"),
    missing("key result's objective", check_in("objectives/none/keyResults/x"), "objectives/none"),
    missing("check-in", correct(9), f"{FOLLOWERS}/checkIns/9"),
    missing("check-in's key result", retract(1, CUSTOMERS), f"{CUSTOMERS}/checkIns/1"),
    missing(
        "end of an alignment", align(AWARENESS, "objectives/none", because=WHY), "objectives/none"
    ),
    Case(
        "alignment",
        unalign(REVENUE, AWARENESS, because=WHY),
        MISSING,
        "ALIGNMENT_STATE",
        (),
        {"child": REVENUE, "parent": AWARENESS},
    ),
)

TAKEN_ID: Final = (
    taken("cycle", cycle(), Q3),
    taken("team", team(), "teams/marketing"),
    taken("retired team", team("old"), "teams/old"),
    taken("objective", objective(because=WHY), AWARENESS),
    taken("objective that was given up", objective("given-up", because=WHY), "objectives/given-up"),
    taken("key result", add("traffic", target="2", because=WHY), TRAFFIC),
    taken("dropped key result", add("newsletter", target="2", because=WHY), NEWSLETTER),
    taken("adjustment", adjust(add("y", target="1"), name="first"), "adjustments/first"),
    invalid(
        "key result given twice",
        objective("x", new("a", target="1"), new("a", target="1"), because=WHY),
        "key_results[1].key_result_id",
    ),
    Case(
        "alignment",
        align(AWARENESS, REVENUE, because=WHY),
        EXISTS,
        "ALIGNMENT_STATE",
        (),
        {"child": AWARENESS, "parent": REVENUE},
    ),
)

UNREASONED: Final = (
    *(
        refused(name, request, "REASON_REQUIRED", missing=needed, resource=of)
        for name, request, needed, of in (
            ("neither", revise(target="1500"), "reason,category", Q3),
            ("category", revise(target="1500", reason=WHY), "category", Q3),
            ("reason", revise(target="1500", category="CATEGORY_LEARNING"), "reason", Q3),
            (
                "only white space",
                revise(target="1500", reason=" \n ", category="CATEGORY_OTHER"),
                "reason",
                Q3,
            ),
            ("an addition", add("x", target="1"), "reason,category", Q3),
            ("a new objective", objective("x"), "reason,category", Q3),
            ("a drop", drop(), "reason,category", Q3),
            ("an alignment", align("objectives/measures", REVENUE), "reason,category", Q3),
            ("an unalignment", unalign(AWARENESS, REVENUE), "reason,category", Q3),
            ("an objective's change", update_objective(title="Else"), "reason,category", Q3),
            ("the cycle's change", update_cycle(title="Else"), "reason,category", Q3),
            (
                "an abandoned draft",
                abandon("objectives/planned"),
                "reason",
                "objectives/planned",
            ),
            (
                "an override",
                grade(override_score="0.5", on="2024-09-30"),
                "reason",
                AWARENESS,
            ),
            (
                "a backdated change of a team",
                update_team("teams/sales", title="Else", on="2024-07-08"),
                "reason",
                "teams/sales",
            ),
        )
    ),
    invalid("a retraction", retract(reason=""), "reason"),
    invalid("an adjustment that says nothing", adjust(name="x", because=""), "changes"),
)

ETAGS: Final = tuple(
    Case(
        name, request, StatusCode.ABORTED, "ETAG_MISMATCH", (), {"resource": resource, "etag": etag}
    )
    for name, request, resource, etag in (
        ("cycle", update_cycle(title="x", etag='"9"', because=WHY), Q3, '"2"'),
        ("closed cycle", close(etag='"1"'), Q3, '"2"'),
        ("opened cycle", reopen("cycles/closed", etag='"2"'), "cycles/closed", '"4"'),
        ("team", update_team("teams/sales", title="x", etag='"9"'), "teams/sales", '"1"'),
        ("objective", update_objective(title="x", etag="1", because=WHY), AWARENESS, '"1"'),
        ("key result", revise(target="1", etag='"0"', because=WHY), FOLLOWERS, '"1"'),
        ("grade", grade(etag='"7"', on="2024-09-30"), AWARENESS, '"1"'),
        ("part", adjust(drop(etag='"7"'), name="x"), FOLLOWERS, '"1"'),
    )
)
