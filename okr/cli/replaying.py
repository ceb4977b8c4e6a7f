"""`okr replay`: a cycle played again, animated in a terminal, plain into a pipe."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import date
from enum import StrEnum
from typing import Annotated

import typer
from rich.live import Live

from okr import names, texts
from okr.cli import options, session
from okr.cli.as_of import instants
from okr.cli.show import replay as show
from okr.cli.watching import json_line
from okr.v1.replay_service_pb2 import (
    ReplayCycleRequest,
    ReplayCycleResponse,
    ReplayKnowledge,
    ReplayStep,
)


class By(StrEnum):
    """What a frame is of."""

    DAY = "day"
    WEEK = "week"
    EVENT = "event"


class Known(StrEnum):
    """By what knowledge."""

    THEN = "then"
    NOW = "now"


def replay(
    cycle: options.CycleName,
    *,
    by: Annotated[By, typer.Option(help="A frame for each day, week or event.")] = By.WEEK,
    known: Annotated[
        Known,
        typer.Option(help="As people saw it then, or by all that is known now."),
    ] = Known.THEN,
    team: Annotated[
        str, typer.Option(metavar="TEAM", help="Only this team with its sub-teams.")
    ] = "",
    first: Annotated[
        date | None,
        typer.Option(
            "--from", metavar="DAY", parser=options.parsed(texts.day), help="Begin with this day."
        ),
    ] = None,
    speed: Annotated[
        float,
        typer.Option(metavar="FRAMES", min=0.1, help="Frames a second, in a terminal."),
    ] = 3.0,
    as_of: options.AsOfText = "",
    known_at: options.KnownAt = "",
    effective_at: options.EffectiveAt = "",
    as_json: Annotated[
        bool, typer.Option("--json", help="Print each frame as the API's JSON, one a line.")
    ] = False,
) -> None:
    """Play a cycle again: how it stood, what happened, what that moved.

    In a terminal each frame is drawn over the one before; into a pipe all are printed, one below
    the other.

    $ okr replay 2026-q3

    $ okr replay 2026-q3 --by day --speed 8 --team marketing

    $ okr replay 2026-q3 --by event --from 2026-08-01 | less
    """
    request = ReplayCycleRequest(
        cycle=cycle,
        team=options.parsed(names.team)(team) if team else "",
        step=ReplayStep.Value(f"REPLAY_STEP_{by.name}"),
        knowledge=ReplayKnowledge.Value(f"REPLAY_KNOWLEDGE_{known.name}"),
        first_day=texts.date_message(first) if first else None,
        as_of=instants(as_of, known_at, effective_at),
    )
    if by is By.EVENT and known is Known.NOW:
        raise typer.BadParameter("events are replayed by what was known then", param_hint="--known")
    with session.connected() as okr:
        _play(okr.replay.ReplayCycle(request), speed, as_json=as_json)


def _play(answers: Iterator[ReplayCycleResponse], speed: float, *, as_json: bool) -> None:
    to = session.console()
    if as_json:
        for answer in answers:
            typer.echo(json_line(answer.frame))
    elif to.is_terminal:
        with Live(console=to, auto_refresh=False, vertical_overflow="crop") as live:
            for answer in answers:
                live.update(show.screen(answer.frame), refresh=True)
                time.sleep(1 / speed)
    else:
        for answer in answers:
            for line in show.lines(answer.frame):
                session.line(line)
