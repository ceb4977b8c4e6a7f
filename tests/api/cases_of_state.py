"""Bad input: what the present state of the ledger does not allow."""

from __future__ import annotations

from typing import Final

from okr.v1 import ledger_service_pb2 as api
from tests.api.case import (
    NEWSLETTER,
    PACE,
    PLANNED,
    REVENUE,
    TRAFFIC,
    invalid,
    missing,
    refused,
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
    approve,
    check_in,
    commit,
    correct,
    day,
    drop,
    grade,
    instant,
    objective,
    propose,
    regrade,
    reject,
    restore,
    retire,
    retract,
    revise,
    update_cycle,
    update_objective,
    update_team,
)

STATES: Final = (
    *(
        refused(f"{name} {state}", request, "OBJECTIVE_STATE", resource=resource, state=told)
        for resource, state, told in (
            ("objectives/graded", "graded", "GRADED"),
            ("objectives/given-up", "abandoned", "ABANDONED"),
        )
        for name, request in (
            ("change of", update_objective(resource, title="Else", because=WHY)),
            ("new key result of", add("x", resource, target="1", because=WHY)),
            ("revision of", revise(f"{resource}/keyResults/traffic", target="2", because=WHY)),
            ("check-in on", check_in(f"{resource}/keyResults/traffic", on="2024-07-08")),
            ("drop of", drop(f"{resource}/keyResults/traffic", because=WHY)),
            ("abandoning of", abandon(resource, because=WHY)),
            ("grading of", grade(resource, on="2024-09-30")),
            ("alignment of", align(resource, REVENUE, because=WHY)),
        )
    ),
    refused("regrading of", regrade(on="2024-09-30"), "OBJECTIVE_STATE", state="not graded"),
    refused("drop of dropped", drop(NEWSLETTER, because=WHY), "KEY_RESULT_STATE", state="DROPPED"),
    refused("check-in on dropped", check_in(NEWSLETTER), "KEY_RESULT_STATE", state="DROPPED"),
    refused("restore of active", restore(because=WHY), "KEY_RESULT_STATE", state="ACTIVE"),
    refused("second commitment", commit(), "CYCLE_STATE", resource=Q3, state="ACTIVE"),
    refused(
        "check-in before commitment",
        check_in("objectives/planned/keyResults/traffic"),
        "CYCLE_STATE",
        resource="cycles/draft",
        state="DRAFT",
    ),
    refused(
        "adjustment before commitment",
        adjust(add("x", "objectives/planned", target="1"), cycle="cycles/draft", name="x"),
        "CYCLE_STATE",
        resource="cycles/draft",
    ),
    refused(
        "days of a committed cycle",
        update_cycle(last_day=day("2024-10-01"), because=WHY),
        "CYCLE_STATE",
        resource=Q3,
    ),
    refused("retired team", objective("x", team="teams/old", because=WHY), "TEAM_RETIRED"),
    refused("retired team again", retire("teams/old"), "TEAM_RETIRED", resource="teams/old"),
    refused(
        "team below itself",
        update_team("teams/company", parent="teams/europe"),
        "TEAM_TREE_CYCLE",
        resource="teams/company",
        parent="teams/europe",
    ),
    refused("second retraction", retract(2), "CHECK_IN_RETRACTED"),
    refused("correction of a retracted", correct(2), "CHECK_IN_RETRACTED"),
    refused("unit after a check-in", revise(unit="fő", because=WHY), "MEASURE_FIXED", field="unit"),
    refused(
        "target past the plan",
        revise(PLANNED, target="20", because=WHY),
        "TRAJECTORY_MISFIT",
        resource=PLANNED,
    ),
    refused("nothing new", revise(TRAFFIC, target="10.0", because=WHY), "NOTHING_TO_CHANGE"),
    refused("the same again", correct(value="1100.000"), "NOTHING_TO_CHANGE"),
    refused(
        "change without approval",
        revise("objectives/careful/keyResults/traffic", target="2", because=WHY),
        "APPROVAL_REQUIRED",
        resource="cycles/approved",
    ),
    refused(
        "approval of what was made at once",
        approve("first"),
        "ADJUSTMENT_STATE",
        resource="adjustments/first",
        state="APPLIED",
    ),
    refused("rejection of the same", reject("first"), "ADJUSTMENT_STATE", state="APPLIED"),
    refused(
        "rejection without a reason",
        reject("waiting", because=""),
        "REASON_REQUIRED",
        resource="adjustments/waiting",
        missing="reason",
    ),
    refused(
        "proposal of the same again",
        propose(revise(TRAFFIC, target="10.0"), name="x"),
        "NOTHING_TO_CHANGE",
        resource=TRAFFIC,
    ),
)

ALIGNMENTS: Final = (
    refused(
        "cycle",
        align(REVENUE, AWARENESS, because=WHY),
        "ALIGNMENT_CYCLE",
        child=REVENUE,
        parent=AWARENESS,
        path=f"{AWARENESS},{REVENUE}",
    ),
    refused("itself", align(REVENUE, REVENUE, because=WHY), "ALIGNMENT_CYCLE", path=REVENUE),
    refused(
        "cycle through a key result",
        align(REVENUE, FOLLOWERS, SUPPORTS, because=WHY),
        "ALIGNMENT_CYCLE",
        path=f"{FOLLOWERS},{AWARENESS},{REVENUE}",
    ),
    refused(
        "second parent",
        align(AWARENESS, "objectives/measures", because=WHY),
        "ALIGNMENT_SECOND_PARENT",
        parent=REVENUE,
    ),
    refused(
        "cycle of another quarter",
        align("objectives/planned", REVENUE, SUPPORTS),
        "ALIGNMENT_CYCLES_DISJOINT",
        child="objectives/planned",
    ),
    invalid("contribution to a key result", align(REVENUE, PLANNED, because=WHY), "parent"),
)

PARTS: Final = (
    *(
        invalid(name, adjust(part, name="x"), f"changes[0].drop_key_result.{name}")
        for name, part in (
            ("request_id", drop(request_id="7b0f2f5e-5a0c-4a53-9d53-2c1f8c1f0a11")),
            ("effective_date", drop(on="2024-08-05")),
            ("reason", drop(reason=WHY)),
            ("category", drop(category="CATEGORY_OTHER")),
            ("validate_only", drop(validate_only=True)),
            ("source_time", drop(source_time=instant(0))),
        )
    ),
    invalid("no parts", adjust(name="x"), "changes"),
    invalid(
        "empty part",
        api.AdjustStrategyRequest(cycle=Q3, title="x", changes=[api.StrategyChange()]),
        "changes[0].change",
    ),
    invalid("part of another cycle", adjust(drop(PACE), name="x"), "changes[0]"),
    invalid(
        "second part",
        adjust(add("x", target="1"), add("y", target="0"), name="x"),
        "changes[1].add_key_result.definition.target",
    ),
    missing(
        "part of nothing",
        adjust(drop(f"{AWARENESS}/keyResults/none"), name="x"),
        f"{AWARENESS}/keyResults/none",
    ),
    refused("the same part twice", adjust(drop(), drop(), name="x"), "KEY_RESULT_STATE"),
)
