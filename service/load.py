"""The calls in the server's hands by their classes, so that no class takes what another needs.

A class has a number of calls at most; further ones are told to come back. Heavy reads also work on
few threads of their own: a read of one name is not kept waiting by a hundred retrospectives.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Final

from service import limits
from service.refusals import TooManyCalls

HEAVY: Final = frozenset(
    {
        "/okr.v1.AuditService/AttributeScore",
        "/okr.v1.AuditService/ComparePlans",
        "/okr.v1.AuditService/ListScoreChanges",
        "/okr.v1.ReplayService/GetRetrospective",
        "/okr.v1.ScoreService/ListDeviations",
        "/okr.v1.ScoreService/SimulatePolicy",
    }
)
"""Reads that score a whole cycle more than once, or walk what happened in it."""

LEDGER: Final = "/okr.v1.LedgerService/"
OPERATORS: Final = "/okr.v1.OperationsService/"
REPLAY: Final = "/okr.v1.ReplayService/ReplayCycle"
SCORE_WATCH: Final = "/okr.v1.ReplayService/WatchScores"

Jitter = Callable[[float, float], float]
"""A number between two others."""


class Load:
    """One class of calls: how many the server has in its hands now, and how many it takes.

    Its calls work on `threads`; on those that all share where that is None. A stream waits
    `write_seconds` for its caller to take an answer; for ever where that is None.
    """

    __slots__ = (
        "_jitter",
        "_retry_seconds",
        "at_most",
        "calls",
        "streams",
        "threads",
        "write_seconds",
    )

    def __init__(
        self,
        at_most: int,
        retry_seconds: float,
        jitter: Jitter,
        *,
        threads: Executor | None = None,
        streams: bool = False,
        write_seconds: float | None = None,
    ) -> None:
        self.calls = 0
        self.at_most = at_most
        self.threads = threads
        self.streams = streams
        self.write_seconds = write_seconds
        self._retry_seconds = retry_seconds
        self._jitter = jitter

    def admit(self) -> None:
        """Passes a call that is counted already.

        Raises:
            TooManyCalls: it is one too many.
        """
        if self.calls > self.at_most:
            raise self.refusal()

    def refusal(self) -> TooManyCalls:
        """What a call is told that is one too many; each is sent away for another while."""
        seconds = self._jitter(self._retry_seconds, 2 * self._retry_seconds)
        return TooManyCalls(self.at_most, seconds)


class Loads:
    """The classes of a server's calls. What a method's class is never changes."""

    def __init__(
        self,
        *,
        writes: int = limits.WRITES,
        reads: int = limits.READS,
        heavy_reads: int = limits.HEAVY_READS,
        streams: int = limits.STREAMS,
        score_watches: int = limits.SCORE_WATCHES,
        replays: int = limits.REPLAYS,
        frame_seconds: float = limits.FRAME_SECONDS,
        operations: int = limits.OPERATIONS,
        opened: int = limits.OPENED,
        health_watches: int = limits.HEALTH_WATCHES,
        jitter: Jitter = random.uniform,
    ) -> None:
        self._heavy_threads = ThreadPoolExecutor(limits.HEAVY_THREADS, "heavy")
        self._operations_thread = ThreadPoolExecutor(1, "operations")
        self.writes = Load(writes, 0.5, jitter)
        self.reads = Load(reads, 0.5, jitter)
        self.heavy_reads = Load(heavy_reads, 2.0, jitter, threads=self._heavy_threads)
        self.streams = Load(streams, 2.0, jitter, streams=True)
        self.score_watches = Load(
            score_watches, 2.0, jitter, threads=self._heavy_threads, streams=True
        )
        self.replays = Load(
            replays,
            5.0,
            jitter,
            threads=self._heavy_threads,
            streams=True,
            write_seconds=frame_seconds,
        )
        self.operations = Load(operations, 0.5, jitter, threads=self._operations_thread)
        self.opened = Load(opened, 1.0, jitter)
        """Calls of all classes from the first that is heard of them."""
        self.health_watches = Load(health_watches, 2.0, jitter, streams=True)

    def of(self, path: str, *, streams: bool) -> Load:
        """The class of a method, by its path; `streams` if it answers with a stream."""
        if streams:
            own = {SCORE_WATCH: self.score_watches, REPLAY: self.replays}
            return own.get(path, self.streams)
        if path.startswith(LEDGER):
            return self.writes
        if path.startswith(OPERATORS):
            return self.operations
        return self.heavy_reads if path in HEAVY else self.reads

    def close(self) -> None:
        """Ends the threads once they have done what they are at; takes no work any more."""
        self._heavy_threads.shutdown(wait=False)
        self._operations_thread.shutdown(wait=False)
