"""Bad input: texts, measurements and definitions."""

from __future__ import annotations

from typing import Final

from okr.v1 import ledger_service_pb2 as api
from okr.v1.values_pb2 import Measurement
from tests.api.case import (
    BINARY,
    STEPS,
    invalid,
)
from tests.support.ask import (
    FOLLOWERS,
    WHY,
    add,
    check_in,
    checkpointed,
    completed,
    correct,
    cycle,
    retire,
    revise,
    team,
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
