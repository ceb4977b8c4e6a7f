"""Group commit: the commands of one batch are decided, appended and answered together."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from ledger.context import Context
from ledger.event import Record
from ledger.log.batch import Decided, Job, Result, Unwritten
from ledger.log.command import Done
from ledger.log.contract import Accepted, Append, EncodedEvent, Head, Repeated
from ledger.log.errors import ClockBehind, Contended, LogError, RequestIdReused
from ledger.log.ids import id_maker
from ledger.log.mapper import event_type_of
from ledger.log.world import STATES_KEPT, NotedWorld, Overlay, StateCache
from ledger.refusals import Refusal
from ledger.texts.sealing import check_actors, sealer_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from ledger.log.command import Decider, Folder
    from ledger.log.contract import EventLog, Outcome, RequestKey
    from ledger.log.snapshots import Snapshots
    from ledger.log.world import Versioned
    from ledger.texts.keyring import Keyring

CLOCK_TOLERANCE_US = 60_000_000
"""How far the clock may lie behind the last record. Recorded time stands still meanwhile."""

ATTEMPTS = 5
"""How often a command is decided before other writers have won."""


class GroupCommit:
    """Decides and appends batches, one at a time, on one thread."""

    def __init__(
        self,
        log: EventLog,
        decide: Decider,
        folder: Folder,
        clock: Callable[[], int],
        states_kept: int = STATES_KEPT,
        *,
        snapshots: Snapshots | None = None,
        keyring: Keyring | None = None,
    ) -> None:
        self._log = log
        self._decide = decide
        self._folder = folder
        self._clock = clock
        self._cache = StateCache(log, folder, states_kept, snapshots)
        self._snapshots = snapshots
        self._keyring = keyring
        self._erasures = keyring.header.erasures if keyring else 0
        self._log_id = log.identity().log_id
        self._head: Head | None = None

    def run(self, jobs: Sequence[Job]) -> Result:
        """Answer each command or say that it has to come again. Never raises.

        Costs one query for the request ids and one transaction with one flush.
        """
        result = Result()
        pending = list(jobs)
        try:
            self._forget_the_erased()
            pending = self._first_times(pending, result)
            head = self._head = self._head or self._log.head()
            now_us = self._now(head)
            overlay = Overlay(self._cache, self._folder)
            decided, unwritten = self._decide_all(pending, overlay, head, now_us, result)
            pending = [each.job for each in decided] + [each.job for each in unwritten]
            if unwritten and self._log.shared:
                unwritten = self._present(unwritten, decided, result)
            spoilt = {event.stream for each in decided for event in each.append.events}
            try:
                spoilt = self._append(decided, overlay, now_us, result) if decided else set()
            finally:
                self._settle(unwritten, spoilt, result)
            for each in unwritten:
                if doubtful := spoilt & each.guards.keys():
                    self._contended(each.job, doubtful, result)
        # Whatever fails before the commit fails for those who wait, and never ends the lane.
        except Exception as error:  # noqa: BLE001
            self._head = None
            answered = {id(job) for job, _ in result.answers}
            answered.update(map(id, result.again))
            result.answers += [(job, error) for job in pending if id(job) not in answered]
        return result

    def _forget_the_erased(self) -> None:
        """Leaves all states behind, and the snapshots made of them, once somebody was erased."""
        if self._keyring is None or self._keyring.header.erasures == self._erasures:
            return
        self._erasures = self._keyring.header.erasures
        self._cache.forget()
        if self._snapshots is not None:
            self._snapshots.renew(self._keyring.state_key())

    def _first_times(self, jobs: list[Job], result: Result) -> list[Job]:
        """The jobs whose request was not accepted before; the others are answered.

        The second of two copies in one batch waits until the first is decided.
        """
        keyed = [job.key for job in jobs if job.key is not None]
        if not keyed:
            return jobs
        found = iter(self._found(keyed, [job for job in jobs if job.key is not None]))
        taken: set[bytes] = set()
        fresh = []
        for job in jobs:
            if job.key is None:
                fresh.append(job)
                continue
            stored = next(found)
            if stored is not None:
                result.answers.append((job, self._repeated(job, stored)))
            elif job.key.digest in taken:
                result.again.append(job)
            else:
                taken.add(job.key.digest)
                fresh.append(job)
        return fresh

    def _found(self, keys: Sequence[RequestKey], jobs: Sequence[Job]) -> Sequence[Repeated | None]:
        """What is stored under each key, or was before the ledger had keys for texts."""
        found = self._log.find_requests(keys)
        if self._keyring is None or not self._keyring.header.plain_until:
            return found
        before = self._log.find_requests([job.plain_key or job.key for job in jobs if job.key])
        return [now or earlier for now, earlier in zip(found, before, strict=True)]

    def _repeated(self, job: Job, stored: Repeated) -> Done | Exception:
        known = {key.content_hash for key in (job.key, job.plain_key) if key is not None}
        if stored.content_hash not in known:
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
    ) -> tuple[list[Decided], list[Unwritten]]:
        decided: list[Decided] = []
        unwritten: list[Unwritten] = []
        position = head.position
        for job in jobs:
            world = NotedWorld(overlay)
            try:
                each = self._decide_one(job, world, overlay, position, now_us)
            except Refusal as refusal:
                unwritten.append(Unwritten(job, refusal, world.guards, len(decided)))
                continue
            except LogError as error:
                result.answers.append((job, error))
                continue
            # The caller's outcome, whatever it is: neither a refusal nor a defect in one decision
            # may reach its neighbours or end the lane. Where another writer has changed what it
            # stands on, it may be none at all.
            except Exception as error:  # noqa: BLE001
                unwritten.append(Unwritten(job, error, world.guards, len(decided)))
                continue
            if job.command.validate_only:
                done = Done(each.records, _stated(each.states), validated_only=True)
                unwritten.append(Unwritten(job, done, world.guards, len(decided)))
                continue
            overlay.put(each.states, each.records)
            position = each.records[-1].position
            decided.append(each)
        return decided, unwritten

    def _decide_one(
        self, job: Job, world: NotedWorld, overlay: Overlay, position: int, now_us: int
    ) -> Decided:
        command = job.command
        job.attempts += 1
        context = Context(
            now_us=now_us,
            actor=command.principal,
            on_behalf_of=command.on_behalf_of,
            request_id=command.request_id,
            new_id=id_maker(self._log_id, job.principal, job.source),
            reached=lambda: max(position, self._log.head().position),
            key_of=self._key_of,
        )
        if self._keyring is not None:
            check_actors(self._keyring, command.principal, command.on_behalf_of)
        decision = self._decide(world, command.request, context)
        if not decision.events:
            raise ValueError("a decision without events; a refusal says that nothing changes")
        sealer = sealer_of(self._keyring, decision.metadata)
        versions: dict[str, int] = {}
        events = []
        records = []
        for event in decision.events:
            stream = event.stream
            version = versions.get(stream)
            if version is None:
                version = world.version(stream)
            versions[stream] = version = version + 1
            position += 1
            event_type = event_type_of(event.fact)
            metadata, payload = sealer.stored(stream, version, event_type, event.fact)
            events.append(EncodedEvent(stream, event_type, metadata, payload))
            records.append(Record(position, stream, version, event_type, now_us, metadata, payload))
        facts = [event.fact for event in decision.events]
        states = overlay.after(records, facts, decision.metadata)
        append = Append(events, world.guards, job.key)
        return Decided(job, append, tuple(records), states, facts, decision.metadata)

    def _key_of(self, person: str) -> str | None:
        """See `Context.key_of`."""
        if self._keyring is None:
            return None
        key = self._keyring.find_key_of(person)
        return key.name if key else ""

    def _append(
        self, decided: Sequence[Decided], overlay: Overlay, now_us: int, result: Result
    ) -> set[str]:
        """Appends and answers; gives the streams of what was not accepted."""
        try:
            outcomes = self._log.append_batch([each.append for each in decided], now_us)
        except BaseException:
            overlay.discard()
            raise
        accepted: Sequence[Decided]
        if all(map(Decided.foresaw, decided, outcomes)):
            accepted = decided
        else:
            accepted, overlay = _as_accepted(decided, outcomes, overlay.undecided())
        overlay.keep()
        for each in accepted:
            result.answers.append((each.job, Done(each.records, _stated(each.states))))
            result.events += len(each.records)
        self._head = None
        if accepted:
            last = accepted[-1].records[-1]
            # Nobody else wrote in between: the log takes one batch at a time.
            self._head = Head(last.position, last.recorded_us)
            result.last_position = last.position
            result.flushes = 1
        spoilt: set[str] = set()
        for each, outcome in zip(decided, outcomes, strict=True):
            if not isinstance(outcome, Accepted):
                # One answered by another process meanwhile is found when it is looked up again.
                self._contended(each.job, each.append.guards, result)
                spoilt.update(event.stream for event in each.append.events)
        return spoilt

    def _present(
        self, unwritten: Sequence[Unwritten], decided: Sequence[Decided], result: Result
    ) -> list[Unwritten]:
        """Those whose streams are still at the versions that they were taken on.

        An append would say so of itself; the others have to be decided again, because another
        process has written to a stream since it was read.
        """
        versions = self._log.stream_versions({s for each in unwritten for s in each.guards})
        present = []
        for each in unwritten:
            before = decided[: each.decided]
            own = Counter(record.stream for earlier in before for record in earlier.records)
            changed = [
                stream
                for stream, version in each.guards.items()
                if versions.get(stream, 0) != version - own[stream]
            ]
            if changed:
                self._contended(each.job, changed, result)
            else:
                present.append(each)
        return present

    def _settle(self, unwritten: Sequence[Unwritten], spoilt: set[str], result: Result) -> None:
        """Gives the answers that were not taken on effects which did not come about."""
        for each in unwritten:
            if spoilt.isdisjoint(each.guards):
                result.answers.append((each.job, each.answer))

    def _contended(self, job: Job, streams: Collection[str], result: Result) -> None:
        """Has a command decided again on what these streams are by now, unless it was too often."""
        self._cache.outdate(streams)
        if job.attempts < ATTEMPTS:
            result.again.append(job)
        else:
            result.answers.append((job, Contended(tuple(streams), job.attempts)))


def _as_accepted(
    decided: Sequence[Decided], outcomes: Sequence[Outcome], overlay: Overlay
) -> tuple[list[Decided], Overlay]:
    """The accepted ones with the positions that they got, and the states that they lead to.

    Another writer's events came before them, though none on the streams that they read.
    """
    accepted = []
    for each, outcome in zip(decided, outcomes, strict=True):
        if isinstance(outcome, Accepted):
            records = tuple(
                record._replace(position=position, recorded_us=outcome.recorded_us)
                for position, record in enumerate(each.records, outcome.first_position)
            )
            states = overlay.after(records, each.facts, each.metadata)
            overlay.put(states, records)
            accepted.append(each._replace(records=records, states=states))
    return accepted, overlay


def _stated(states: Mapping[str, Versioned]) -> dict[str, Any]:
    """The states without their versions."""
    return {stream: state for stream, (state, _) in states.items()}
