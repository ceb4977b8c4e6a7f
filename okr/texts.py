"""Values as people write them, on the command line and in files, made the API's values.

Each function raises ValueError with a sentence that says what is expected.
"""

from __future__ import annotations

import re
from datetime import date, datetime, tzinfo

from google.protobuf.descriptor import EnumDescriptor
from google.protobuf.timestamp_pb2 import Timestamp
from google.type.date_pb2 import Date

from okr.v1.values_pb2 import (
    CheckpointedTrajectory,
    CompletedMilestones,
    Measurement,
    NotMeasured,
    PhasedTrajectory,
    ScoringPolicy,
    Trajectory,
)

NOT_MEASURED = "not measured"
"""Stands in place of a check-in's value: the key result is ungraded from that day."""

NO_MILESTONE = "none"
"""Stands in place of milestone ids where none is reached yet."""

_DECIMAL = re.compile(r"[-+]?[0-9]{1,18}(\.[0-9]{1,9})?", re.ASCII)
_PERCENT = re.compile(r"([-+][0-9.]+)\s*%", re.ASCII)
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)


def decimal(text: str) -> str:
    """A decimal number, kept as text so that it stays exact."""
    if not _DECIMAL.fullmatch(text):
        raise ValueError(
            f"{text!r} is no decimal number such as 1234.5"
            " (a point, no grouping, at most 18 digits before and 9 after it)"
        )
    return text


def percent_change(text: str) -> str | None:
    """The 20 of "+20 %", a target relative to the baseline; None for any other text."""
    found = _PERCENT.fullmatch(text)
    return decimal(found[1]) if found else None


def day(text: str) -> date:
    """A calendar day, written 2026-08-10."""
    if _DAY.fullmatch(text):
        try:
            return date.fromisoformat(text)
        except ValueError as error:
            raise ValueError(f"{text!r} is no day of the calendar") from error
    raise ValueError(f"{text!r} is no day such as 2026-08-10")


def instant(text: str, zone: tzinfo | None) -> datetime:
    """A time, written 2026-08-10T09:30 or with its offset from UTC, 2026-08-10T09:30+02:00.

    Without an offset it is of `zone`, or of this machine's time zone if that is None.
    """
    if "T" not in text:
        raise ValueError(f"{text!r} is no time such as 2026-08-10T09:30 or 2026-08-10T09:30+02:00")
    try:
        given = datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"{text!r} is no time such as 2026-08-10T09:30+02:00") from error
    if given.tzinfo is None and zone is not None:
        return given.replace(tzinfo=zone)
    return given if given.tzinfo else given.astimezone()


def date_message(given: date) -> Date:
    """A day as the API's message."""
    return Date(year=given.year, month=given.month, day=given.day)


def timestamp(given: datetime) -> Timestamp:
    """A time as the API's message, to the microsecond."""
    result = Timestamp()
    result.FromDatetime(given)
    return result


def choice(enum: EnumDescriptor, text: str) -> int:
    """The number of an enum's value from its name without the enum's prefix, in either case."""
    prefix = enum.values_by_number[0].name.removesuffix("UNSPECIFIED")
    name = re.sub(r"[ -]", "_", text).upper()
    found = enum.values_by_name.get(prefix + name)
    if found is None or found.number == 0:
        known = ", ".join(v.name.removeprefix(prefix) for v in enum.values if v.number)
        raise ValueError(f"{text!r} is none of {known}")
    return int(found.number)


def yes_or_no(text: str) -> bool:
    """Yes or no."""
    if text.lower() not in ("yes", "no", "true", "false"):
        raise ValueError(f"{text!r} is neither yes nor no")
    return text.lower() in ("yes", "true")


def pairs(text: str) -> list[tuple[str, str]]:
    """The pairs of "2026-07-31=100; 2026-08-31=220", in order."""
    found = []
    for part in text.split(";"):
        left, equals, right = part.partition("=")
        if not equals or not left.strip() or not right.strip():
            raise ValueError(f"{part.strip()!r} is no pair such as 2026-07-31=100")
        found.append((left.strip(), right.strip()))
    return found


def trajectory(text: str) -> Trajectory:
    """Planned values by day, "2026-07-31=100; 2026-08-31=220", shares by value, or "linear"."""
    result = Trajectory()
    if text.strip().lower() == "linear":
        result.linear.SetInParent()
        return result
    points = pairs(text)
    if all(_DAY.fullmatch(left) for left, _ in points):
        for left, right in points:
            planned = PhasedTrajectory.Point(day=date_message(day(left)), value=decimal(right))
            result.phased.points.append(planned)
    else:
        for left, right in points:
            worth = CheckpointedTrajectory.Point(value=decimal(left), share=decimal(right))
            result.checkpointed.points.append(worth)
    return result


def policy(text: str) -> ScoringPolicy:
    """A scoring policy: a preset, "standard", or "house; ungraded=EXCLUDE; green_from=0.75"."""
    name, _, knobs = text.partition(";")
    result = ScoringPolicy(name=name.strip())
    for knob, value in pairs(knobs) if knobs.strip() else []:
        field = ScoringPolicy.DESCRIPTOR.fields_by_name.get(knob)
        if field is None or knob == "name":
            raise ValueError(f"a scoring policy has no {knob!r}")
        if field.enum_type is not None:
            setattr(result, knob, choice(field.enum_type, value))
        elif knob == "version":
            result.version = whole(value)
        else:
            setattr(result, knob, decimal(value))
    return result


def whole(text: str) -> int:
    """A whole number of at most nine digits."""
    if not re.fullmatch(r"-?[0-9]{1,9}", text, re.ASCII):
        raise ValueError(f"{text!r} is no whole number")
    return int(text)


def measurement(text: str, *, milestones: bool) -> Measurement:
    """What a check-in says: a number, reached milestones "brief; design", or "not measured"."""
    if text.strip().lower() == NOT_MEASURED:
        return Measurement(not_measured=NotMeasured())
    if not milestones:
        return Measurement(value=decimal(text))
    if text.strip().lower() == NO_MILESTONE:
        return Measurement(completed=CompletedMilestones())
    ids = [part.strip() for part in text.split(";")]
    return Measurement(completed=CompletedMilestones(ids=ids))
