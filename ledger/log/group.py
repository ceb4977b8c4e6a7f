"""Group commit: the commands of one batch are decided, appended and answered together."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ledger.context import Context
from ledger.event import Record
from ledger.log.command import Done
from ledger.log.contract import Accepted, Append, EncodedEvent, Head, Repeated
from ledger.log.errors import ClockBehind, Contended, RequestIdReused
from ledger.log.ids import id_maker
from ledger.log.mapper import event_type_of
from ledger.log.world import STATES_KEPT, NotedWorld, Overlay, StateCache

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ledger.log.command import Command, Decider, Folder
    from ledger.log.contract import EventLog, Outcome, RequestKey
    from ledger.log.world import Versioned

CLOCK_TOLERANCE_US = 60_000_000
"""How far the clock may lie behind the last record. Recorded time stands still meanwhile."""

ATTEMPTS = 5
"""How often a command is decided before other writers have won."""


@dataclass(slots=True, eq=False)
class Job:
    """A command in the lane. `source` is what its ids are made from."""

    command: Command
    key: RequestKey | None
    source: str
    attempts: int = 0


@dataclass(frozen=True, slots=True)
class Decided:
    """A decision ready to be appended, with the records and states that it leads to."""

    job: Job
    append: Append
    records: tuple[Record, ...]
    states: Mapping[str, Versioned]


@dataclass(slots=True)
class Result:
    """What became of a batch: answers, and commands that have to be decided once more."""

    answers: list[tuple[Job, Done | Exception]] = field(default_factory=list)
    again: list[Job] = field(default_factory=list)
    events: int = 0
    flushes: int = 0
    last_position: int = 0
    """The last position that the batch wrote, 0 if none."""


class GroupCommit:
    """Decides and appends batches, one at a time, on one thread."""

    def __init__(
        self,
        log: EventLog,
        decide: Decider,
        folder: Folder,
        clock: Callable[[], int],
        states_kept: int = STATES_KEPT,
    ) -> None:
        self._log = log
        self._decide = decide
        self._folder = folder
        self._clock = clock
        self._cache = StateCache(log, folder, states_kept)
        self._log_id = log.identity().log_id
        self._head: Head | None = None

    def run(self, jobs: Sequence[Job]) -> Result:
        """Answer each command or say that it has to come again. Never raises.

        Costs one query for the request ids and one transaction with one flush.
        """
        result = Result()
        pending = list(jobs)
        try:
            pending = self._first_times(pending, result)
            head = self._head = self._head or self._log.head()
            now_us = self._now(head)
            overlay = Overlay(self._cache, self._folder)
            decided = self._decide_all(pending, overlay, head, now_us, result)
            pending = [each.job for each in decided]
            if decided:
                self._append(decided, overlay, now_us, result)
        # Whatever fails before the commit fails for those who wait, and never ends the lane.
        except Exception as error:  # noqa: BLE001
            self._head = None
            answered = {id(job) for job, _ in result.answers}
            answered.update(map(id, result.again))
            result.answers += [(job, error) for job in pending if id(job) not in answered]
        return result

    def _first_times(self, jobs: list[Job], result: Result) -> list[Job]:
        """The jobs whose request was not accepted before; the others are answered.

        The second of two copies in one batch waits until the first is decided.
        """
        keyed = [job.key for job in jobs if job.key is not None]
        if not keyed:
            return jobs
        found = iter(self._log.find_requests(keyed))
        taken: set[tuple[str, str]] = set()
        fresh = []
        for job in jobs:
            if job.key is None:
                fresh.append(job)
                continue
            stored = next(found)
            name = (job.key.principal, job.key.request_id)
            if stored is not None:
                result.answers.append((job, self._repeated(job, stored)))
            elif name in taken:
                result.again.append(job)
            else:
                taken.add(name)
                fresh.append(job)
        return fresh

    def _repeated(self, job: Job, stored: Repeated) -> Done | Exception:
        if stored.content_hash != job.command.content_hash:
            return RequestIdReused(job.command.request_id)
        first = stored.first_position
        records: list[Record] = []
        while first <= stored.last_position:
            records += self._log.read(first - 1, stored.last_position - first + 1)
            first = records[-1].position + 1
        return Done(tuple(records), repeated=True)

    def _now(self, head: Head) -> int:
        clock_us = self._clock()
        behind_us = head.recorded_us - clock_us
        if behind_us > CLOCK_TOLERANCE_US:
            raise ClockBehind(behind_us // 1_000_000)
        return max(clock_us, head.recorded_us)

    def _decide_all(
        self, jobs: Sequence[Job], overlay: Overlay, head: Head, now_us: int, result: Result
    ) -> list[Decided]:
        decided = []
        position = head.position
        for job in jobs:
            try:
                each = self._decide_one(job, overlay, position, now_us)
            # The caller's outcome, whatever it is: neither a refusal nor a defect in one decision
            # may reach its neighbours or end the lane.
            except Exception as error:  # noqa: BLE001
                result.answers.append((job, error))
                continue
            if job.command.validate_only:
                states = {stream: state for stream, (state, _) in each.states.items()}
                result.answers.append((job, Done(each.records, states, validated_only=True)))
                continue
            overlay.put(each.states, each.records)
            position = each.records[-1].position
            decided.append(each)
        return decided

    def _decide_one(self, job: Job, overlay: Overlay, position: int, now_us: int) -> Decided:
        command = job.command
        job.attempts += 1
        world = NotedWorld(overlay)
        context = Context(
            now_us=now_us,
            actor=command.principal,
            on_behalf_of=command.on_behalf_of,
            request_id=command.request_id,
            new_id=id_maker(self._log_id, command.principal, job.source),
            head=position,
        )
        decision = self._decide(world, command.request, context)
        if not decision.events:
            raise ValueError("a decision without events; a refusal says that nothing changes")
        metadata = decision.metadata.SerializeToString()
        versions: dict[str, int] = {}
        events = []
        records = []
        for event in decision.events:
            stream = event.stream
            version = versions.get(stream)
            if version is None:
                _, version = world.state(stream)
            versions[stream] = version = version + 1
            position += 1
            event_type = event_type_of(event.fact)
            payload = event.fact.SerializeToString()
            events.append(EncodedEvent(stream, event_type, metadata, payload))
            records.append(Record(position, stream, version, event_type, now_us, metadata, payload))
        states = overlay.after(records, [e.fact for e in decision.events], decision.metadata)
        return Decided(job, Append(events, world.guards, job.key), tuple(records), states)

    def _append(
        self, decided: Sequence[Decided], overlay: Overlay, now_us: int, result: Result
    ) -> None:
        try:
            outcomes = self._log.append_batch([each.append for each in decided], now_us)
        except BaseException:
            overlay.discard()
            raise
        if all(map(_as_foreseen, decided, outcomes)):
            overlay.keep()
            self._head = Head(decided[-1].records[-1].position, now_us)
        else:
            overlay.discard()
            self._head = None
        for each, outcome in zip(decided, outcomes, strict=True):
            if isinstance(outcome, Accepted):
                result.answers.append((each.job, _done(each, outcome)))
                result.events += len(each.records)
                result.last_position = outcome.last_position
            else:
                # One answered by another process meanwhile is found when it is looked up again.
                self._contended(each, result)
        result.flushes = int(result.last_position > 0)

    def _contended(self, each: Decided, result: Result) -> None:
        self._cache.evict(each.append.guards)
        if each.job.attempts < ATTEMPTS:
            result.again.append(each.job)
        else:
            streams = tuple(each.append.guards)
            result.answers.append((each.job, Contended(streams, each.job.attempts)))


def _as_foreseen(each: Decided, outcome: Outcome) -> bool:
    return (
        isinstance(outcome, Accepted)
        and outcome.first_position == each.records[0].position
        and outcome.recorded_us == each.records[0].recorded_us
    )


def _done(each: Decided, accepted: Accepted) -> Done:
    if _as_foreseen(each, accepted):
        return Done(each.records, {s: state for s, (state, _) in each.states.items()})
    # Another writer's events came before: the header differs, and so may the states.
    records = (
        replace(record, position=position, recorded_us=accepted.recorded_us)
        for position, record in enumerate(each.records, start=accepted.first_position)
    )
    return Done(tuple(records))
