"""A quarter as the importer sees it: the requests to send, in order, each with its place."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeAlias
from uuid import UUID, uuid5

from okr.quarter.kinds import KINDS
from okr.quarter.record import Problem, Record, problem
from okr.v1 import ledger_service_pb2 as api

Request: TypeAlias = (
    api.CreateCycleRequest
    | api.CreateTeamRequest
    | api.CreateObjectiveRequest
    | api.AlignRequest
    | api.CommitPlanRequest
    | api.RecordCheckInRequest
    | api.CorrectCheckInRequest
    | api.RetractCheckInRequest
    | api.AdjustStrategyRequest
    | api.GradeObjectiveRequest
)

_IMPORTS: Final = UUID("6d0f3f0c-0f5e-5d0a-9d39-2f6a1c7a4b1e")
"""The namespace of the request ids of imports: fixed for ever, so that a re-run repeats them."""

# What a column is called in requests, where that is not the column's name.
_COLUMNS: Final = {
    "key_result_id": "id",
    "objective_id": "id",
    "cycle_id": "id",
    "team_id": "id",
    "adjustment_id": "id",
    "name": "of",
    "parent": "of",
    "child": "of",
    "kind": "alignment",
    "effective_date": "on",
    "instant": "at",
    "measurement": "value",
    "target_change_percent": "target",
    "override_score": "score",
}


@dataclass(frozen=True, slots=True)
class Need:
    """Something that must be in the ledger before a step: its name, and where the file says so."""

    name: str
    record: Record
    column: str


@dataclass(frozen=True, slots=True)
class Step:
    """One request to send, all or nothing.

    `key` identifies it for ever: the same key gives the same request id. `places` maps the
    beginnings of paths in the request to the records that said it; the first is the empty path
    with the step's own record. `when` orders the steps, then `rank`. `actor` did it, according to
    the file. `check_in` is the file's name of the check-in that the request is about; the
    ledger's name of it is known only once that one has been sent.
    """

    key: str
    request: Request
    places: tuple[tuple[str, Record], ...]
    when: datetime
    rank: int
    provides: tuple[str, ...] = ()
    needs: tuple[Need, ...] = ()
    actor: str = ""
    check_in: str = ""

    @property
    def record(self) -> Record:
        """The record that the step is about."""
        return self.places[0][1]

    @property
    def method(self) -> str:
        """The name of the rpc."""
        return type(self.request).__name__.removesuffix("Request")

    def problem(self, path: str, message: str) -> Problem:
        """A problem with a field of the request, at its place in the file."""
        return located(self.places, path, message)


@dataclass(frozen=True, slots=True)
class Quarter:
    """A file, read and checked: what to send, in order, and what must be in the ledger already."""

    file: str
    steps: tuple[Step, ...]
    outside: tuple[Need, ...] = ()


def request_id(key: str) -> str:
    """The request id of a step."""
    return str(uuid5(_IMPORTS, key))


def located(places: Iterable[tuple[str, Record]], path: str, message: str) -> Problem:
    """A problem with a field of a request, given by its path, at its place in the file."""
    fitting = [(prefix, record) for prefix, record in places if path.startswith(prefix)]
    prefix, record = max(fitting, key=lambda place: len(place[0]))
    columns = KINDS[record.kind].columns
    for part in re.findall(r"[a-z_]+", path[len(prefix) :]):
        for column in (part, _COLUMNS.get(part, "")):
            if column in columns:
                return problem(record, column, message)
    return problem(record, "", message)
