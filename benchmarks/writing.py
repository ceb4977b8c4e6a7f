"""Writes ledgers quickly: what has to be decided through decisions, the rest in bulk."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import Any, cast

import protovalidate
from google.protobuf.message import Message

from ledger.log.command import Command
from ledger.log.contract import Accepted, Append, EncodedEvent, EventLog, request_key
from ledger.log.lane import WriteLane
from ledger.model import Domain

EPOCH = date(1970, 1, 1).toordinal()
BATCH = 1_000
"""Events of one transaction."""
ACTOR = "services/bench"
CONTENT_HASH = bytes(32)


class _Shared:
    """A log that is written to past the lane, so that a lane looks again before it refuses."""

    shared = True

    def __init__(self, log: EventLog) -> None:
        self._log = log

    def __getattr__(self, name: str) -> Any:
        return getattr(self._log, name)


@dataclass(slots=True)
class Writer:
    """Writes to a log that nobody else writes to, at instants that never go back.

    With `requests` each event that is added is one of a request with an id of its own, in order of
    time, as if it had come by a call.
    """

    log: EventLog
    requests: bool = False
    _written: int = 0
    _now_us: int = 0
    _lane: WriteLane = field(init=False)
    _waiting: list[EncodedEvent] = field(default_factory=list)
    _versions: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        domain = Domain()
        log = cast("EventLog", _Shared(self.log))
        self._lane = WriteLane(log, domain, domain, clock=lambda: self._now_us)
        self._written = self.log.head().position

    @property
    def position(self) -> int:
        """The position of the last event, written or waiting."""
        return self._written + len(self._waiting)

    def decide(self, requests: Iterable[Message], actor: str, now_us: int) -> None:
        """Has requests decided as the service does, after all that was added before.

        Raises:
            Refusal: one of them is refused.
        """
        self.flush()
        self._now_us = now_us
        for request in requests:
            protovalidate.validate(request)
            self._lane.add(Command(request, actor))
        while self._lane.waiting:
            for _, outcome in self._lane.run():
                if isinstance(outcome, Exception):
                    raise outcome
                self._versions |= {r.stream: r.stream_version for r in outcome.records}
        self._written = max(self._written, self._lane.last_position)

    def add(self, event: EncodedEvent, now_us: int) -> None:
        """Takes an event of a stream that a decision has made, for the next batch."""
        self._waiting.append(event)
        self._now_us = now_us
        if len(self._waiting) == BATCH:
            self.flush()

    def flush(self) -> None:
        """Writes what waits, recorded at the instant of the last of it."""
        if not self._waiting:
            return
        appends = self._one_by_one() if self.requests else [self._at_once()]
        for outcome in self.log.append_batch(appends, self._now_us):
            assert isinstance(outcome, Accepted)
            self._written = outcome.last_position
        self._waiting = []

    def _at_once(self) -> Append:
        guards = {event.stream: self._versions[event.stream] for event in self._waiting}
        for event in self._waiting:
            self._versions[event.stream] += 1
        return Append(self._waiting, guards)

    def _one_by_one(self) -> list[Append]:
        appends = []
        began = f"{self._now_us // 1_000:012x}"
        for number, event in enumerate(self._waiting, self._written):
            request_id = f"{began[:8]}-{began[8:]}-7000-8000-{number:012x}"
            version = self._versions[event.stream]
            self._versions[event.stream] = version + 1
            key = request_key(ACTOR, request_id, CONTENT_HASH)
            appends.append(Append([event], {event.stream: version}, key))
        return appends

    def forget(self) -> None:
        """Lets go of the streams written to so far, to which nothing is added any more."""
        self.flush()
        self._versions.clear()


def instant_us(day: date, hour: float = 12) -> int:
    """An hour of a day, in µs since 1970 UTC."""
    return (day.toordinal() - EPOCH) * 86_400_000_000 + int(hour * 3_600_000_000)
