"""LedgerService: each method turns a request into a command and its outcome into an answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from hashlib import sha256
from typing import Any, Protocol, TypedDict, TypeVar

from google.protobuf.message import Message
from grpc.aio import ServicerContext

from ledger import answers
from ledger.answers import History
from ledger.call import CALL
from ledger.event import Record
from ledger.log.command import Command, Done
from ledger.log.contract import LogReader
from ledger.log.lane import WriteLane
from ledger.tokens import Tokens
from okr.v1 import ledger_service_pb2 as api
from okr.v1 import ledger_service_pb2_grpc as grpc_api

Resource = TypeVar("Resource")


class Sealer(Protocol):
    """Finishes the closing of a cycle, given the record that fenced it."""

    async def sealed(self, closing: Record) -> Record:
        """The record of the closing's seal, once there is one; the same for ever.

        Raises:
            ProjectionStopped, DeadlinePassed, LogError: there is none yet. It will come.
        """

    async def foreseen(self, closing: Record) -> Record:
        """The record that would seal the cycle if the closing were recorded now."""


class LedgerRpc(grpc_api.LedgerServiceServicer):
    """Every call that changes the ledger; refusals leave it as exceptions."""

    def __init__(self, lane: WriteLane, log: LogReader, tokens: Tokens, sealer: Sealer) -> None:
        self._lane = lane
        self._log = log
        self._tokens = tokens
        self._sealer = sealer

    async def CreateCycle(
        self, request: api.CreateCycleRequest, context: ServicerContext[Any, Any]
    ) -> api.CreateCycleResponse:
        done, cycle = await self._write(request, answers.cycle)
        return api.CreateCycleResponse(cycle=cycle, **self._at(done))

    async def UpdateCycle(
        self, request: api.UpdateCycleRequest, context: ServicerContext[Any, Any]
    ) -> api.UpdateCycleResponse:
        done, cycle = await self._write(request, answers.cycle)
        return api.UpdateCycleResponse(cycle=cycle, **self._at(done))

    async def CommitPlan(
        self, request: api.CommitPlanRequest, context: ServicerContext[Any, Any]
    ) -> api.CommitPlanResponse:
        done, cycle = await self._write(request, answers.cycle)
        return api.CommitPlanResponse(cycle=cycle, **self._at(done))

    async def CreateTeam(
        self, request: api.CreateTeamRequest, context: ServicerContext[Any, Any]
    ) -> api.CreateTeamResponse:
        done, team = await self._write(request, answers.team)
        return api.CreateTeamResponse(team=team, **self._at(done))

    async def UpdateTeam(
        self, request: api.UpdateTeamRequest, context: ServicerContext[Any, Any]
    ) -> api.UpdateTeamResponse:
        done, team = await self._write(request, answers.team)
        return api.UpdateTeamResponse(team=team, **self._at(done))

    async def RetireTeam(
        self, request: api.RetireTeamRequest, context: ServicerContext[Any, Any]
    ) -> api.RetireTeamResponse:
        done, team = await self._write(request, answers.team)
        return api.RetireTeamResponse(team=team, **self._at(done))

    async def CreateObjective(
        self, request: api.CreateObjectiveRequest, context: ServicerContext[Any, Any]
    ) -> api.CreateObjectiveResponse:
        done, objective = await self._write(request, answers.objective)
        return api.CreateObjectiveResponse(objective=objective, **self._at(done))

    async def UpdateObjective(
        self, request: api.UpdateObjectiveRequest, context: ServicerContext[Any, Any]
    ) -> api.UpdateObjectiveResponse:
        done, objective = await self._write(request, answers.objective)
        return api.UpdateObjectiveResponse(objective=objective, **self._at(done))

    async def GradeObjective(
        self, request: api.GradeObjectiveRequest, context: ServicerContext[Any, Any]
    ) -> api.GradeObjectiveResponse:
        done, objective = await self._write(request, answers.objective)
        return api.GradeObjectiveResponse(objective=objective, **self._at(done))

    async def RegradeObjective(
        self, request: api.RegradeObjectiveRequest, context: ServicerContext[Any, Any]
    ) -> api.RegradeObjectiveResponse:
        done, objective = await self._write(request, answers.objective)
        return api.RegradeObjectiveResponse(objective=objective, **self._at(done))

    async def AbandonObjective(
        self, request: api.AbandonObjectiveRequest, context: ServicerContext[Any, Any]
    ) -> api.AbandonObjectiveResponse:
        done, objective = await self._write(request, answers.objective)
        return api.AbandonObjectiveResponse(objective=objective, **self._at(done))

    async def AddKeyResult(
        self, request: api.AddKeyResultRequest, context: ServicerContext[Any, Any]
    ) -> api.AddKeyResultResponse:
        done, key_result = await self._write(request, answers.key_result)
        return api.AddKeyResultResponse(key_result=key_result, **self._at(done))

    async def ReviseKeyResult(
        self, request: api.ReviseKeyResultRequest, context: ServicerContext[Any, Any]
    ) -> api.ReviseKeyResultResponse:
        done, key_result = await self._write(request, answers.key_result)
        return api.ReviseKeyResultResponse(key_result=key_result, **self._at(done))

    async def DropKeyResult(
        self, request: api.DropKeyResultRequest, context: ServicerContext[Any, Any]
    ) -> api.DropKeyResultResponse:
        done, key_result = await self._write(request, answers.key_result)
        return api.DropKeyResultResponse(key_result=key_result, **self._at(done))

    async def RestoreKeyResult(
        self, request: api.RestoreKeyResultRequest, context: ServicerContext[Any, Any]
    ) -> api.RestoreKeyResultResponse:
        done, key_result = await self._write(request, answers.key_result)
        return api.RestoreKeyResultResponse(key_result=key_result, **self._at(done))

    async def Align(
        self, request: api.AlignRequest, context: ServicerContext[Any, Any]
    ) -> api.AlignResponse:
        done, alignment = await self._write(request, answers.alignment)
        return api.AlignResponse(alignment=alignment, **self._at(done))

    async def Unalign(
        self, request: api.UnalignRequest, context: ServicerContext[Any, Any]
    ) -> api.UnalignResponse:
        done, alignment = await self._write(request, answers.alignment)
        return api.UnalignResponse(alignment=alignment, **self._at(done))

    async def RecordCheckIn(
        self, request: api.RecordCheckInRequest, context: ServicerContext[Any, Any]
    ) -> api.RecordCheckInResponse:
        done = await self._lane.submit(_command(request))
        # Nothing is read for this answer, so it is made without leaving the event loop.
        check_in = answers.recorded_check_in(self._history(done))
        return api.RecordCheckInResponse(check_in=check_in, **self._at(done))

    async def CorrectCheckIn(
        self, request: api.CorrectCheckInRequest, context: ServicerContext[Any, Any]
    ) -> api.CorrectCheckInResponse:
        done, check_in = await self._write(request, answers.changed_check_in)
        return api.CorrectCheckInResponse(check_in=check_in, **self._at(done))

    async def RetractCheckIn(
        self, request: api.RetractCheckInRequest, context: ServicerContext[Any, Any]
    ) -> api.RetractCheckInResponse:
        done, check_in = await self._write(request, answers.changed_check_in)
        return api.RetractCheckInResponse(check_in=check_in, **self._at(done))

    async def AdjustStrategy(
        self, request: api.AdjustStrategyRequest, context: ServicerContext[Any, Any]
    ) -> api.AdjustStrategyResponse:
        done, adjustment = await self._write(request, answers.adjustment)
        return api.AdjustStrategyResponse(adjustment=adjustment, **self._at(done))

    async def ProposeAdjustment(
        self, request: api.ProposeAdjustmentRequest, context: ServicerContext[Any, Any]
    ) -> api.ProposeAdjustmentResponse:
        done, adjustment = await self._write(request, answers.adjustment)
        return api.ProposeAdjustmentResponse(adjustment=adjustment, **self._at(done))

    async def ApproveAdjustment(
        self, request: api.ApproveAdjustmentRequest, context: ServicerContext[Any, Any]
    ) -> api.ApproveAdjustmentResponse:
        done, adjustment = await self._write(request, answers.adjustment)
        return api.ApproveAdjustmentResponse(adjustment=adjustment, **self._at(done))

    async def RejectAdjustment(
        self, request: api.RejectAdjustmentRequest, context: ServicerContext[Any, Any]
    ) -> api.RejectAdjustmentResponse:
        done, adjustment = await self._write(request, answers.adjustment)
        return api.RejectAdjustmentResponse(adjustment=adjustment, **self._at(done))

    async def CloseCycle(
        self, request: api.CloseCycleRequest, context: ServicerContext[Any, Any]
    ) -> api.CloseCycleResponse:
        done = await self._lane.submit(_command(request))
        closing = done.records[-1]
        if done.validated_only:
            sealed = await self._sealer.foreseen(closing)
            at = self._at(done)
        else:
            sealed = await self._sealer.sealed(closing)
            at = self._at(Done((sealed,)))
        history = History(self._log.read_stream, (closing, sealed), {})
        cycle = await asyncio.to_thread(answers.cycle, history)
        return api.CloseCycleResponse(cycle=cycle, seal=answers.seal(history), **at)

    async def ReopenCycle(
        self, request: api.ReopenCycleRequest, context: ServicerContext[Any, Any]
    ) -> api.ReopenCycleResponse:
        done, cycle = await self._write(request, answers.cycle)
        return api.ReopenCycleResponse(cycle=cycle, **self._at(done))

    async def RecordAmendment(
        self, request: api.RecordAmendmentRequest, context: ServicerContext[Any, Any]
    ) -> api.RecordAmendmentResponse:
        done, amendment = await self._write(request, answers.amendment)
        return api.RecordAmendmentResponse(amendment=amendment, **self._at(done))

    async def CarryOverKeyResult(
        self, request: api.CarryOverKeyResultRequest, context: ServicerContext[Any, Any]
    ) -> api.CarryOverKeyResultResponse:
        done, key_result = await self._write(request, answers.key_result)
        return api.CarryOverKeyResultResponse(key_result=key_result, **self._at(done))

    async def RecordReview(
        self, request: api.RecordReviewRequest, context: ServicerContext[Any, Any]
    ) -> api.RecordReviewResponse:
        done, review = await self._write(request, answers.review)
        return api.RecordReviewResponse(review=review, **self._at(done))

    async def RecordLesson(
        self, request: api.RecordLessonRequest, context: ServicerContext[Any, Any]
    ) -> api.RecordLessonResponse:
        done, lesson = await self._write(request, answers.lesson)
        return api.RecordLessonResponse(lesson=lesson, **self._at(done))

    async def _write(
        self, request: Message, answer: Callable[[History], Resource]
    ) -> tuple[Done, Resource]:
        done = await self._lane.submit(_command(request))
        return done, await asyncio.to_thread(answer, self._history(done))

    def _history(self, done: Done) -> History:
        return History(self._log.read_stream, done.records, done.states)

    def _at(self, done: Done) -> _At:
        position = self._log.head().position if done.validated_only else done.records[-1].position
        return {"position": position, "token": self._tokens.token(position)}


class _At(TypedDict):
    """Where a write landed."""

    position: int
    token: str


def _command(request: Any) -> Command:
    """The command that a request means, asked by the running call's caller."""
    call = CALL.get()
    return Command(
        request=request,
        principal=call.caller.actor,
        on_behalf_of=call.caller.on_behalf_of,
        request_id=request.request_id,
        content_hash=_content_hash(request),
        validate_only=request.validate_only,
        deadline=call.deadline,
    )


def _content_hash(request: Message) -> bytes:
    """Tells a request from others: SHA-256 of its method's request type and its fields."""
    serialised = request.SerializeToString(deterministic=True)
    return sha256(request.DESCRIPTOR.full_name.encode() + b"\0" + serialised).digest()
