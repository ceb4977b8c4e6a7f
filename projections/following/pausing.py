"""Pauses between attempts while a database cannot be used."""

from __future__ import annotations

from typing import Final

FIRST_SECONDS: Final = 0.05
LONGEST_SECONDS: Final = 2.0


class Pauses:
    """Longer each time: 50 ms, 100 ms, … 2 s."""

    def __init__(self) -> None:
        self._next = FIRST_SECONDS

    def end(self) -> None:
        """An attempt has succeeded: the next pause is a short one."""
        self._next = FIRST_SECONDS

    def next_seconds(self) -> float:
        """How long to wait before the next attempt."""
        seconds = self._next
        self._next = min(2 * seconds, LONGEST_SECONDS)
        return seconds
