"""Bad input: numbers, days and enums."""

from __future__ import annotations

from typing import Final

from okr.v1.values_pb2 import AlignmentKind
from tests.api.case import (
    REVENUE,
    UNKNOWN_ENUM,
    invalid,
    no_such_day,
    outside,
)
from tests.support.ask import (
    AWARENESS,
    WHY,
    add,
    align,
    check_in,
    correct,
    cycle,
    drop,
    grade,
    instant,
    revise,
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
