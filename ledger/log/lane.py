"""The write lane: the one place through which every command of a server passes."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, NamedTuple
from uuid import uuid4

from ledger.log.batch import Job
from ledger.log.clock import now_us
from ledger.log.contract import request_key
from ledger.log.errors import DeadlinePassed
from ledger.log.group import GroupCommit
from ledger.log.world import STATES_KEPT
from ledger.refusals import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from ledger.log.command import Command, Decider, Done, Folder
    from ledger.log.contract import EventLog
    from ledger.log.snapshots import Snapshots
    from ledger.texts.keyring import Keyring

BATCH_AT_MOST = 256
"""Commands of one transaction; beyond it a batch gains little and its first caller waits long."""


class LaneCounts(NamedTuple):
    """What the lane has done since its start, and the commands that wait for it now."""

    events: int = 0
    flushes: int = 0
    refusals: int = 0
    waiting: int = 0


class WriteLane:
    """Decides and appends what waits, batch by batch; one thread uses it.

    What waits becomes the next batch: no command waits for others to come. `clock` gives µs since
    1970 UTC. Without `snapshots`, long streams are folded from their first event; without a
    `keyring`, personal texts are stored in the clear.
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
        batch_at_most: int = BATCH_AT_MOST,
        states_kept: int = STATES_KEPT,
        snapshots: Snapshots | None = None,
        keyring: Keyring | None = None,
    ) -> None:
        self._commit = GroupCommit(
            event_log, decide, folder, clock, states_kept, snapshots=snapshots, keyring=keyring
        )
        self._keyring = keyring
        self._monotonic = monotonic
        self._new_source = new_source
        self._batch_at_most = batch_at_most
        self._queue: deque[Job] = deque()
        self._again: deque[Job] = deque()
        self._events = self._flushes = self._refusals = 0
        self.last_position = 0
        """The last position that this lane wrote, 0 before the first."""

    def add(self, command: Command) -> Job:
        """Put a command behind those that wait; its job is what the answer comes with."""
        principal, content_hash = command.principal, command.content_hash
        key = plain_key = None
        if self._keyring is not None:
            # Nobody who guesses names and texts learns from a digest that the guess was right.
            principal = self._keyring.pseudonym(principal).hex()
            content_hash = self._keyring.pseudonym(content_hash.hex())
        if source := command.request_id:
            key = request_key(principal, source, content_hash)
            if self._keyring is not None and self._keyring.header.plain_until:
                plain_key = request_key(command.principal, source, command.content_hash)
        job = Job(command, key, source or self._new_source(), principal, plain_key)
        self._queue.append(job)
        return job

    def run(self) -> list[tuple[Job, Done | Exception]]:
        """Decide and append the next batch. Never raises: each job has an outcome of its own.

        A success is durable when it is returned. An exception is a Refusal, a LogError
        (DeadlinePassed, ClockBehind, RequestIdReused, Contended or LogUnavailable) or a defect,
        and nothing of its command was written. A job that is not among the answers waits still.
        """
        answers: list[tuple[Job, Done | Exception]] = []
        batch = self._take(answers)
        if batch:
            result = self._commit.run(batch)
            answers += result.answers
            self._again.extend(result.again)
            self._events += result.events
            self._flushes += result.flushes
            self._refusals += sum(isinstance(answer, Refusal) for _, answer in result.answers)
            self.last_position = result.last_position or self.last_position
        return answers

    @property
    def waiting(self) -> int:
        """The commands that have no answer yet."""
        return len(self._queue) + len(self._again)

    def counts(self) -> LaneCounts:
        return LaneCounts(self._events, self._flushes, self._refusals, self.waiting)

    def _take(self, answers: list[tuple[Job, Done | Exception]]) -> list[Job]:
        """Up to a batch of those that wait; those that waited too long are answered."""
        batch: list[Job] = []
        now = self._monotonic()
        while len(batch) < self._batch_at_most and (self._again or self._queue):
            job = self._again.popleft() if self._again else self._queue.popleft()
            deadline = job.command.deadline
            if deadline is not None and deadline < now:
                answers.append((job, DeadlinePassed()))
            else:
                batch.append(job)
        return batch
