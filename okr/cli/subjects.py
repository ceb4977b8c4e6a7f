"""What commands are about: a key result, an objective or a cycle, by its short name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, TypeVar

import typer

from okr import names
from okr.errors import OkrError

Answer = TypeVar("Answer")

Subject = Annotated[
    str,
    typer.Argument(
        metavar="SUBJECT",
        help="A key result (brand/followers), an objective (brand) or a cycle (2026-q3). Of an "
        "objective and a cycle with one id it is the objective; write cycles/… for the other.",
    ),
]


def meant(given: str) -> Sequence[str]:
    """The full names that a subject may stand for, the likeliest first."""
    if given.startswith("cycles/"):
        return (names.cycle(given),)
    subject = names.subject(given)
    return (subject,) if "/" in given else (subject, names.cycle(given))


def cycle_among(found: Sequence[str], usage: str) -> str:
    """The cycle among what a subject may stand for, where a team is given beside it.

    Raises:
        typer.BadParameter: it is no cycle.
    """
    if not found[-1].startswith("cycles/"):
        raise typer.BadParameter(f"a team's score is that of a cycle: {usage}")
    return found[-1]


def first(found: Sequence[str], ask: Callable[[str], Answer]) -> Answer:
    """The answer about the first of the subjects that there is.

    Raises:
        OkrError: there is none of them, or the request is refused.
    """
    for subject in found[:-1]:
        try:
            return ask(subject)
        except OkrError as error:
            if error.metadata.get("resource") != subject:
                raise
    return ask(found[-1])
