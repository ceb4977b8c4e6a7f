"""Reads the CSV form of a quarter: a header, then one record a row, in any order."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from okr.quarter.kinds import COLUMNS
from okr.quarter.record import Cell, FileRefused, Problem, Record


def records(text: str, file: str) -> list[Record]:
    """The records of a CSV text; an empty cell is absent.

    Rows that are empty or begin with # are skipped.

    Raises:
        FileRefused: no header, an unknown column, or a row with more cells than the header.
    """
    rows = _rows(text, file)
    _, header = next(rows, (1, []))
    _check_header(header, file)
    return _records(rows, header, file)


def _rows(text: str, file: str) -> Iterator[tuple[int, list[str]]]:
    """The rows that say something, each with the line that it begins on."""
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    ended = 0
    try:
        for row in rows:
            # A quoted cell may hold line breaks: a row begins after the line where the last ended.
            line, ended = ended + 1, rows.line_num
            cells = [cell.strip() for cell in row]
            if any(cells) and not cells[0].startswith("#"):
                yield line, cells
    except csv.Error as error:
        raise FileRefused(file, [Problem(rows.line_num, "", f"is no CSV: {error}")]) from error


def _check_header(header: list[str], file: str) -> None:
    if "kind" not in header:
        wanted = "the first row must name the columns, `kind` among them"
        raise FileRefused(file, [Problem(1, "", wanted)])
    problems = [
        Problem(1, name, f"is no column; there are {', '.join(COLUMNS)}")
        for name in header
        if name not in COLUMNS
    ]
    twice = {name for name in header if header.count(name) > 1}
    problems += [Problem(1, name, "stands twice in the first row") for name in twice]
    if problems:
        raise FileRefused(file, problems)


def _records(rows: Iterator[tuple[int, list[str]]], header: list[str], file: str) -> list[Record]:
    found: list[Record] = []
    problems: list[Problem] = []
    for line, row in rows:
        if any(row[len(header) :]):
            counts = f"has {len(row)} cells, the first row {len(header)}"
            problems.append(Problem(line, "", counts))
            continue
        named = dict(zip(header, row, strict=False))
        kind = named.pop("kind", "")
        cells = {column: Cell(text, line) for column, text in named.items() if text}
        found.append(Record(kind, line, "", cells))
    if problems:
        raise FileRefused(file, problems)
    return found
