"""The write lane: one thread through which every command of the process passes."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from threading import Event, Thread
from typing import TYPE_CHECKING
from uuid import uuid4

import structlog

from ledger.log.contract import RequestKey
from ledger.log.errors import DeadlinePassed, Overloaded, ShuttingDown
from ledger.log.group import GroupCommit, Job, states_after
from ledger.log.sqlite import now_us
from ledger.log.world import STATES_KEPT
from ledger.refusals import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any

    from ledger.event import Record
    from ledger.log.command import Command, Decider, Done, Folder
    from ledger.log.contract import EventLog

WAITING_AT_MOST = 10_000
BATCH_AT_MOST = 256
"""Commands of one transaction; beyond it a batch gains little and its first caller waits long."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class LaneCounts:
    """What the lane has done since its start, and the commands that wait in it now."""

    events: int
    flushes: int
    refusals: int
    waiting: int


@dataclass(slots=True, eq=False)
class QueuedJob(Job):
    """A job with somebody waiting for it."""

    future: asyncio.Future[Done] | None = None


class WriteLane:
    """Takes commands from one event loop, and decides and appends them on a thread of its own.

    What waits becomes the next batch: no command waits for others to come. `clock` gives µs since
    1970 UTC; `on_committed` is called on the lane's thread with the newest position, after the
    commit and before the callers have their answers.
    """

    def __init__(
        self,
        event_log: EventLog,
        decide: Decider,
        folder: Folder,
        *,
        clock: Callable[[], int] = now_us,
        monotonic: Callable[[], float] = time.monotonic,
        new_source: Callable[[], str] = lambda: uuid4().hex,
        on_committed: Callable[[int], None] = lambda _: None,
        waiting_at_most: int = WAITING_AT_MOST,
        batch_at_most: int = BATCH_AT_MOST,
        states_kept: int = STATES_KEPT,
    ) -> None:
        self._log = event_log
        self._folder = folder
        self._commit = GroupCommit(event_log, decide, folder, clock, states_kept)
        self._monotonic = monotonic
        self._new_source = new_source
        self._on_committed = on_committed
        self._waiting_at_most = waiting_at_most
        self._batch_at_most = batch_at_most
        self._gathered: list[QueuedJob] = []
        self._queue: deque[QueuedJob] = deque()
        self._again: deque[QueuedJob] = deque()
        self._wake = Event()
        self._idle = False
        self._stopping = False
        self._stopped = False
        self._events = self._flushes = self._refusals = 0
        self._thread = Thread(target=self._run, name="write-lane", daemon=True)

    def start(self) -> None:
        self._thread.start()

    async def submit(self, command: Command) -> Done:
        """Have a command decided and appended; returns once it is durable.

        Raises:
            Refusal: the rules forbid it.
            LogError: Overloaded, ShuttingDown, DeadlinePassed, ClockBehind, RequestIdReused,
                Contended or LogUnavailable. Nothing was written.
        """
        if self._stopping:
            raise ShuttingDown
        if (waiting := self._waiting()) >= self._waiting_at_most:
            raise Overloaded(waiting)
        key = None
        if source := command.request_id:
            key = RequestKey(command.principal, command.request_id, command.content_hash)
        else:
            source = self._new_source()
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Done] = loop.create_future()
        self._gathered.append(QueuedJob(command, key, source, future=future))
        if len(self._gathered) == 1:
            loop.call_soon(self._hand_over)
        return await future

    def _hand_over(self) -> None:
        """Give the lane what this turn of the event loop has gathered, in one piece.

        Woken by the first command it would run ahead with it alone, and again with the few that
        came meanwhile: small batches, each with a flush of its own.
        """
        self._queue.extend(self._gathered)
        self._gathered.clear()
        if self._idle:
            self._wake.set()
        if self._stopped:
            self._refuse_waiting()

    def states_after(self, records: Sequence[Record]) -> dict[str, Any]:
        """The states of the records' streams as the records left them.

        For a repeated command, whose states `Done` does not carry. Any thread may ask; it costs
        the streams' lengths, so an event loop should ask from a thread of its own.
        """
        return states_after(self._log, self._folder, records)

    def counts(self) -> LaneCounts:
        return LaneCounts(self._events, self._flushes, self._refusals, self._waiting())

    def stop(self) -> None:
        """Refuse new commands, answer those that wait, and end. Blocks until then."""
        self._stopping = True
        self._wake.set()
        self._thread.join()
        self._stopped = True
        self._refuse_waiting()
        log.info(
            "lane stopped", events=self._events, flushes=self._flushes, refusals=self._refusals
        )

    def _waiting(self) -> int:
        return len(self._gathered) + len(self._queue) + len(self._again)

    def _refuse_waiting(self) -> None:
        while self._queue:
            deliver([(self._queue.popleft(), ShuttingDown())])

    def _run(self) -> None:
        while jobs := self._next_batch():
            result = self._commit.run(jobs)
            self._again.extend(job for job in result.again if isinstance(job, QueuedJob))
            self._events += result.events
            self._flushes += result.flushes
            self._refusals += sum(isinstance(answer, Refusal) for _, answer in result.answers)
            if result.last_position:
                self._tell(result.last_position)
            deliver(result.answers)

    def _tell(self, last_position: int) -> None:
        try:
            self._on_committed(last_position)
        # The events are durable whatever the hook does, and their callers wait.
        except Exception:
            log.exception("on_committed failed", last_position=last_position)

    def _next_batch(self) -> list[QueuedJob]:
        """The commands that wait, or one that comes; none when the lane has stopped."""
        while True:
            batch = self._take()
            if batch:
                return batch
            self._idle = True
            # A command that came before `_idle` was set has woken nobody.
            if not self._queue and not self._stopping:
                self._wake.wait()
            self._idle = False
            self._wake.clear()
            if self._stopping and not self._queue:
                return []

    def _take(self) -> list[QueuedJob]:
        """Up to a batch of those that wait and are still wanted."""
        batch: list[QueuedJob] = []
        late: list[tuple[Job, Done | Exception]] = []
        now = self._monotonic()
        while len(batch) < self._batch_at_most and (self._again or self._queue):
            job = self._again.popleft() if self._again else self._queue.popleft()
            if job.future is None or job.future.done():
                continue
            deadline = job.command.deadline
            if deadline is not None and deadline < now:
                late.append((job, DeadlinePassed()))
            else:
                batch.append(job)
        deliver(late)
        return batch


def deliver(answers: Iterable[tuple[Job, Done | Exception]]) -> None:
    """Resolve the futures, with one call into the event loop."""
    resolved = [
        (job.future, answer)
        for job, answer in answers
        if isinstance(job, QueuedJob) and job.future is not None
    ]
    if resolved:
        # A loop that is closed has nobody left who waits.
        with suppress(RuntimeError):
            resolved[0][0].get_loop().call_soon_threadsafe(_resolve, resolved)


def _resolve(resolved: Iterable[tuple[asyncio.Future[Done], Done | Exception]]) -> None:
    for future, answer in resolved:
        if future.done():
            continue
        if isinstance(answer, Exception):
            future.set_exception(answer)
        else:
            future.set_result(answer)
