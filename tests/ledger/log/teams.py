"""A small domain for the lane: teams are registered once, then retired any number of times."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.message import Message

from ledger.context import Context
from ledger.event import Decision, NewEvent, Record
from ledger.log.batch import Job
from ledger.log.command import Command, Done
from ledger.log.contract import Append, EventLog, Outcome, request_key
from ledger.refusals import Exists, NotFound
from ledger.view import World
from okr.v1.event_record_pb2 import EventMetadata
from okr.v1.events_pb2 import Aligned, TeamRegistered, TeamRetired


@dataclass(frozen=True)
class Team:
    """What a stream of the test's domain folds to."""

    retired: int = 0
    positions: tuple[int, ...] = ()


class Teams:
    """Decider and folder. `decided` counts the decisions taken for each request."""

    def __init__(self) -> None:
        self.decided = 0
        self.ids: list[str] = []

    def initial(self, stream: str) -> Team:
        return Team()

    def apply(self, state: Team, record: Record, fact: Message, metadata: EventMetadata) -> Team:
        retired = state.retired + isinstance(fact, TeamRetired)
        return Team(retired, (*state.positions, record.position))

    def __call__(self, world: World, request: Message, context: Context) -> Decision:
        self.decided += 1
        self.ids.append(context.new_id())
        metadata = EventMetadata(request_id=context.request_id)
        metadata.actor.plain = context.actor
        if isinstance(request, TeamRegistered):
            if world.state(request.team)[1]:
                raise Exists(request.team)
            return Decision([NewEvent(request.team, request)], metadata)
        if isinstance(request, TeamRetired):
            if not world.state(request.team)[1]:
                raise NotFound(request.team)
            return Decision([NewEvent(request.team, request)], metadata)
        if isinstance(request, Aligned):
            # Reads one stream, writes two.
            world.state("cycles/q4")
            written = [request.child, request.parent]
            return Decision([NewEvent(s, TeamRegistered(team=s)) for s in written], metadata)
        raise RuntimeError("a defect")


def register(team: str, request_id: str = "", **given: Any) -> Command:
    message = TeamRegistered(team=team)
    return Command(message, "people/p", message.SerializeToString(), request_id=request_id, **given)


def retire(team: str, request_id: str = "", **given: Any) -> Command:
    message = TeamRetired(team=team)
    return Command(message, "people/p", message.SerializeToString(), request_id=request_id, **given)


def register_two(child: str, parent: str) -> Command:
    return Command(Aligned(child=child, parent=parent), "people/p")


def defect() -> Command:
    return Command(EventMetadata(), "people/p")


def job(command: Command) -> Job:
    key = None
    if command.request_id:
        key = request_key(command.principal, command.request_id, command.content_hash)
    return Job(command, key, command.request_id or "random", command.principal)


def positions(done: Done | Exception) -> list[int]:
    assert isinstance(done, Done), done
    return [record.position for record in done.records]


@dataclass
class FaultyLog:
    """A log whose appends can be made to fail, or preceded by somebody else's."""

    log: EventLog
    before_append: list[Callable[[], object]] = field(default_factory=list)
    batches: list[int] = field(default_factory=list)

    def append_batch(self, appends: Sequence[Append], recorded_us: int) -> list[Outcome]:
        if self.before_append:
            self.before_append.pop(0)()
        self.batches.append(len(appends))
        return self.log.append_batch(appends, recorded_us)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.log, name)
