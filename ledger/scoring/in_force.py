"""Which of several dated facts holds on a day."""

from collections.abc import Iterable
from datetime import date
from typing import TypeVar

Fact = TypeVar("Fact")


def in_force(dated: Iterable[tuple[date, Fact]], day: date) -> Fact | None:
    """The fact with the last effective day on or before `day`; of one day the later given wins.

    None where none holds yet. Facts come in the order of their positions.
    """
    latest: date | None = None
    found: Fact | None = None
    for effective, fact in dated:
        if effective <= day and (latest is None or effective >= latest):
            latest, found = effective, fact
    return found
