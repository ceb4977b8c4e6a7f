"""One replay of a cycle: its events are read once, and its frames made one after the other."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from typing import TYPE_CHECKING, Final

from ledger.cycles import Cycle, cycle_of
from ledger.refusals import DayInFuture, DayOutsideCycle, NotFound
from ledger.values import date_message, timestamp
from ledger.values import day as calendar_day
from okr.v1 import events_pb2 as facts
from okr.v1 import replay_service_pb2 as api
from okr.v1.event_record_pb2 import Event
from okr.v1.values_pb2 import TeamDefinition
from projections import chronicle, plan
from projections.as_of import Known
from projections.audit import decisions as audit
from projections.board import alignment_of, with_children
from projections.catalogue import cycle_at, team_at
from projections.cycle_end import with_seal
from projections.errors import ReplayTooLarge
from projections.replay.belonging import Belonging
from projections.replay.history import History
from projections.replay.moments import (
    Days,
    Moment,
    Told,
    as_known_now,
    as_known_then,
    of_each_event,
    told,
)
from projections.replay.moves import Lines, lines_of, moves
from projections.replay.score_watch import ALIGNMENT
from projections.scorecard import Tree, tree_of

if TYPE_CHECKING:
    from google.protobuf.message import Message
    from sqlalchemy import Connection

    from ledger.event import Record
    from ledger.log.contract import LogReader
    from projections.reading import Reader

EVENTS_AT_MOST: Final = 200_000
"""The most events of a cycle that is replayed: they are held in memory."""

SHOWN: Final = 500
"""The most events that a frame shows."""

SHOWN_BYTES: Final = 512 * 1024
"""Stored bytes after which a frame shows no more; an event has them twice."""


@dataclass(frozen=True, slots=True)
class Played:
    """What is replayed: the cycle as it is known at the end, its days, its streams."""

    cycle: Cycle
    days: Days
    streams: Sequence[str]


class Replay:
    """A replay of what was known at an instant."""

    def __init__(
        self, reader: Reader, request: api.ReplayCycleRequest, played: Played, known: Known
    ) -> None:
        self._reader = reader
        self._request = request
        self._played = played
        self._known = known
        self._history = History(known.position)

    async def frames(self) -> AsyncGenerator[api.ReplayFrame, None]:
        """The frames, each made when it is asked for.

        Raises:
            ReplayTooLarge: the cycle has more events than are replayed.
            ProjectionStopped, DeadlinePassed, Displaced: the read models cannot be read.
        """
        moments = await self._reader.at(self._moments, self._known)
        before: Lines | None = None
        number = 0
        missed: list[Record] = []
        for index, moment in enumerate(moments):
            happened = [*missed, *moment.happened]
            whole = not self._request.changes_only or index + 1 == len(moments) or not number
            make = partial(self._frame, replace(moment, happened=happened), before, whole)
            frame = await self._reader.at(make, self._known)
            if frame is None:
                missed = happened
                continue
            made, before = frame
            missed = []
            number += 1
            made.number = number
            yield made

    def _moments(self, connection: Connection, _: Known) -> list[Moment]:
        events = self._told(connection)
        step, days = self._request.step, self._played.days
        if step == api.REPLAY_STEP_EVENT:
            return list(of_each_event(events, days))
        if self._request.knowledge == api.REPLAY_KNOWLEDGE_NOW:
            return list(as_known_now(events, days, step))
        return list(as_known_then(events, days, step))

    def _told(self, connection: Connection) -> list[Told]:
        records = sorted(
            _records(self._reader.log, self._played.streams, self._known.position),
            key=lambda record: record.position,
        )
        belonging = Belonging(self._reader.views, self._request.cycle, self._request.team)
        shown = {record.position for record in belonging.among(connection, records)}
        return told(records, shown, self._played.cycle.definition.time_zone)

    def _frame(
        self, moment: Moment, before: Lines | None, whole: bool, connection: Connection, _: Known
    ) -> tuple[api.ReplayFrame, Lines] | None:
        """A frame without its number; None where the cycle or the team was not there yet."""
        self._history.connection = connection
        of = self._tree(moment)
        if of is None:
            return None
        after = lines_of(of)
        known = Known(moment.position, moment.known_us, moment.day)
        return (
            api.ReplayFrame(
                day=date_message(moment.day),
                known_position=moment.position,
                known_time=timestamp(moment.known_us),
                scorecard=with_seal(connection, of, known) if whole else None,
                events=self._shown(moment.happened),
                event_count=len(moment.happened),
                moves=() if before is None else moves(before, after),
            ),
            after,
        )

    def _tree(self, moment: Moment) -> Tree | None:
        name = self._request.cycle
        known = self._history.revisions([name], moment.position)[name]
        cycle = cycle_of(name, known, moment.day) or cycle_of(name, known)
        if cycle is None:
            return None
        team = self._request.team
        try:
            return tree_of(self._history, cycle, team, moment.position, moment.day)
        except NotFound:
            return None

    def _shown(self, records: Sequence[Record]) -> Iterator[Event]:
        identity = self._reader.views.identity
        size = 0
        for record in records[:SHOWN]:
            size += len(record.metadata) + len(record.payload)
            if size > SHOWN_BYTES:
                return
            yield audit.event(record, identity.log_id, identity.epoch)


def planned(connection: Connection, request: api.ReplayCycleRequest, known: Known) -> Played:
    """What a request asks to be replayed.

    Raises:
        NotFound: the cycle or the team is not known.
        DayOutsideCycle, DayInFuture: a day that is none of the cycle's, or had not come.
    """
    cycle, last = cycle_at(connection, request.cycle, known)
    if request.team:
        team_at(connection, request.team, known)
    first = cycle.first_day
    if request.HasField("first_day"):
        first = _first(request, cycle, last)
    return Played(
        cycle,
        Days(cycle.first_day, first, last, to_present=known.day is None),
        _streams(connection, cycle.name, request.team, known.position),
    )


def _first(request: api.ReplayCycleRequest, cycle: Cycle, last: date) -> date:
    first = calendar_day(request.first_day, "first_day")
    if not cycle.first_day <= first <= cycle.last_check_in_day:
        raise DayOutsideCycle(
            "first_day",
            first.isoformat(),
            cycle.first_day.isoformat(),
            cycle.last_check_in_day.isoformat(),
        )
    if first > last:
        raise DayInFuture("first_day", first.isoformat(), last.isoformat())
    return first


def _streams(connection: Connection, cycle: str, team: str, position: int) -> list[str]:
    """The streams of all that bears on a cycle, or on a team in it."""
    history = History(position)
    history.connection = connection
    collections = [plan.objectives_of(cycle), plan.adjustments_of(cycle), plan.TEAMS]
    objectives, adjustments, teams = history.members(collections, position).values()
    if team:
        owned = history.members(
            [plan.objectives_of(name) for name in _ever_below(history, teams, team, position)],
            position,
        )
        of_team = {name for members in owned.values() for name in members}
        objectives = [name for name in objectives if name in of_team]
    bearing = with_children(alignment_of(history, objectives, position))
    cycles = (
        found[0].fact.cycle  # type: ignore[attr-defined]  # the first is its creation
        for found in history.revisions(bearing, position).values()
        if found
    )
    reviews = chronicle.of_cycle(connection, chronicle.Wanted(cycle, facts.ReviewHeld), position)
    own = [cycle, *cycles, *bearing, *adjustments, *(review.name for review in reviews)]
    return list(dict.fromkeys([*own, *teams, ALIGNMENT]))


def _ever_below(history: History, teams: Sequence[str], root: str, position: int) -> Sequence[str]:
    """A team and all that were below it at any time."""
    parents = {
        name: {
            definition.parent for revision in found for definition in _definitions(revision.fact)
        }
        for name, found in history.revisions(teams, position).items()
    }
    below = [root]
    for team in below:
        below += [name for name in teams if team in parents[name] and name not in below]
    return below


def _definitions(fact: Message) -> Iterator[TeamDefinition]:
    match fact:
        case facts.TeamRegistered():
            yield fact.definition
        case facts.TeamRevised():
            yield fact.after


def _records(log: LogReader, streams: Sequence[str], until: int) -> list[Record]:
    """The events of some streams up to a position.

    Raises:
        ReplayTooLarge: there are more than are replayed.
    """
    found: list[Record] = []
    for stream in streams:
        found += [record for record in log.read_stream(stream) if record.position <= until]
        if len(found) > EVENTS_AT_MOST:
            raise ReplayTooLarge(len(found), EVENTS_AT_MOST)
    return found
