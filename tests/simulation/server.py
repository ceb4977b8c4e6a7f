"""A server in one thread: the real lanes, log, snapshots, follower and tables, step by step."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from ledger.call import Caller
from ledger.log.command import Done
from ledger.log.contract import Accepted
from ledger.log.database import Database
from ledger.log.errors import LogError
from ledger.log.lane import WriteLane
from ledger.log.snapshots import Snapshots
from ledger.log.sqlite.recorder import LedgerRecorder
from ledger.model import Domain
from ledger.rpc import METHODS, LedgerRpc
from ledger.tokens import Tokens
from projections.following.follower import PASSING, Follower
from projections.store.views import Views
from tests.simulation.asking import ACTOR, Asked
from tests.simulation.faults import FaultyDatastore

if TYPE_CHECKING:
    from collections.abc import Sequence

    from google.protobuf.message import Message

    from ledger.log.batch import Job
    from ledger.log.contract import Append, EventLog, LogIdentity, Outcome
    from ledger.log.snapshots import SnapshotStore
    from projections.read_model import Batch
    from tests.simulation.disk import Disk
    from tests.simulation.faults import Faults

CALLER: Final = Caller(ACTOR)


@dataclass
class Clock:
    """The time of the simulation: `us` since 1970, and seconds that only grow."""

    us: int
    seconds: float = 0.0
    tick_us: int = 7

    def now(self) -> int:
        """Each look takes a moment."""
        self.pass_us(self.tick_us)
        return self.us

    def pass_us(self, us: int) -> None:
        """Time goes by."""
        self.us += us
        self.seconds += us / 1_000_000


@dataclass(frozen=True)
class Setting:
    """How a server is set up."""

    lanes: int = 1
    states_kept: int = 20_000
    batch_at_most: int = 256
    followers: int = 1


class Received(NamedTuple):
    """A request in the lane; `since` is where the ledger was when it came."""

    asked: Asked
    since: int


class Outgoing(NamedTuple):
    """What a lane says of a request: `response` is the answer's bytes without its token."""

    received: Received
    outcome: Done | Exception
    response: bytes = b""
    token: str = ""
    wrote: bool = False
    """Whether this very lane has appended it, since it came."""


class SteppedSnapshots(Snapshots):
    """Writes when it is told to, instead of on a thread of its own."""

    def offer(self, stream: str, state: Any, version: int) -> None:
        self._waiting[stream] = (state, version)

    def write(self) -> None:
        """What the thread does once it is woken."""
        waiting, self._waiting = self._waiting, {}
        try:
            self._keep(waiting, self._key)
        except LogError:
            return


@dataclass
class NotedLog:
    """A log that meets faults before an append, and notes whose requests it has accepted."""

    log: EventLog
    faults: Faults
    shared: bool
    accepted: set[bytes] = field(default_factory=set)

    def append_batch(self, appends: Sequence[Append], recorded_us: int) -> list[Outcome]:
        self.faults.meet("append")
        outcomes = self.log.append_batch(appends, recorded_us)
        for append, outcome in zip(appends, outcomes, strict=True):
            if isinstance(outcome, Accepted) and append.request is not None:
                self.accepted.add(append.request.digest)
        self.faults.meet("appended")
        self.faults.appended = True
        return outcomes

    def __getattr__(self, name: str) -> Any:
        return getattr(self.log, name)


class NotedViews(Views):
    """Read models that meet faults between a commit and whoever is told of it."""

    def __init__(self, log: Database, identity: LogIdentity, faults: Faults) -> None:
        super().__init__(log, identity)
        self._faults = faults

    def write(self, before: int, batch: Batch) -> None:
        super().write(before, batch)
        self._faults.meet("views COMMITTED")


class Lane:
    """One write lane with a log of its own, and what it makes answers of."""

    def __init__(
        self, log: NotedLog, store: SnapshotStore, clock: Clock, setting: Setting, sources: Any
    ) -> None:
        self.log = log
        domain = Domain()
        reader: Any = log
        self.snapshots = SteppedSnapshots(reader, store, domain)
        self.tokens = Tokens(*log.identity())
        self._rpc = LedgerRpc(reader, self.tokens, self.snapshots)
        self._clock = clock
        self._received: dict[Job, Received] = {}
        self._lane = WriteLane(
            reader,
            domain,
            domain,
            clock=clock.now,
            monotonic=lambda: clock.seconds,
            new_source=sources,
            batch_at_most=setting.batch_at_most,
            states_kept=setting.states_kept,
            snapshots=self.snapshots,
        )

    @property
    def waiting(self) -> int:
        """The requests that have no answer yet."""
        return self._lane.waiting

    def begin(self, requests: Sequence[Message]) -> None:
        """Has requests done that nobody is to be answered."""
        for request in requests:
            self._lane.add(self._rpc.command(request, CALLER, None))
        for _, outcome in self._lane.run():
            assert not isinstance(outcome, Exception), outcome

    def receive(self, asked: Asked, since: int, seconds: float) -> None:
        """Takes a request in; its caller waits for some seconds."""
        command = self._rpc.command(asked.message(), CALLER, self._clock.seconds + seconds)
        self._received[self._lane.add(command)] = Received(asked, since)

    def run(self) -> list[Outgoing]:
        """Decides and appends a batch, and makes the answers."""
        self.log.faults.appended = False
        answers = self._lane.run()
        # Of two copies in the lane one may be told that it is done, and the other anything.
        self.log.accepted -= {
            job.key.digest for job, outcome in answers if job.key and isinstance(outcome, Done)
        }
        return [self._outgoing(job, outcome) for job, outcome in answers]

    def _outgoing(self, job: Job, outcome: Done | Exception) -> Outgoing:
        received = self._received.pop(job)
        wrote = job.key is not None and job.key.digest in self.log.accepted
        if isinstance(outcome, Exception):
            return Outgoing(received, outcome, wrote=wrote)
        token = ""
        if not outcome.validated_only:
            token = self.tokens.token(outcome.records[-1].position)
        method = METHODS.get(received.asked.method)
        if method is None:
            return Outgoing(received, outcome, token=token, wrote=wrote)
        try:
            response: Any = self._rpc.answer(method, outcome, may_read=True)
        except LogError as error:
            return Outgoing(received, error, wrote=wrote)
        response.ClearField("token")
        answer = response.SerializeToString(deterministic=True)
        return Outgoing(received, outcome, answer, token, wrote)


class Server:
    """What runs beside one folder, until it is closed or crashes."""

    def __init__(
        self, disk: Disk, faults: Faults, clock: Clock, setting: Setting, sources: Any
    ) -> None:
        self._faults = faults
        self._opened = ExitStack()
        self._clock = clock
        self._setting = setting
        self._sources = sources
        self._disk = disk
        self.lanes: list[Lane] = []
        try:
            self._open()
        except BaseException:
            self.close()
            raise

    def _open(self) -> None:
        shared = self._setting.lanes > 1
        logs = [self._log(writes=True, shared=shared) for _ in range(self._setting.lanes)]
        self.store = logs[0].snapshot_store()
        self._opened.callback(self.store.close)
        for log in logs:
            noted = NotedLog(log, self._faults, shared)
            lane = Lane(noted, self.store, self._clock, self._setting, self._sources)
            self.lanes.append(lane)
        self.reader = self._log(writes=False, shared=False)
        self.tokens = Tokens(*self.reader.identity())
        self.views: list[Views] = []
        self.followers: list[Follower] = []
        for _ in range(self._setting.followers):
            self._follow()

    def _log(self, *, writes: bool, shared: bool) -> LedgerRecorder:
        store = FaultyDatastore(self._disk.ledger, self._faults, writes=writes, shared=shared)
        self._opened.callback(store.close)
        log = LedgerRecorder(store, clock=self._clock.now)
        if writes:
            log.create_table()
        return log

    def _follow(self) -> None:
        database = Database(f"sqlite:///{self._disk.ledger}")
        views = NotedViews(database, self.reader.identity(), self._faults)
        self._opened.callback(views.close)
        self.views.append(views)
        follower = Follower(
            self.reader, views, on_progress=lambda _: self._faults.meet("views NOTICE")
        )
        self._opened.callback(follower._end_building)
        self.followers.append(follower)

    def follow(self, number: int) -> str:
        """One step of a follower; says what it did. What stops it goes on as it is."""
        try:
            taken = self.followers[number].step()
        except PASSING as error:
            return f"waits, {type(error).__name__}"
        return f"took {taken}"

    def close(self) -> None:
        """Lets go of everything in memory."""
        self._opened.close()
