"""The options and arguments that commands share."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Annotated, TypeVar

import typer

from okr import names, texts
from okr.v1.values_pb2 import Category

Value = TypeVar("Value")


def parsed(read: Callable[[str], Value]) -> Callable[[str], Value]:
    """A reader of text as Typer wants it: a wrong text is a usage error with its sentence."""

    def parse(text: str) -> Value:
        try:
            return read(text)
        except ValueError as error:
            raise typer.BadParameter(str(error)) from error

    return parse


def or_none(read: Callable[[str], str]) -> Callable[[str], str]:
    """A reader of a name that may be left out."""
    return lambda text: read(text) if text else ""


def category(text: str) -> Category.ValueType:
    """A category by its name."""
    return Category.ValueType(texts.choice(Category.DESCRIPTOR, text))


READ = "Which instants"
WHICH = "Which of them, in which order"
WRITE = "Circumstances"

CycleName = Annotated[
    str,
    typer.Argument(metavar="CYCLE", parser=parsed(names.cycle), help="The cycle: 2026-q3."),
]
ObjectiveName = Annotated[
    str,
    typer.Argument(
        metavar="OBJECTIVE", parser=parsed(names.objective), help="The objective: brand."
    ),
]
KeyResultName = Annotated[
    str,
    typer.Argument(
        metavar="KEY-RESULT",
        parser=parsed(names.key_result),
        help="The key result, OBJECTIVE/KEY-RESULT: brand/followers.",
    ),
]
CheckInName = Annotated[
    str,
    typer.Argument(
        metavar="CHECK-IN",
        parser=parsed(names.check_in),
        help="The check-in, OBJECTIVE/KEY-RESULT/NUMBER: brand/followers/3.",
    ),
]
SomeCycle = Annotated[
    str,
    typer.Argument(
        metavar="[CYCLE]",
        parser=parsed(or_none(names.cycle)),
        help="The cycle: 2026-q3. Default: every cycle that runs.",
    ),
]
SomeTeam = Annotated[
    str,
    typer.Option(
        "--team",
        metavar="TEAM",
        parser=parsed(or_none(names.team)),
        help="Only this team with its sub-teams.",
    ),
]
CycleOption = Annotated[
    str,
    typer.Option(
        "--cycle",
        metavar="CYCLE",
        parser=parsed(or_none(names.cycle)),
        help="Only of this cycle: 2026-q3.",
    ),
]
SomeOwner = Annotated[
    str,
    typer.Option(metavar="OWNER", help="Only what this one answers for: people/p-7f3a."),
]
Id = Annotated[
    str,
    typer.Option("--id", help="Id of your choice: lower-case letters, digits, hyphens."),
]

Json = Annotated[bool, typer.Option("--json", help="Print the answer as the API's JSON.")]
AsOfText = Annotated[
    str,
    typer.Option(
        "--as-of",
        metavar="DAY|TIME|@POSITION",
        rich_help_panel=READ,
        help="A day (2026-08-10): as of that day, by all that is known now. A time "
        "(2026-08-10T18:00) or position (@1742): what was known then.",
    ),
]
KnownAt = Annotated[
    str,
    typer.Option(
        "--known-at",
        metavar="TIME|@POSITION",
        rich_help_panel=READ,
        help="Leave out what was recorded later.",
    ),
]
EffectiveAt = Annotated[
    str,
    typer.Option(
        "--effective-at",
        metavar="DAY",
        rich_help_panel=READ,
        help="Leave out what holds from a later day.",
    ),
]

Filter = Annotated[
    str,
    typer.Option(
        "--filter",
        metavar="FILTER",
        rich_help_panel=WHICH,
        help="Only those that pass: 'actor = people/p-1 AND field : target AND category != OTHER'. "
        "A wrong field is answered with those there are.",
    ),
]
OrderBy = Annotated[
    str,
    typer.Option(
        "--order-by", metavar="FIELD", rich_help_panel=WHICH, help="position, or 'position desc'."
    ),
]
AfterPlan = Annotated[
    bool,
    typer.Option("--after-plan", rich_help_panel=WHICH, help="Only those after plan commitment."),
]

On = Annotated[
    date | None,
    typer.Option(
        "--on",
        metavar="DAY",
        parser=parsed(texts.day),
        rich_help_panel=WRITE,
        help="The day from which it holds. Default: today; before plan commitment the cycle's "
        "first day.",
    ),
]
Reason = Annotated[
    str,
    typer.Option(rich_help_panel=WRITE, help="Why. Needed once the plan is committed."),
]
CategoryName = Annotated[
    int | None,
    typer.Option(
        "--category",
        metavar="CATEGORY",
        parser=parsed(category),
        rich_help_panel=WRITE,
        help="Why, in a word: market-change, capacity, dependency, measurement-error, learning "
        "or other.",
    ),
]
Etag = Annotated[
    str,
    typer.Option(rich_help_panel=WRITE, help="Only if it is still as read: the etag of show."),
]
RequestId = Annotated[
    str,
    typer.Option(
        metavar="UUID",
        rich_help_panel=WRITE,
        help="Repeat an earlier request: what was applied under this id is not applied again.",
    ),
]
DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run", rich_help_panel=WRITE, help="Let the service check it, but write nothing."
    ),
]
