"""Reads a file of a quarter and checks all of it before anything is sent."""

from __future__ import annotations

from pathlib import Path

from okr.quarter import csv_file, json_file
from okr.quarter.assembly import Assembly
from okr.quarter.kinds import misfits
from okr.quarter.order import in_order
from okr.quarter.record import FileRefused, Problem, Problems, Record
from okr.quarter.step import Quarter


def read(path: Path) -> Quarter:
    """The quarter in a file whose name ends in .csv or .json, in UTF-8.

    Raises:
        FileRefused: it cannot be imported; the error holds every problem that was found.
        OSError: it cannot be read.
    """
    file = str(path)
    return quarter(_records(path, file), file)


def quarter(records: list[Record], file: str) -> Quarter:
    """The quarter that records say.

    Raises:
        FileRefused: it cannot be imported.
    """
    problems = Problems(found for record in records for found in misfits(record))
    assembly = Assembly(records, problems)
    ordered = in_order(assembly.steps)
    problems.extend(ordered.problems)
    if problems:
        raise FileRefused(file, problems)
    return Quarter(file, ordered.steps, ordered.outside)


def _records(path: Path, file: str) -> list[Record]:
    readers = {".csv": csv_file.records, ".json": json_file.records}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        wanted = "is neither .csv nor .json, the two forms of a quarter"
        raise FileRefused(file, [Problem(1, "", wanted)])
    try:
        # The mark that some programs put at the beginning of UTF-8 is no part of the text.
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise FileRefused(file, [Problem(line, "", "is not UTF-8")]) from error
    return reader(text, file)
