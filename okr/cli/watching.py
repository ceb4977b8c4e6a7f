"""`okr watch` and `okr scorecard --watch`: events and scores as they come."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, Final

import typer
from google.protobuf.json_format import MessageToJson
from google.protobuf.message import Message
from rich.live import Live
from rich.text import Text

from okr import names, texts
from okr.cli import options, session
from okr.cli.show import ledger, replay, scorecard
from okr.client import OkrClient
from okr.v1.event_record_pb2 import Event
from okr.v1.replay_service_pb2 import (
    WatchEventsRequest,
    WatchEventsResponse,
    WatchScoresRequest,
    WatchScoresResponse,
)
from okr.v1.score_service_pb2 import GetScorecardRequest, GetScorecardResponse

NOW: Final = "now"
BEGINNING: Final = "beginning"

START = "Where it begins"
FILTERS = "Which events"

Type = Annotated[
    list[str],
    typer.Option(
        "--type",
        rich_help_panel=FILTERS,
        help="Only events of this type: CheckInRecorded; again for more.",
    ),
]


def watch(
    *,
    about: Annotated[
        str,
        typer.Argument(
            metavar="[STREAM]",
            help="Only these: cycles/2026-q3, teams/sales, objectives/brand, adjustments/…, "
            "alignment. Default: all.",
        ),
    ] = "",
    start: Annotated[
        str,
        typer.Option(
            "--from",
            metavar="now|beginning|@POSITION|TOKEN",
            rich_help_panel=START,
            help="Only what is new; everything; what follows a position, or the token of an "
            "answer.",
        ),
    ] = NOW,
    kind: Type = [],  # noqa: B006 - Typer copies it
    cycle: Annotated[
        str,
        typer.Option(
            metavar="CYCLE",
            rich_help_panel=FILTERS,
            help="Only events of this cycle: of its own, its objectives, alignments, adjustments.",
        ),
    ] = "",
    team: Annotated[
        str,
        typer.Option(
            metavar="TEAM",
            rich_help_panel=FILTERS,
            help="Only events of this team and those below it, and of their objectives.",
        ),
    ] = "",
    limit: Annotated[int, typer.Option(min=0, help="End after so many; 0 goes on.")] = 0,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print each event as the API's JSON, one a line.")
    ] = False,
) -> None:
    """Watch the ledger: a line for each event, as it happens, until Ctrl-C.

    A connection that drops is opened again; no event is missed and none comes twice.

    $ okr watch --cycle 2026-q4

    $ okr watch objectives/brand --from beginning

    $ okr watch --from @1742 --type CheckInRecorded --json | my-consumer
    """
    request = WatchEventsRequest(
        stream=about,
        event_types=[f"okr.v1.{name.removeprefix('okr.v1.')}" for name in kind],
        team=options.parsed(names.team)(team) if team else "",
        cycle=options.parsed(names.cycle)(cycle) if cycle else "",
    )
    _begin(request, start)
    lines = _Lines(limit, as_json)
    with session.connected() as okr:
        patience = session.settings.get().timeout_seconds
        try:
            lines.print(okr.watch_events(request, patience_seconds=patience))
        except KeyboardInterrupt:
            session.note(f"ended; go on with --from @{lines.position}", "dim", stderr=True)


@dataclass(slots=True)
class _Lines:
    """Prints events; `position` is how far everything is printed."""

    limit: int
    as_json: bool
    position: int = 0
    printed: int = 0
    waits: bool = False

    def print(self, answers: Iterable[WatchEventsResponse]) -> None:
        """Prints what comes until the limit."""
        for answer in answers:
            for event in answer.events:
                self._print(event)
                if self.printed == self.limit:
                    return
            self.position = answer.position
            if answer.caught_up and not self.waits:
                self.waits = True
                session.note(f"caught up at @{self.position}; waiting", "dim", stderr=True)

    def _print(self, event: Event) -> None:
        if self.as_json:
            typer.echo(json_line(event))
        else:
            session.line(ledger.line(event))
        self.position = event.header.position
        self.printed += 1


def watch_scores(okr: OkrClient, asked: GetScorecardRequest, *, as_json: bool) -> None:
    """Shows a scorecard as its scores move, until Ctrl-C: drawn over in a terminal, else in lines.

    As JSON each answer of the watch is a line.
    """
    request = WatchScoresRequest(cycle=asked.cycle, team=asked.team)
    patience = session.settings.get().timeout_seconds
    answers = okr.watch_scores(request, patience_seconds=patience)
    with suppress(KeyboardInterrupt):
        if not as_json and session.console().is_terminal:
            _draw(okr, asked, answers)
        else:
            for answer in answers:
                print_moves(answer, as_json=as_json)


def _draw(
    okr: OkrClient, asked: GetScorecardRequest, answers: Iterable[WatchScoresResponse]
) -> None:
    with Live(console=session.console(), auto_refresh=False, vertical_overflow="crop") as live:
        for answer in answers:
            if answer.moves or answer.HasField("scorecard"):
                asked.at_least_as_fresh = answer.token
                live.update(scorecard.renderable(okr.scores.GetScorecard(asked)), refresh=True)


def print_moves(answer: WatchScoresResponse, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json_line(answer))
        return
    if answer.HasField("scorecard"):
        whole = GetScorecardResponse(scorecard=answer.scorecard, position=answer.position)
        session.show(scorecard.renderable(whole))
    for move in answer.moves:
        session.line(Text.assemble((f"@{answer.position}  ", "dim"), replay.score_move(move)))


def json_line(message: Message) -> str:
    """A message as the API's JSON in one line."""
    return MessageToJson(
        message, indent=None, ensure_ascii=False, always_print_fields_with_no_presence=True
    )


def _begin(request: WatchEventsRequest, text: str) -> None:
    """Fills in where the watch begins.

    Raises:
        typer.BadParameter: a position that is none.
    """
    if text == NOW:
        request.from_now = True
    elif text == BEGINNING:
        request.after_position = 0
    elif text.startswith("@"):
        request.after_position = options.parsed(texts.whole)(text[1:])
    else:
        request.resume_token = text
