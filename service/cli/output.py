"""What the commands print: results to standard output, errors in one sentence to standard error."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ledger.log.errors import LogError
from ledger.scoring.conformance import ConformanceFileError
from okr.exports.errors import ExportRefused
from projections.errors import ProjectionError
from service.identity.watching import FileError
from service.listening import AddressTaken
from service.moving.files import FileUnusable
from service.proofs.keys import KeyFileError
from service.settings import SettingsError
from service.verification.published import CheckpointsUnusable

PIPED_WIDTH: Final = 160
"""Columns of tables that nobody looks at in a terminal."""

EXPECTED: Final = (
    AddressTaken,
    CheckpointsUnusable,
    ConformanceFileError,
    ExportRefused,
    FileError,
    FileUnusable,
    KeyFileError,
    LogError,
    ProjectionError,
    SettingsError,
)
"""What an operator can put right; anything else is a defect and shows its traceback."""


def console() -> Console:
    """Standard output, with colours at a terminal."""
    return Console(width=None if sys.stdout.isatty() else PIPED_WIDTH, highlight=False)


@contextmanager
def failures_told(code: int = 1) -> Iterator[None]:
    """Ends the command with an exit code and a sentence when something expected goes wrong."""
    try:
        yield
    except EXPECTED as error:
        for line in str(error).splitlines():
            typer.echo(f"okr-ledger: {line}", err=True)
        raise typer.Exit(code) from None


@contextmanager
def progress(title: str, total: int) -> Iterator[Progress]:
    """A bar on standard error, which only a terminal shows; its one task counts to `total`."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    shown = Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty())
    with shown:
        shown.add_task(title, total=total)
        yield shown
