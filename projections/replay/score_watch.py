"""One watch of a scorecard: what moves its scores, as it comes and without an end."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Final

from ledger.call import hides, shows
from ledger.event import fact_of
from okr.v1 import events_pb2 as facts
from projections.as_of import Known
from projections.catalogue import cycle_at
from projections.cycle_end import with_seal
from projections.replay.moves import lines_of, moves
from projections.scorecard import Tree, below, tree

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from ledger.event import Record
    from okr.v1.replay_service_pb2 import ScoreMove
    from okr.v1.resources_pb2 import Scorecard
    from projections.reading import Reader
    from projections.replay.tail import Tail

POSITIONS: Final = 1000
"""The most positions of events that an answer names."""

ALIGNMENT: Final = "alignment"


@dataclass(frozen=True, slots=True)
class Moved:
    """What moved, and the positions of the events that bear on it, up to a position."""

    day: date
    moves: Sequence[ScoreMove]
    event_positions: Sequence[int]
    position: int
    card: Scorecard | None = None


class ScoreWatch:
    """Follows the scores of a cycle, or of a team in it, from what is known at an instant."""

    def __init__(
        self, reader: Reader, tail: Tail, asked: tuple[str, str], checkpoint_seconds: float
    ) -> None:
        self._reader = reader
        self._tail = tail
        self._cycle, self._team = asked
        self._every = checkpoint_seconds

    async def moving(self, since: Known, at: Known) -> AsyncGenerator[Moved, None]:
        """First the scorecard at an instant, with what moved since an earlier one; then what moves.

        Raises:
            Refusal: the cycle or the team is not known, or does not hold any more.
            ProjectionStopped, DeadlinePassed, LogUnavailable: it cannot be told.
        """
        of, card = await self._reader.at(self._with_card, at)
        earlier = of if since == at else await self._reader.at(self._tree, since)
        yield Moved(of.day, _moves(earlier, of), (), at.position, card)
        position = at.position
        loop = asyncio.get_running_loop()
        async with self._tail.followed():
            until = loop.time() + self._every
            while True:
                bearing, position = await self._bearing(of, position)
                due = loop.time() >= until
                before = of
                if bearing or (due and self._now(position).day_of(of.cycle) != of.day):
                    of = await self._reader.at(self._tree, self._now(position))
                moved = _moves(before, of)
                positions = [record.position for record in bearing if shows(record)]
                # What bears on hidden scores alone is no news.
                if positions or moved or due:
                    yield Moved(of.day, moved, positions, position)
                    until = loop.time() + self._every
                await self._tail.beyond(position, max(0.0, until - loop.time()))

    async def _bearing(self, of: Tree, after: int) -> tuple[Sequence[Record], int]:
        """What bears on the scores after a position, the latest of it, up to the end of the log."""
        found: deque[Record] = deque(maxlen=POSITIONS)
        while page := await self._tail.page(after):
            found.extend(record for record in page if bears_on(of, record))
            after = page[-1].position
        return tuple(found), after

    def _now(self, position: int) -> Known:
        return Known(position, self._reader.now(), None)

    def _tree(self, connection: Connection, known: Known) -> Tree:
        cycle, day = cycle_at(connection, self._cycle, known)
        made = tree(connection, cycle, self._team, known.position, day)
        # Scores are made when they are first asked for, which has to be in this thread.
        lines_of(made)
        return made

    def _with_card(self, connection: Connection, known: Known) -> tuple[Tree, Scorecard]:
        made = self._tree(connection, known)
        return made, with_seal(connection, made, known)


def bears_on(of: Tree, record: Record) -> bool:
    """Whether an event may move a score of the tree, or change what is in it."""
    stream = record.stream
    if stream == ALIGNMENT or stream.startswith("teams/"):
        return True
    if stream in of.board.facts.objectives or stream in of.board.facts.cycles:
        return True
    if stream == of.cycle.name:
        return True
    fact = fact_of(record)
    if isinstance(fact, facts.ObjectiveCreated):
        inside = below(of.teams, of.team)
        return fact.cycle == of.cycle.name and fact.definition.team in inside
    return isinstance(fact, facts.ObjectiveRevised) and fact.after.team in below(of.teams, of.team)


def _moves(before: Tree, after: Tree) -> Sequence[ScoreMove]:
    return [move for move in moves(lines_of(before), lines_of(after)) if not hides(move.name)]
