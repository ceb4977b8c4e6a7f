"""The generations of the read models: sets of tables, of which one serves while others are built.

A version of the read models reads and follows the newest generation that was made by its folds from
its log. Servers of another version go on with theirs beside it, until nobody uses that any more.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from sqlalchemy import Column, MetaData, Table, delete, func, insert, inspect, select, update

from projections.store.claims import claims_beside
from projections.store.database import (
    CATALOGUE,
    begin_alone,
    drop,
    make_room,
    numbers_there,
    reader,
    reads_told,
    recorder,
)
from projections.store.generation import Generation
from projections.store.tables import TEXT, WHOLE

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection

    from ledger.log.contract import LogIdentity
    from ledger.log.database import Database
    from projections.store.claims import Claim

TABLES = MetaData()

generations = Table(
    "generations",
    TABLES,
    Column("number", WHOLE, primary_key=True, autoincrement=False),
    Column("log_id", TEXT, nullable=False),
    Column("epoch", WHOLE, nullable=False),
    Column("version", TEXT, nullable=False),
    Column("state", TEXT, nullable=False),
    Column("builder", TEXT, nullable=False),
    Column("begun_us", WHOLE, nullable=False),
)


class State(StrEnum):
    """What a generation is for."""

    BUILDING = "building"
    SERVING = "serving"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True)
class Entry:
    """A generation in the catalogue: which log and folds it is made of, who built it and when.

    `begun_us` counts µs since 1970 UTC.
    """

    number: int
    log_id: str
    epoch: int
    version: str
    state: State
    builder: str
    begun_us: int


class Generations:
    """The catalogue of the generations beside one log, for one version of the read models.

    Opening touches nothing. A generation's number is higher than those of all that served before.
    """

    def __init__(self, log: Database, identity: LogIdentity, version: str) -> None:
        self.log = log
        self._identity = identity
        self._version = version
        self._recorder = recorder(log)
        self._reader = reader(log, CATALOGUE)
        self._found = False
        self.claims = claims_beside(log)

    def all(self) -> list[Entry]:
        """Every generation, whatever its log and version, by number."""
        with reads_told(), self._reader.connect() as connection:
            return self._entries(connection) if self._is_laid_out(connection) else []

    def serving(self) -> Entry | None:
        """The generation to read from and to follow, None if there is none yet."""
        return self._newest(State.SERVING)

    def unfinished(self) -> Entry | None:
        """The generation of this version whose building has begun and not ended."""
        return self._newest(State.BUILDING)

    def discard_others(self, kept: Entry | None) -> None:
        """Removes every other unfinished generation; for the holder of the claim to build."""
        for entry in self.all():
            if entry.state is State.BUILDING and entry != kept:
                self.discard(entry.number)

    def begin(self, builder: str, now_us: int) -> Entry:
        """Enters a new generation; for the holder of the claim to build."""
        with self._recorder.begin() as connection:
            begin_alone(connection)
            self._lay_out(connection)
            last = connection.execute(select(func.max(generations.c.number))).scalar_one() or 0
            # What a catalogue that was thrown away has left under this number.
            drop(connection, self.log, last + 1)
            entry = Entry(
                last + 1,
                self._identity.log_id,
                self._identity.epoch,
                self._version,
                State.BUILDING,
                builder,
                now_us,
            )
            connection.execute(insert(generations).values(_values(entry)))
        return entry

    def open(self, entry: Entry) -> Generation:
        """The tables of a generation; whoever opens it closes it."""
        return Generation(self.log, entry.number, self._identity, self._version)

    def switch(self, number: int) -> None:
        """Has a generation serve in place of the one that does, in one transaction."""
        with self._recorder.begin() as connection:
            connection.execute(
                update(generations)
                .where(*self._mine(), generations.c.state == State.SERVING)
                .values(state=State.RETIRED)
            )
            _change(connection, number, state=State.SERVING)

    def take_over(self, number: int, builder: str) -> None:
        """Says who builds on; for the holder of the claim to build."""
        with self._recorder.begin() as connection:
            _change(connection, number, builder=builder)

    def builder(self) -> str:
        """Who builds, empty if that cannot be told."""
        building = (entry.builder for entry in self.all() if entry.state is State.BUILDING)
        return next(building, "")

    def retire(self, number: int) -> None:
        """Has a generation serve no more."""
        with self._recorder.begin() as connection:
            _change(connection, number, state=State.RETIRED)

    def use(self) -> tuple[Entry, Claim] | None:
        """The generation that serves, kept from being removed; None if there is none yet."""
        while (entry := self.serving()) is not None:
            claim = self.claims.use(entry.number)
            if claim is None:
                # Its successor is in the catalogue already, or its removal ends in a moment.
                continue
            try:
                same = self.serving() == entry
            except BaseException:
                claim.release()
                raise
            if same:
                return entry, claim
            claim.release()
        return None

    def discard(self, number: int) -> None:
        """Removes a generation; for the holder of the claim to build, or to remove it."""
        # First, so that nobody takes tables for whole of which some are removed already.
        self.retire(number)
        with self._recorder.begin() as connection:
            drop(connection, self.log, number)
            connection.execute(delete(generations).where(generations.c.number == number))

    def sweep(self) -> list[int]:
        """Removes what no longer serves and nobody uses; the numbers of what is removed.

        That is what was retired, and what another version or log left behind before the newest
        generation that serves.
        """
        # Before the catalogue: a file is made after its entry, and goes before it.
        there = numbers_there(self.log)
        entries = self.all()
        newest = max((e.number for e in entries if e.state is State.SERVING), default=0)
        past = {
            entry.number
            for entry in entries
            if entry.state is State.RETIRED
            or (entry.state is State.SERVING and entry.number < newest)
        }
        # Without an entry are those that somebody opened just as they were removed.
        unknown = there - {entry.number for entry in entries}
        return [number for number in sorted(past | unknown) if self._removed(number)]

    def close(self) -> None:
        """Closes the connections."""
        self._reader.dispose()
        self._recorder.dispose()

    def _newest(self, state: State) -> Entry | None:
        with reads_told(), self._reader.connect() as connection:
            if not self._is_laid_out(connection):
                return None
            found = self._entries(connection, *self._mine(), generations.c.state == state)
            return found[-1] if found else None

    def _mine(self) -> tuple[ColumnElement[bool], ...]:
        return (
            generations.c.log_id == self._identity.log_id,
            generations.c.epoch == self._identity.epoch,
            generations.c.version == self._version,
        )

    def _entries(self, connection: Connection, *conditions: ColumnElement[bool]) -> list[Entry]:
        rows = connection.execute(
            select(generations).where(*conditions).order_by(generations.c.number)
        )
        return [replace(Entry(*row), state=State(row.state)) for row in rows]

    def _removed(self, number: int) -> bool:
        """Removes a generation, unless somebody uses it."""
        claim = self.claims.removal(number)
        if claim is None:
            return False
        try:
            self.discard(number)
        finally:
            claim.release()
        return True

    def _is_laid_out(self, connection: Connection) -> bool:
        if not self._found:
            schema = inspect(connection)
            self._found = schema.has_table(generations.name) and {
                column["name"] for column in schema.get_columns(generations.name)
            } == {column.name for column in generations.c}
        return self._found

    def _lay_out(self, connection: Connection) -> None:
        """Makes the catalogue, in place of whatever else its database holds."""
        if not self._is_laid_out(connection):
            make_room(connection)
            others = MetaData()
            others.reflect(connection)
            others.drop_all(connection)
            TABLES.create_all(connection)


def _values(entry: Entry) -> dict[str, object]:
    return {column.name: getattr(entry, column.name) for column in generations.c}


def _change(connection: Connection, number: int, **values: str) -> None:
    connection.execute(update(generations).where(generations.c.number == number).values(**values))
