"""Sends a quarter to the ledger: in order, each step all or nothing, never twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from okr.calls import ACTOR_KEY
from okr.client import OkrClient
from okr.errors import OkrError
from okr.quarter.record import FileRefused, Problem, problem
from okr.quarter.step import Quarter, Request, Step
from okr.v1 import ledger_service_pb2 as api
from okr.v1 import score_service_pb2 as reads
from okr.v1.operations_service_pb2 import GetStatusRequest


@dataclass(slots=True)
class Summary:
    """What an import did: how many steps of each kind are new, and were there already.

    `changed` are lines that differ from what was imported under the same key before; the ledger
    keeps what it has.
    """

    new: Counter[str] = field(default_factory=Counter)
    already_there: Counter[str] = field(default_factory=Counter)
    changed: list[Problem] = field(default_factory=list)


class Refused(Exception):
    """The service refused a step; those before it are in the ledger, the others are not."""

    def __init__(self, file: str, step: Step, error: OkrError, sent: int) -> None:
        super().__init__(str(error))
        self.file = file
        self.step = step
        self.error = error
        self.sent = sent

    def problems(self) -> list[Problem]:
        """Each field that the service names, at its place in the file; else the step's record."""
        named = [(found.field, found.description) for found in self.error.violations]
        fields = named or [(self.error.metadata.get("field", ""), self.error.message)]
        return [self.step.problem(path, message) for path, message in fields]


def send(quarter: Quarter, okr: OkrClient, done: Callable[[Step], None]) -> Summary:
    """Send the steps that the ledger does not have yet; `done` hears of each one.

    Raises:
        FileRefused: the file needs something that is neither in it nor in the ledger. Nothing
            was sent.
        Refused: the service refused a step, or cannot be reached. Sending again goes on there.
    """
    _check_outside(quarter, okr)
    head = okr.operations.GetStatus(GetStatusRequest()).head_position
    summary = Summary()
    check_ins: dict[str, str] = {}
    for sent, step in enumerate(quarter.steps):
        request = _addressed(step, check_ins)
        if request is None:
            lost = "the check-in that this is about differs from what was imported"
            summary.changed.append(problem(step.record, "of", lost))
            continue
        try:
            answer = _call(okr, step, request)
        except OkrError as error:
            if error.reason == "REQUEST_ID_REUSED":
                differs = "differs from what was imported under this key; the ledger keeps that"
                summary.changed.append(problem(step.record, "", differs))
            elif not _is_known_team(step, error):
                raise Refused(quarter.file, step, error, sent) from error
            summary.already_there[step.record.kind] += 1
        else:
            counts = summary.new if answer.position > head else summary.already_there
            counts[step.record.kind] += 1
            if isinstance(answer, api.RecordCheckInResponse):
                check_ins[step.check_in] = answer.check_in.name
        done(step)
    return summary


def _addressed(step: Step, check_ins: Mapping[str, str]) -> Request | None:
    """The request with the ledger's name of the check-in that it is about; None if unknown."""
    request = step.request
    if not isinstance(request, (api.CorrectCheckInRequest, api.RetractCheckInRequest)):
        return request
    if step.check_in not in check_ins:
        return None
    named = deepcopy(request)
    named.name = check_ins[step.check_in]
    return named


def _call(okr: OkrClient, step: Step, request: Request) -> Any:
    """Send a request as the person who, according to the file, decided it."""
    method = getattr(okr.ledger, step.method)
    return method(request, metadata=((ACTOR_KEY, step.actor),) if step.actor else None)


def _is_known_team(step: Step, error: OkrError) -> bool:
    """Teams outlive quarters: one that came into the ledger in another way will do."""
    return step.record.kind == "team" and error.reason == "RESOURCE_EXISTS"


def _check_outside(quarter: Quarter, okr: OkrClient) -> None:
    missing = [need for need in quarter.outside if not _is_there(okr, need.name)]
    if missing:
        nowhere = "is neither in this file nor in the ledger"
        found = [problem(need.record, need.column, f"{need.name} {nowhere}") for need in missing]
        raise FileRefused(quarter.file, found)


def _is_there(okr: OkrClient, name: str) -> bool:
    try:
        if name.startswith("teams/"):
            okr.scores.GetTeam(reads.GetTeamRequest(name=name))
        elif "/keyResults/" in name:
            okr.scores.GetKeyResult(reads.GetKeyResultRequest(name=name))
        else:
            okr.scores.GetObjective(reads.GetObjectiveRequest(name=name))
    except OkrError as error:
        if error.reason == "RESOURCE_NOT_FOUND":
            return False
        raise
    return True
