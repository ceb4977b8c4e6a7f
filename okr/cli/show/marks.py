"""The small parts of the output: numbers, bars, colours, arrows."""

from __future__ import annotations

from datetime import UTC
from decimal import Decimal
from typing import Final

from google.protobuf.descriptor import EnumDescriptor
from google.protobuf.timestamp_pb2 import Timestamp
from google.type.date_pb2 import Date
from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from okr.v1.resources_pb2 import Band, Status
from okr.v1.values_pb2 import PersonalText

NOTHING: Final = "–"
"""Stands where there is no value."""

BAR_WIDTH: Final = 10
"""Cells of a bar; each is drawn in eighths."""

_EIGHTHS: Final = ("", "▏", "▎", "▍", "▌", "▋", "▊", "▉")
_GROUP: Final = "\N{NARROW NO-BREAK SPACE}"
_SHORT: Final = Decimal("0.01")
_SHORT_MOVE: Final = Decimal("0.001")

_BAND_STYLES: Final = {
    Band.BAND_RED: "red",
    Band.BAND_YELLOW: "yellow",
    Band.BAND_GREEN: "green",
}
_STATUS_STYLES: Final = {
    Status.STATUS_ON_TRACK: "green",
    Status.STATUS_BEHIND: "yellow",
    Status.STATUS_AT_RISK: "red",
    Status.STATUS_STALE: "magenta",
    Status.STATUS_PENDING: "bright_black",
}


def table(*columns: str, right: tuple[str, ...] = ()) -> Table:
    """An empty table; the columns in `right` are aligned to the right."""
    result = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for column in columns:
        name = column.strip()
        result.add_column(name, justify="right" if column in right else "left")
    return result


def indented(content: RenderableType) -> Padding:
    """Content that belongs to the line above."""
    return Padding(content, (0, 0, 0, 2), expand=False)


def word(enum: EnumDescriptor, number: int) -> str:
    """An enum's value as a word: STATUS_ON_TRACK is "on track"; nothing for an unset one."""
    if not number:
        return NOTHING
    prefix = enum.values_by_number[0].name.removesuffix("UNSPECIFIED")
    name: str = enum.values_by_number[number].name
    return name.removeprefix(prefix).lower().replace("_", " ")


def number(text: str) -> str:
    """A decimal with its digits in groups of three."""
    if not text:
        return NOTHING
    whole, point, rest = text.partition(".")
    sign = "\N{MINUS SIGN}" if whole.startswith("-") else ""
    digits = whole.lstrip("+-")
    grouped = f"{int(digits):,}".replace(",", _GROUP) if len(digits) > 4 else digits
    return f"{sign}{grouped}{point}{rest}"


def planned(text: str) -> str:
    """A value that is computed, not measured: to at most two places."""
    if not text:
        return NOTHING
    rounded = Decimal(text).quantize(_SHORT)
    return number(f"{rounded.normalize():f}")


def score(text: str) -> str:
    """A score to two places; --json has all twelve."""
    return str(Decimal(text).quantize(_SHORT)) if text else NOTHING


def percent(text: str) -> str:
    """A share as a whole number of hundredths."""
    return f"{Decimal(text) * 100:.0f} %" if text else NOTHING


def banded(text: str, band: Band.ValueType) -> Text:
    """A score in the colour of its band."""
    return Text(score(text), style=_BAND_STYLES.get(band, "dim"))


def bar(text: str, band: Band.ValueType) -> Text:
    """A score as a bar; what lies beyond 0 and 1 is drawn as 0 and 1."""
    if not text:
        return Text("·" * BAR_WIDTH, style="bright_black")
    share = min(max(Decimal(text), Decimal(0)), Decimal(1))
    full, part = divmod(int((share * BAR_WIDTH * 8).to_integral_value()), 8)
    drawn = "█" * full + _EIGHTHS[part]
    rest = "·" * (BAR_WIDTH - len(drawn))
    return Text.assemble((drawn, _BAND_STYLES.get(band, "dim")), (rest, "bright_black"))


def status(value: Status.ValueType) -> Text:
    """A status with its mark."""
    style = _STATUS_STYLES.get(value)
    return Text(f"● {word(Status.DESCRIPTOR, value)}", style=style) if style else Text(NOTHING)


def movement(before: str, after: str) -> Text:
    """How far a score moved: up, down, or not at all. A missing score counts as 0."""
    moved = Decimal(after or 0) - Decimal(before or 0)
    if not moved:
        return Text("=", style="dim")
    size = abs(moved).quantize(_SHORT_MOVE)
    if moved > 0:
        return Text(f"▲ +{size}", style="green")
    return Text(f"▼ \N{MINUS SIGN}{size}", style="red")


def step(before: str, after: str) -> str:
    """How far a value moved since the one before; nothing where one of them is missing."""
    if not before or not after:
        return ""
    moved = Decimal(after) - Decimal(before)
    if not moved:
        return "="
    return f"▲ +{number(f'{moved:f}')}" if moved > 0 else f"▼ {number(f'{moved:f}')}"


def personal(text: PersonalText) -> str:
    """A text that may name a person; it says so where it is as the ledger stores it, sealed."""
    return text.plain or ("(encrypted)" if text.HasField("encrypted") else NOTHING)


def day(given: Date) -> str:
    """A calendar day."""
    return f"{given.year:04}-{given.month:02}-{given.day:02}" if given.year else NOTHING


def instant(given: Timestamp) -> str:
    """A time in UTC, to the second."""
    if not given.seconds:
        return NOTHING
    return given.ToDatetime(tzinfo=UTC).strftime("%Y-%m-%d %H:%M:%SZ")
