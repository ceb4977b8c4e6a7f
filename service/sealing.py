"""Sealing: what a request to close a cycle began is finished, whatever happens meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import Context
from typing import TYPE_CHECKING, Final

import structlog

from ledger import answers
from ledger.answers import History
from ledger.call import CALL, Call, Caller
from ledger.closing import numbered, sealed_day
from ledger.event import Record, metadata_of
from ledger.log.command import Done
from ledger.log.contract import LogReader
from ledger.rpc import SEAL, landed
from ledger.tokens import Tokens
from okr.v1.events_pb2 import CycleClosing, CycleSealed
from okr.v1.ledger_service_pb2 import CloseCycleResponse
from projections.as_of import Known
from projections.cycle_end import final_scores
from projections.reading import Reader
from service.errors import Refused
from service.lane.link import Answer
from service.validation import fitting

if TYPE_CHECKING:
    from service.exchange import Places

RETRY_SECONDS: Final = 2.0
"""How long a cycle that could not be sealed waits until it is tried again."""
PAGE: Final = 1000
NOBODY: Final = Caller("")
"""Who seals: the seal's event tells of whoever had the cycle closed."""

log = structlog.get_logger()


class Sealing:
    """Scores each cycle that is being closed at its closing's position and has the seal recorded.

    A closing without a seal is all that it works from, so it can be interrupted at any instant and
    goes on when it runs again. The scores follow from the position and the day alone, and the log
    takes one seal of a closing: it does not matter how often, or where, one is tried. It belongs
    to one event loop.
    """

    def __init__(
        self,
        ledger: LogReader,
        tokens: Tokens,
        ask: Callable[[str, bytes, Caller, float | None], Awaitable[Answer]],
        reader: Reader,
        *,
        retry_seconds: float = RETRY_SECONDS,
    ) -> None:
        self._log = ledger
        self._tokens = tokens
        self._ask = ask
        self._reader = reader
        self._retry_seconds = retry_seconds
        self._tasks: dict[int, asyncio.Task[Record]] = {}
        self._timers: dict[int, asyncio.TimerHandle] = {}
        self._stopped = False

    async def resume(self) -> None:
        """Begin to seal what was being closed when the last server ended."""
        for closing in await asyncio.to_thread(self._unsealed):
            self._begin(closing)

    def stop(self) -> None:
        """Leave the rest to the next server."""
        self._stopped = True
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        for task in self._tasks.values():
            task.cancel()

    async def close(
        self, raw: bytes, caller: Caller, deadline: float | None, _forbidden: Places = (), /
    ) -> Answer:
        """CloseCycle: has the lane fence the cycle, and answers when it is sealed.

        Raises:
            ProjectionStopped, DeadlinePassed, LogError: there is no seal yet. It will come.
            AnswerTooLarge: there is one, which does not fit into an answer.
        """
        answer = await self._ask("CloseCycle", raw, caller, deadline)
        done = answer.done
        if done is None:
            return answer
        CALL.set(Call("CloseCycle", caller, deadline))
        closing = done.records[-1]
        sealed = await (self.foreseen if done.validated_only else self.sealed)(closing)
        return await asyncio.to_thread(self._answer, answer, done, closing, sealed)

    def _answer(self, answer: Answer, done: Done, closing: Record, sealed: Record) -> Answer:
        history = History(self._log.read_stream, (closing, sealed), {})
        response = CloseCycleResponse(
            cycle=answers.cycle(history),
            seal=answers.seal(history),
            **landed(self._log, self._tokens, done._replace(records=(sealed,))),
        )
        raw = fitting(response.SerializeToString())
        return answer._replace(raw=raw, position=response.position, done=None)

    async def sealed(self, closing: Record) -> Record:
        """The record of the closing's seal, once there is one; the same for ever.

        Raises:
            ProjectionStopped, DeadlinePassed, LogError: there is none yet. It will come.
        """
        self._begin(closing)
        return await asyncio.shield(self._tasks[closing.position])

    async def foreseen(self, closing: Record) -> Record:
        """The record that would seal the cycle if the closing were recorded now."""
        seals = await asyncio.to_thread(self._seals, closing.stream)
        scored = await self._scored(closing, closing.position - 1)
        scored.closing_position = closing.position
        return closing._replace(
            position=closing.position + 1,
            stream_version=closing.stream_version + 1,
            event_type=CycleSealed.DESCRIPTOR.full_name,
            # In the clear, since they were sealed for the closing's own place.
            metadata=metadata_of(closing).SerializeToString(),
            payload=numbered(scored, len(seals) + 1).SerializeToString(),
        )

    def _begin(self, closing: Record) -> None:
        """Start to seal, if that is not under way.

        In a task that is no caller's: it knows no deadline, and ends with none who wait for it.
        """
        if closing.position not in self._tasks:
            task = asyncio.create_task(self._seal(closing), context=Context())
            self._tasks[closing.position] = task
            task.add_done_callback(lambda ended: self._ended(closing, ended))

    def _ended(self, closing: Record, task: asyncio.Task[Record]) -> None:
        del self._tasks[closing.position]
        if task.cancelled() or (error := task.exception()) is None or self._stopped:
            return
        log.warning("not sealed yet", cycle=closing.stream, error=repr(error))
        self._timers[closing.position] = asyncio.get_running_loop().call_later(
            self._retry_seconds, self._again, closing
        )

    def _again(self, closing: Record) -> None:
        del self._timers[closing.position]
        self._begin(closing)

    async def _seal(self, closing: Record) -> Record:
        found = await asyncio.to_thread(self._seal_of, closing)
        if found is not None:
            return found
        scored = await self._scored(closing, closing.position)
        answer = await self._ask(SEAL, scored.SerializeToString(), NOBODY, None)
        if answer.done is not None:
            return answer.done.records[-1]
        # Another server may have been faster.
        found = await asyncio.to_thread(self._seal_of, closing)
        if found is None and answer.refusal is not None:
            raise Refused(answer.refusal)
        assert found is not None
        return found

    async def _scored(self, closing: Record, position: int) -> CycleSealed:
        return await self._reader.at(
            lambda connection, known: final_scores(connection, closing.stream, known),
            Known(position, closing.recorded_us, sealed_day(closing)),
        )

    def _seal_of(self, closing: Record) -> Record | None:
        later = (seal for seal in self._seals(closing.stream) if seal.position > closing.position)
        return next(later, None)

    def _seals(self, cycle: str) -> list[Record]:
        kind = CycleSealed.DESCRIPTOR.full_name
        return [r for r in self._log.read_stream(cycle) if r.event_type == kind]

    def _unsealed(self) -> list[Record]:
        """The closings that no seal follows; costs by the number of closings ever."""
        kinds = [kind.DESCRIPTOR.full_name for kind in (CycleClosing, CycleSealed)]
        waiting: dict[str, Record] = {}
        after = 0
        while page := self._log.list_events(event_types=kinds, after=after, limit=PAGE):
            for record in page:
                if record.event_type == kinds[0]:
                    waiting[record.stream] = record
                else:
                    waiting.pop(record.stream, None)
            after = page[-1].position
        return list(waiting.values())
