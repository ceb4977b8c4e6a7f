"""How far something is that takes its time, told to who waits for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

Tell: TypeAlias = Callable[[int, int], object]
"""Gets how far it is, and how far it has to go."""


def told_nobody(_done: int, _total: int) -> None:
    """For what nobody waits for."""
