"""Reads a file that holds one strategy adjustment, in the JSON form that quarters have for it."""

from __future__ import annotations

from pathlib import Path

from okr.quarter.changes import adjustment
from okr.quarter.interpreter import Interpreter
from okr.quarter.json_file import adjustment_records
from okr.quarter.kinds import misfits
from okr.quarter.record import FileRefused, Problems
from okr.quarter.rules import violations
from okr.quarter.step import located
from okr.v1.ledger_service_pb2 import AdjustStrategyRequest


def read(path: Path, cycle: str) -> AdjustStrategyRequest:
    """The request that the file makes for a cycle, given by its full name.

    Raises:
        FileRefused: it cannot be sent; the error holds every problem that was found.
        OSError: it cannot be read.
    """
    records = adjustment_records(path.read_text(encoding="utf-8-sig"), str(path))
    problems = Problems(found for record in records for found in misfits(record))
    milestones = [record for record in records if record.kind == "milestone"]
    interpreter = Interpreter(milestones, problems)
    interpreter.cycle = cycle
    request, changes = adjustment(interpreter, records[0], records)
    interpreter.finish()
    places = (("", records[0]), *changes.places)
    problems.extend(located(places, field, rule) for field, rule in violations(request))
    if problems:
        raise FileRefused(str(path), problems)
    return request
