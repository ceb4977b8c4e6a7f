"""One run of the command line: where the service is, who calls, and how a run ends."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Final, Protocol, cast

import grpc
import typer
from google.protobuf.json_format import MessageToDict, MessageToJson
from google.protobuf.message import Message
from rich.console import Console, RenderableType
from rich.text import Text

from okr.cli.show import failure
from okr.client import OkrClient
from okr.credentials import Shown
from okr.errors import OkrError
from okr.quarter.record import Problem
from okr.v1.score_service_pb2 import ListCyclesRequest

REFUSED: Final = 1
"""Exit code: the service, or the file's check, refused."""
UNREACHABLE: Final = 3
"""Exit code: the service could not be reached or could not answer in time."""

PIPED_WIDTH: Final = 140
"""Columns of the output where no terminal tells."""

_NO_ANSWER = (
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.CANCELLED,
)


@dataclass(frozen=True, slots=True)
class Settings:
    """What the options before the command say."""

    address: str
    actor: str
    on_behalf_of: str
    timeout_seconds: float
    shown: Shown = field(default_factory=Shown)


class Written(Protocol):
    """The answer of a write."""

    position: int


settings: ContextVar[Settings] = ContextVar("settings")


@contextmanager
def connected() -> Iterator[OkrClient]:
    """A client; what it fails with is told on standard error and ends the run.

    Raises:
        typer.Exit: a call failed.
    """
    said = settings.get()
    with _client(said) as okr:
        try:
            yield okr
        except OkrError as error:
            show(failure.renderable(error, said.address), stderr=True)
            raise typer.Exit(exit_code(error)) from error


def _client(said: Settings) -> OkrClient:
    try:
        return OkrClient(
            said.address,
            actor=said.actor,
            on_behalf_of=said.on_behalf_of,
            timeout_seconds=said.timeout_seconds,
            credentials=said.shown.credentials(),
            bearer=said.shown.bearer(),
        )
    except (OSError, ValueError) as error:
        raise typer.BadParameter(str(error)) from None


def exit_code(error: OkrError) -> int:
    """The exit code that a failed call means."""
    return UNREACHABLE if error.code in _NO_ANSWER else REFUSED


def console(*, stderr: bool = False) -> Console:
    """Where to print: in colours on a terminal, as plain text into a pipe or file."""
    # Titles and notes are printed as they are, whatever brackets and colons they hold.
    result = Console(stderr=stderr, highlight=False, markup=False, emoji=False)
    if not result.is_terminal and "COLUMNS" not in os.environ:
        result.width = PIPED_WIDTH
    return result


def answer(message: Message, shown: RenderableType, *, as_json: bool) -> None:
    """Print an answer: its JSON form as the API defines it, or for people."""
    if as_json:
        text = MessageToJson(message, ensure_ascii=False, always_print_fields_with_no_presence=True)
        typer.echo(text)
    else:
        show(shown)


def answers(given: Mapping[str, Message], shown: RenderableType, *, as_json: bool) -> None:
    """Print several answers: as one JSON object of theirs by name, or for people."""
    if as_json:
        found = {
            name: MessageToDict(message, always_print_fields_with_no_presence=True)
            for name, message in given.items()
        }
        typer.echo(json.dumps(found, ensure_ascii=False, indent=2))
    else:
        show(shown)


def show(shown: RenderableType, *, stderr: bool = False) -> None:
    """Print for people; into a pipe or file without the blanks that fill a table's last column."""
    to = console(stderr=stderr)
    if to.is_terminal:
        to.print(shown)
        return
    with to.capture() as captured:
        to.print(shown)
    lines = (line.rstrip() for line in captured.get().splitlines())
    typer.echo("\n".join(lines), err=stderr)


def line(text: Text) -> None:
    """Print one line as it is, however long: for output that never ends."""
    console().print(text, soft_wrap=True)


def written(
    okr: OkrClient,
    message: Written,
    shown: RenderableType,
    *,
    as_json: bool,
    dry_run: bool = False,
) -> None:
    """Print a write's answer and where it stands; then wait until reads show it."""
    answer(cast(Message, message), shown, as_json=as_json)
    if dry_run:
        note("checked only: nothing was written", "yellow", stderr=as_json)
    else:
        note(f"recorded at @{message.position}", "dim", stderr=as_json)
        wait_for_reads(okr)


def wait_for_reads(okr: OkrClient) -> None:
    """Wait until reads show what this client wrote.

    The next command runs in a process of its own and has no token of these writes.
    """
    try:
        okr.scores.ListCycles(ListCyclesRequest(page_size=1))
    except OkrError as error:
        # It is in the ledger; that reads lag is told, and is no failure of the write.
        note(f"reads do not show it yet: {error}", "yellow", stderr=True)


def note(text: str, style: str, *, stderr: bool) -> None:
    """Print a remark beside an answer."""
    show(Text(text, style=style), stderr=stderr)


def tell_problems(file: str, problems: Iterable[Problem]) -> None:
    """Print what is wrong with a file: one line each, as compilers do."""
    for problem in problems:
        console(stderr=True).print(Text(problem.line_in(file)), soft_wrap=True)
