"""The cycles of a random year, and the clock that it goes by."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from typing import Final

BEGINS: Final = date(2025, 3, 20)
ENDS: Final = date(2025, 10, 12)


class Clock:
    """A clock that the test sets, in µs since 1970 UTC."""

    def __init__(self) -> None:
        self.us = 0

    def __call__(self) -> int:
        return self.us

    @property
    def today(self) -> date:
        """The day in UTC."""
        return datetime.fromtimestamp(self.us // 1_000_000, UTC).date()

    def begin(self, day: date) -> None:
        """Goes on to the start of a day, never back."""
        start = datetime.combine(day, time(), UTC)
        self.us = max(self.us, int(start.timestamp()) * 1_000_000)


@dataclass
class Box:
    """A cycle and when what happens to it."""

    id: str
    first: date
    last: date
    zone: str
    cadence: str
    drafted: date
    committed: date
    closes: date | None = None
    approval: bool = False
    objectives: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Its name."""
        return f"cycles/{self.id}"


def boxes() -> list[Box]:
    """A year, two quarters of it one after the other, and a summer that asks for approval."""
    return [
        Box("y25", date(2025, 1, 1), date(2025, 12, 31), "UTC", "CADENCE_MONTHLY",
            BEGINS, date(2025, 4, 3)),
        Box("q2", date(2025, 4, 1), date(2025, 6, 30), "Europe/Budapest", "CADENCE_WEEKLY",
            BEGINS, date(2025, 4, 2), date(2025, 7, 4)),
        Box("summer", date(2025, 5, 1), date(2025, 7, 31), "Asia/Tokyo", "CADENCE_WEEKLY",
            date(2025, 4, 20), date(2025, 5, 2), date(2025, 8, 4), approval=True),
        Box("q3", date(2025, 7, 1), date(2025, 9, 30), "America/New_York", "CADENCE_BIWEEKLY",
            date(2025, 6, 10), date(2025, 7, 1), date(2025, 10, 6)),
    ]  # fmt: skip
