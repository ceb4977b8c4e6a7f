"""Sends a quarter to the ledger: in order, each step all or nothing, never twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from itertools import groupby
from typing import Final

from okr.calls import ACTOR_KEY, Metadata
from okr.client import OkrClient
from okr.errors import OkrError
from okr.quarter.record import FileRefused, Problem, problem
from okr.quarter.step import Quarter, Request, Step
from okr.v1 import ledger_service_pb2 as api
from okr.v1 import score_service_pb2 as reads
from okr.v1.operations_service_pb2 import GetStatusRequest

PATIENCE_SECONDS: Final = 10.0
"""How long check-ins are tried when no service answers, as other steps are."""


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
    """The service refused steps, or cannot be reached; those before are in the ledger.

    Of check-ins in a row each is tried, so that several may be refused and the others are there.
    What follows is not. `sent` counts the steps that are in the ledger.
    """

    def __init__(self, file: str, refused: Sequence[tuple[Step, OkrError]], sent: int) -> None:
        _, self.error = refused[0]
        super().__init__(str(self.error))
        self.file = file
        self.refused = refused
        self.sent = sent

    def problems(self) -> list[Problem]:
        """Each field that the service names, at its place in the file; else the step's record."""
        return [found for step, error in self.refused for found in _problems(step, error)]


def send(quarter: Quarter, okr: OkrClient, done: Callable[[Step], None]) -> Summary:
    """Send the steps that the ledger does not have yet; `done` hears of each one.

    Raises:
        FileRefused: the file needs something that is neither in it nor in the ledger. Nothing
            was sent.
        Refused: the service refused a step, or cannot be reached. Sending again goes on there.
    """
    _check_outside(quarter, okr)
    sending = _Sending(quarter.file, okr, done)
    for in_a_row, steps in groupby(quarter.steps, _row):
        if in_a_row is None:
            for step in steps:
                sending.one(step)
        else:
            sending.check_ins(list(steps), *in_a_row)
        sending.stop_if_refused()
    return sending.summary


def _row(step: Step) -> tuple[str] | None:
    """What check-ins of one stream have in common: who made them. None for another step."""
    return (step.actor,) if isinstance(step.request, api.RecordCheckInRequest) else None


class _Sending:
    """Steps on their way, and what became of them."""

    def __init__(self, file: str, okr: OkrClient, done: Callable[[Step], None]) -> None:
        self.summary = Summary()
        self._file = file
        self._okr = okr
        self._done = done
        self._head = okr.operations.GetStatus(GetStatusRequest()).head_position
        self._names: dict[str, str] = {}
        self._refused: list[tuple[Step, OkrError]] = []
        self._sent = 0

    def one(self, step: Step) -> None:
        """Sends a step that is no check-in."""
        request = _addressed(step, self._names)
        if request is None:
            lost = "the check-in that this is about differs from what was imported"
            self.summary.changed.append(problem(step.record, "of", lost))
            self._sent += 1
            return
        try:
            answer = getattr(self._okr.ledger, step.method)(request, metadata=_by(step.actor))
        except OkrError as error:
            self._failed(step, error)
            self.stop_if_refused()
        else:
            self._there(step, answer.position)

    def check_ins(self, steps: Sequence[Step], actor: str) -> None:
        """Sends check-ins of one actor that follow each other."""
        told = self._okr.stream_check_ins(
            (step.request for step in steps if isinstance(step.request, api.RecordCheckInRequest)),
            patience_seconds=PATIENCE_SECONDS,
            metadata=_by(actor),
        )
        left = iter(steps)
        try:
            for each, step in zip(told, left, strict=False):
                if each.error is None:
                    self._names[step.check_in] = each.name
                    self._there(step, each.position)
                else:
                    self._failed(step, each.error)
        except OkrError as error:
            self._refused.append((next(left), error))

    def stop_if_refused(self) -> None:
        """Raises Refused where a step was."""
        if self._refused:
            raise Refused(self._file, self._refused, self._sent) from self._refused[0][1]

    def _there(self, step: Step, position: int) -> None:
        is_new = position > self._head
        (self.summary.new if is_new else self.summary.already_there)[step.record.kind] += 1
        self._sent += 1
        self._done(step)

    def _failed(self, step: Step, error: OkrError) -> None:
        if error.reason == "REQUEST_ID_REUSED":
            differs = "differs from what was imported under this key; the ledger keeps that"
            self.summary.changed.append(problem(step.record, "", differs))
        elif not _is_known_team(step, error):
            self._refused.append((step, error))
            return
        self._there(step, 0)


def _problems(step: Step, error: OkrError) -> list[Problem]:
    named = [(found.field, found.description) for found in error.violations]
    fields = named or [(error.metadata.get("field", ""), error.message)]
    return [step.problem(path, message) for path, message in fields]


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


def _by(actor: str) -> Metadata | None:
    """Says that a call is of the person who, according to the file, decided it."""
    return ((ACTOR_KEY, actor),) if actor else None


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
