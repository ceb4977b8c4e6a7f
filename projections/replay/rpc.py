"""ReplayService: each method names its stream or query; `reading` tells what it begins with."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from grpc.aio import ServicerContext
from sqlalchemy import Connection

from ledger.call import CALL
from ledger.values import date_message
from okr.v1 import replay_service_pb2 as api
from okr.v1.replay_service_pb2_grpc import ReplayServiceServicer
from projections import catalogue
from projections.as_of import Known
from projections.audit import decisions as audit
from projections.errors import PositionAhead
from projections.reading import LONGEST_WAIT_SECONDS, Reader
from projections.replay import replaying
from projections.replay.belonging import Belonging
from projections.replay.retrospective import retrospective
from projections.replay.score_watch import ScoreWatch
from projections.replay.tail import Tail
from projections.replay.watching import CHECKPOINT_SECONDS, Wanted, Watch


class ReplayRpc(ReplayServiceServicer):
    """Streams and looks back; refusals leave them as exceptions."""

    def __init__(self, reader: Reader, tail: Tail) -> None:
        self._reader = reader
        self._tail = tail

    async def WatchEvents(
        self, request: api.WatchEventsRequest, context: ServicerContext[Any, Any]
    ) -> AsyncIterator[api.WatchEventsResponse]:
        after = await self._start(request)
        wanted = await self._wanted(request, after)
        watch = Watch(self._tail, after, wanted, request.checkpoint_seconds or CHECKPOINT_SECONDS)
        identity = self._reader.views.identity
        async with aclosing(watch.passing()) as passing:
            async for passed in passing:
                yield api.WatchEventsResponse(
                    events=[
                        audit.event(record, identity.log_id, identity.epoch)
                        for record in passed.records
                    ],
                    caught_up=passed.caught_up,
                    position=passed.position,
                    token=self._reader.tokens.token(passed.position),
                )

    async def GetRetrospective(
        self, request: api.GetRetrospectiveRequest, context: ServicerContext[Any, Any]
    ) -> api.GetRetrospectiveResponse:
        found, at = await self._reader.one(
            request, lambda c, k: retrospective(c, request.cycle, request.team, k)
        )
        return api.GetRetrospectiveResponse(retrospective=found, **at)

    async def WatchScores(
        self, request: api.WatchScoresRequest, context: ServicerContext[Any, Any]
    ) -> AsyncIterator[api.WatchScoresResponse]:
        at, since = await self._instants(request)
        asked = (request.cycle, request.team)
        every = request.checkpoint_seconds or CHECKPOINT_SECONDS
        watch = ScoreWatch(self._reader, self._tail, asked, every)
        async with aclosing(watch.moving(since, at)) as moving:
            async for moved in moving:
                yield api.WatchScoresResponse(
                    scorecard=moved.card,
                    day=date_message(moved.day),
                    moves=moved.moves,
                    event_positions=moved.event_positions,
                    position=moved.position,
                    token=self._reader.tokens.token(moved.position),
                )

    async def ReplayCycle(
        self, request: api.ReplayCycleRequest, context: ServicerContext[Any, Any]
    ) -> AsyncIterator[api.ReplayCycleResponse]:
        (of, known), at = await self._reader.one(
            request, lambda c, k: (replaying.planned(c, request, k), k)
        )
        replay = replaying.Replay(self._reader, request, of, known)
        async with aclosing(replay.frames()) as frames:
            async for frame in frames:
                yield api.ReplayCycleResponse(frame=frame, **at)

    async def _instants(self, request: api.WatchScoresRequest) -> tuple[Known, Known]:
        """What is known now, and what was known at the position to resume after, at this time.

        Raises:
            TokenForeign, TokenLost: a token of another ledger or future.
        """
        head = (await asyncio.to_thread(self._reader.log.head)).position
        after = self._reader.tokens.position(request.resume_token, head, "resume_token")
        fresh = self._reader.tokens.position(request.at_least_as_fresh, head)
        at = Known(
            max(self._reader.views.progress.position, after, fresh), self._reader.now(), None
        )
        return at, replace(at, position=after) if after else at

    async def _start(self, request: api.WatchEventsRequest) -> int:
        """The position that a watch begins after.

        Raises:
            TokenForeign, TokenLost: a token of another ledger or future.
            PositionAhead: the ledger has not reached the position.
        """
        head = (await asyncio.to_thread(self._reader.log.head)).position
        self._reader.tokens.position(request.at_least_as_fresh, head)
        match request.WhichOneof("start"):
            case "resume_token":
                return self._reader.tokens.position(request.resume_token, head, "resume_token")
            case "after_position":
                if request.after_position > head:
                    raise PositionAhead(request.after_position, head)
                return request.after_position
        return head

    async def _wanted(self, request: api.WatchEventsRequest, after: int) -> Wanted:
        """The filters of a watch.

        Raises:
            NotFound: the cycle or the team is not known.
            ProjectionStopped, DeadlinePassed: that cannot be told.
        """
        belonging = None
        if request.cycle or request.team:
            patience = CALL.get().seconds_left(LONGEST_WAIT_SECONDS)
            await self._reader.views.wait_for(after, patience)
            await self._reader.one(request, lambda c, k: _require(c, request, k))
            belonging = Belonging(self._reader.views, request.cycle, request.team)
        return Wanted(request.stream, frozenset(request.event_types), belonging)


def _require(connection: Connection, request: api.WatchEventsRequest, known: Known) -> None:
    if request.cycle:
        catalogue.cycle_at(connection, request.cycle, known)
    if request.team:
        catalogue.team_at(connection, request.team, known)
