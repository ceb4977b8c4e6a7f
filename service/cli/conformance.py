"""`okr-ledger conformance`: published worked examples against the scoring functions."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from ledger.scoring.conformance import evaluate, load
from service.cli.output import console, failures_told


def conformance(
    file: Annotated[Path, typer.Argument(help="JSON: a list of cases, or an object with one.")],
) -> None:
    """Evaluate the scoring functions on a file of worked examples.

    Prints id, expected and got of each case, and ends with exit code 1 on any difference.
    """
    with failures_told():
        results = evaluate(load(file), file.parent)
    table = Table("", "id", "expected", "got")
    for result in results:
        mark, style = ("✓", "green") if result.passed else ("✗", "red")
        row = (result.id, result.expected, result.got)
        table.add_row(Text(mark, style), *(Text(cell, overflow="fold") for cell in row))
    failed = sum(not result.passed for result in results)
    output = console()
    output.print(table)
    output.print(f"{len(results) - failed} of {len(results)} cases as expected")
    raise typer.Exit(1 if failed else 0)
