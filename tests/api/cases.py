"""Bad input and what each is told; the ledger is the furnished one of `conftest`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from google.protobuf.message import Message
from google.type.date_pb2 import Date
from grpc import StatusCode

from okr.v1 import ledger_service_pb2 as api
from okr.v1.values_pb2 import AlignmentKind, Measurement
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
    check_in,
    checkpointed,
    commit,
    completed,
    correct,
    cycle,
    day,
    drop,
    grade,
    instant,
    new,
    objective,
    regrade,
    restore,
    retire,
    retract,
    revise,
    team,
    unalign,
    update_cycle,
    update_objective,
    update_team,
)

INVALID: Final = StatusCode.INVALID_ARGUMENT
REFUSED: Final = StatusCode.FAILED_PRECONDITION
MISSING: Final = StatusCode.NOT_FOUND
EXISTS: Final = StatusCode.ALREADY_EXISTS

REVENUE: Final = "objectives/revenue"
CUSTOMERS: Final = f"{REVENUE}/keyResults/customers"
NEWSLETTER: Final = f"{AWARENESS}/keyResults/newsletter"
TRAFFIC: Final = f"{AWARENESS}/keyResults/traffic"
BINARY: Final = "objectives/measures/keyResults/binary"
STEPS: Final = "objectives/measures/keyResults/steps"
PLANNED: Final = "objectives/measures/keyResults/planned"
PACE: Final = "objectives/running/keyResults/pace"
UNKNOWN_ENUM: Final = 99


@dataclass(frozen=True)
class Case:
    """A request, and the code, reason, field paths and facts of its refusal."""

    name: str
    request: Message
    code: StatusCode
    reason: str
    fields: tuple[str, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)


def invalid(name: str, request: Message, *fields: str) -> Case:
    """Fields that break a rule."""
    return Case(name, request, INVALID, "FIELD_INVALID", fields)


def refused(name: str, request: Message, reason: str, **facts: str) -> Case:
    """A rule of the domain that the present state breaks."""
    return Case(name, request, REFUSED, reason, (), facts)


def missing(name: str, request: Message, resource: str) -> Case:
    """Something that there is not."""
    return Case(name, request, MISSING, "RESOURCE_NOT_FOUND", (), {"resource": resource})


def taken(name: str, request: Message, resource: str) -> Case:
    """An id that is taken."""
    return Case(name, request, EXISTS, "RESOURCE_EXISTS", (), {"resource": resource})


def outside(name: str, request: Message, first: str, last: str) -> Case:
    """An effective day that is not one of the cycle's."""
    facts = {"field": "effective_date", "firstDay": first, "lastDay": last}
    return Case(name, request, INVALID, "DAY_OUTSIDE_CYCLE", ("effective_date",), facts)


def no_such_day(request: Message, year: int, month: int, of_month: int) -> Message:
    """The request with an effective date that no calendar has."""
    request.effective_date.CopyFrom(Date(year=year, month=month, day=of_month))  # type: ignore[attr-defined]  # callers pass requests that have one
    return request


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

NUMBERS: Final = (
    *(
        invalid(text, check_in(value=text), "measurement.value")
        for text in (
            *("NaN", "-nan", "Infinity", "inf", "1E5", "1e400", "0x1F", "", " 1", "1 ", "1,5"),
            *("½", "١٢", "--1", "1.", ".5", "1_000", "1" * 40, "1" * 19, "0." + "1" * 10),
        )
    ),
    invalid("target", add("x", target="NaN", because=WHY), "definition.target"),
    invalid("40 digits", add("x", target="9" * 40, because=WHY), "definition.target"),
    invalid("weight below 0", add("x", target="1", weight="-1", because=WHY), "definition.weight"),
    invalid("alignment's weight", align(AWARENESS, REVENUE, weight="-1"), "weight"),
    invalid("override", grade(override_score="NaN"), "override_score"),
    invalid(
        "override beyond the scale",
        grade(override_score="1.1", on="2024-09-30", because=WHY),
        "override_score",
    ),
    invalid(
        "percent that leads too far",
        add("x", baseline="9" * 18, target_change_percent="9" * 18, because=WHY),
        "definition.target_change_percent",
    ),
    invalid("baseline = target", add("x", target="0", because=WHY), "definition.target"),
    invalid(
        "baseline = target in another spelling",
        add("x", baseline="5.0", target="+5", because=WHY),
        "definition.target",
    ),
    invalid("no change", add("x", target_change_percent="20", because=WHY), "definition.target"),
    invalid(
        "baseline = target after a revision",
        revise(target="1000", mask=("target", "target_change_percent"), because=WHY),
        "definition.target",
    ),
    invalid("confidence", check_in(confidence=11), "confidence"),
    invalid("days of grace", cycle("x", grace_days=91), "definition.grace_days"),
)

DAYS: Final = (
    outside("before the cycle", check_in(on="2024-06-30"), "2024-07-01", "2024-10-05"),
    outside("after the grace", check_in(on="2024-10-06"), "2024-07-01", "2024-10-05"),
    outside(
        "change in the grace",
        revise(target="1500", because=WHY, on="2024-10-01"),
        "2024-07-01",
        "2024-09-30",
    ),
    outside("corrected to", correct(on="2024-06-30"), "2024-07-01", "2024-10-05"),
    invalid("31 February", no_such_day(check_in(), 2024, 2, 31), "effective_date"),
    invalid("29 February 2023", no_such_day(check_in(), 2023, 2, 29), "effective_date"),
    invalid("month 13", no_such_day(check_in(), 2024, 13, 1), "effective_date"),
    invalid("day below 0", no_such_day(check_in(), 2024, 7, -1), "effective_date"),
    invalid("a month only", no_such_day(check_in(), 2024, 7, 0), "effective_date"),
    invalid("year 10 000", no_such_day(check_in(), 10_000, 1, 1), "effective_date"),
    invalid("an empty day", no_such_day(check_in(), 0, 0, 0), "effective_date"),
    invalid("cycle that ends early", cycle("x", last="2026-06-30"), "definition.last_day"),
    invalid("cycle of five years", cycle("x", last="2031-06-30"), "definition.last_day"),
    invalid("time zone", cycle("x", time_zone="Mars/Olympus"), "definition.time_zone"),
    invalid(
        "time zone outside its folder",
        cycle("x", time_zone="../../etc/passwd"),
        "definition.time_zone",
    ),
    invalid("instant of another day", check_in(on="2024-07-08", instant=instant(0)), "instant"),
    invalid("instant to come", check_in(instant=instant(32_503_680_000)), "instant"),
    invalid("source time to come", check_in(source_time=instant(32_503_680_000)), "source_time"),
    invalid("nanos below 0", check_in(on="2024-07-08", source_time=instant(0, -1)), "source_time"),
    invalid(
        "nanos of a second", check_in(on="2024-07-08", source_time=instant(0, 10**9)), "source_time"
    ),
    invalid(
        "draft from a later day",
        revise("objectives/planned/keyResults/traffic", target="2", on="2024-10-08"),
        "effective_date",
    ),
)

TEXTS: Final = (
    *(
        invalid(f"title {name}", team("x", title=title), "definition.title")
        for name, title in (
            *(("of 201 code points", "ő" * 201), ("with a bell", "a\x07"), ("with a NUL", "a\0b")),
            *(("of two lines", "a\nb"), ("with a C1 control", "a\x85b"), ("of spaces", "  ")),
        )
    ),
    invalid("no title", api.CreateTeamRequest(team_id="x"), "definition"),
    invalid("note of 4 001", check_in(note="🚀" * 4001, on="2024-07-08"), "note"),
    invalid("note with escape", check_in(note="\x1b[31m", on="2024-07-08"), "note"),
    invalid("reason of 4 001", revise(target="2", because="x" * 4001), "reason"),
    invalid("reason with carriage return", revise(target="2", because="a\r\nb"), "reason"),
    invalid("unit of 41", add("x", target="1", unit="m" * 41), "definition.unit"),
    *(
        invalid(f"id {name!r}", team(name, title="x"), "team_id")
        for name in ("-a", "a-", "A", "á", "a_b", "a b", "a/b", "x" * 64, "a\n", "..")
    ),
    invalid("name with a line feed", retire("teams/marketing\n"), "name"),
    invalid("name of something else", retire("objectives/awareness"), "name"),
    invalid("check-in 0", correct(0), "name"),
    invalid("request id", team("x", title="x"), "request_id"),
    invalid("etag", revise(target="2", etag="x" * 65), "etag"),
)
TEXTS[-2].request.request_id = "not-a-uuid"  # type: ignore[attr-defined]  # the builder knows no request ids

ENUMS: Final = (
    invalid("category", drop(because=WHY, category=UNKNOWN_ENUM), "category"),
    invalid("metric", add("x", metric=UNKNOWN_ENUM), "definition.metric"),
    invalid("cadence", cycle("x", cadence=UNKNOWN_ENUM), "definition.cadence"),
    invalid("knob", cycle("x", policy={"clamp": UNKNOWN_ENUM}), "definition.policy.clamp"),
    invalid("below 0", drop(because=WHY, category=-1), "category"),
    invalid(
        "kind of alignment",
        align(AWARENESS, REVENUE, AlignmentKind.ALIGNMENT_KIND_UNSPECIFIED),
        "kind",
    ),
)

MEASUREMENTS: Final = (
    invalid("nothing", check_in(value=Measurement()), "measurement.reading"),
    invalid("absent", api.RecordCheckInRequest(parent=FOLLOWERS), "measurement"),
    invalid(
        "milestones of a number",
        check_in(value=completed("one"), on="2024-07-08"),
        "measurement.value",
    ),
    invalid("number of milestones", check_in(STEPS, "1", on="2024-07-08"), "measurement.completed"),
    invalid(
        "unknown milestone",
        check_in(STEPS, completed("one", "two"), on="2024-07-08"),
        "measurement.completed.ids[1]",
    ),
    invalid(
        "milestone twice", check_in(STEPS, completed("one", "one")), "measurement.completed.ids"
    ),
    invalid("half done", check_in(BINARY, "0.5", on="2024-07-08"), "measurement.value"),
)

DEFINITIONS: Final = (
    invalid(
        "bounds of a number",
        add("x", target="1", upper_bound="1", because=WHY),
        "definition.upper_bound",
    ),
    invalid(
        "no bound",
        add("x", direction="DIRECTION_MAINTAIN_AT_MOST", because=WHY),
        "definition.upper_bound",
    ),
    invalid(
        "the other way",
        add("x", target="1", direction="DIRECTION_DECREASE", because=WHY),
        "definition.direction",
    ),
    invalid(
        "no milestones", add("x", metric="METRIC_MILESTONES", because=WHY), "definition.milestones"
    ),
    invalid("no stretch", add("x", metric="METRIC_ZONES", because=WHY), "definition.stretch"),
    invalid(
        "encrypted owner",
        add("x", target="1", owner={"encrypted": {}}, because=WHY),
        "definition.owner",
    ),
    invalid("empty owner", add("x", target="1", owner={}, because=WHY), "definition.owner.form"),
    invalid(
        "checkpoint beyond 1",
        add("x", target="10", trajectory=checkpointed(("10", "2")), because=WHY),
        "definition.trajectory.checkpointed.points[0].share",
    ),
    invalid("mask of all", revise(mask=("*",), because=WHY), "update_mask"),
    invalid("mask of nothing known", revise(mask=("colour",), because=WHY), "update_mask"),
    invalid("mask of a part", revise(mask=("owner.plain",), because=WHY), "update_mask"),
    invalid(
        "preset with a knob",
        cycle("x", policy={"name": "standard", "clamp": "CLAMP_NONE"}),
        "definition.policy.name",
    ),
    invalid(
        "bands out of order",
        cycle("x", policy={"name": "own", "yellow_from": "0.9"}),
        "definition.policy.yellow_from",
    ),
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

ETAGS: Final = tuple(
    Case(
        name, request, StatusCode.ABORTED, "ETAG_MISMATCH", (), {"resource": resource, "etag": etag}
    )
    for name, request, resource, etag in (
        ("cycle", update_cycle(title="x", etag='"9"', because=WHY), Q3, '"2"'),
        ("team", update_team("teams/sales", title="x", etag='"9"'), "teams/sales", '"1"'),
        ("objective", update_objective(title="x", etag="1", because=WHY), AWARENESS, '"1"'),
        ("key result", revise(target="1", etag='"0"', because=WHY), FOLLOWERS, '"1"'),
        ("grade", grade(etag='"7"', on="2024-09-30"), AWARENESS, '"1"'),
        ("part", adjust(drop(etag='"7"'), name="x"), FOLLOWERS, '"1"'),
    )
)

TABLES: Final = {
    "unknown resource": UNKNOWN_RESOURCE,
    "taken id": TAKEN_ID,
    "no reason": UNREASONED,
    "state": STATES,
    "alignment": ALIGNMENTS,
    "number": NUMBERS,
    "day": DAYS,
    "text": TEXTS,
    "enum": ENUMS,
    "measurement": MEASUREMENTS,
    "definition": DEFINITIONS,
    "part of an adjustment": PARTS,
    "stale etag": ETAGS,
}
"""Every request that is refused for what it says, by what is wrong with it."""
