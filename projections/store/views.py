"""The read models as a whole: the generation that serves is opened, written, read, waited for."""

from __future__ import annotations

from contextlib import closing, contextmanager
from dataclasses import dataclass
from hashlib import sha256
from threading import Lock
from typing import TYPE_CHECKING

import structlog
from sqlalchemy.schema import CreateIndex, CreateTable

from projections.errors import Displaced, ReadModelsUnavailable
from projections.models import READ_MODELS
from projections.store.building import Building
from projections.store.database import UNAVAILABLE, dialect_of
from projections.store.generations import Generations
from projections.store.progress import Progress
from projections.store.tables import TABLES
from projections.store.tracking import PROJECTION, is_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sqlalchemy import Dialect

    from ledger.log.contract import LogIdentity
    from ledger.log.database import Database
    from projections.errors import FailingEvent
    from projections.event import Followed
    from projections.read_model import Batch, ReadModel
    from projections.store.claims import Claim
    from projections.store.generation import Generation, Reading
    from projections.store.generations import Entry
    from projections.store.tracking import Tracked

log = structlog.get_logger(__name__)


class Opened:
    """A generation in use by this process, and how many of its reads are running."""

    def __init__(self, generation: Generation, claim: Claim) -> None:
        self.generation = generation
        self.readings = 0
        self._claim = claim

    def held(self) -> bool:
        """Whether it is kept from being removed, as it was when it was opened."""
        return self._claim.held()

    def close(self) -> None:
        """Lets the generation go; others may remove it then."""
        self.generation.close()
        self._claim.release()


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A generation that is being built, and the last event that it has."""

    entry: Entry
    position: int


class Views:
    """The read models of one log, in the database that it is in.

    Making one touches nothing; `open` opens the generation that serves, if there is one. Where
    another one comes to serve, `look` has it followed, and reads go over to it as soon as it knows
    no less than they did before.
    """

    def __init__(
        self, log: Database, identity: LogIdentity, models: Iterable[ReadModel] = READ_MODELS
    ) -> None:
        self.models = tuple(models)
        self.identity = identity
        self.version = version_of(self.models, dialect_of(log))
        self.generations = Generations(log, identity, self.version)
        self.progress = Progress(f"{PROJECTION}/{self.version}")
        self._lock = Lock()
        self._followed: Opened | None = None
        self._read: Opened | None = None
        self._left: list[Opened] = []

    def open(self, source: Followed) -> int | None:
        """Opens the generation that serves; the position that it holds.

        Removes those before it that nobody uses. None if there is none yet, or if it holds what the
        log does not: the log was restored from an older copy, and a generation has to be built
        anew.
        """
        if not self.look():
            return None
        tracked = self.tracked()
        if not is_of(tracked, source):
            reason = f"the log has not the event that they have at {tracked.position}"
            log.warning(
                "read models are built anew",
                reason=f"{reason}: if it was restored, begin a new epoch",
            )
            self._retire()
            return None
        self.reach(tracked.position)
        self.sweep()
        return tracked.position

    def build(self, source: Followed, *, afresh: bool = False) -> Building:
        """A new generation beside the one that serves; whoever asks closes it.

        Raises:
            RebuildRunning: another process builds.
        """
        return Building(source, self.generations, self.models, afresh=afresh)

    def look(self) -> bool:
        """Follows the generation that serves, whether or not it did before; False if none does.

        Costs a look-up in the catalogue. What this process no longer uses is closed, and removed
        where nobody else uses it either.
        """
        self._close_left()
        serving = self.generations.serving()
        followed = self._followed
        if serving is None:
            return False
        if followed and followed.generation.number == serving.number and followed.held():
            return True
        found = self.generations.use()
        if found is None:
            return False
        entry, claim = found
        opened = Opened(self.generations.open(entry), claim)
        if followed is not None:
            log.info("read models opened", generation=entry.number)
        with self._lock:
            if followed is not None and followed is not self._read:
                self._left.append(followed)
            self._followed = opened
        return True

    def serving(self) -> int:
        """The number of the generation that reads are answered from, 0 if none is."""
        with self._lock:
            return self._read.generation.number if self._read else 0

    def unfinished(self) -> Unfinished | None:
        """The generation of this version that is being built or was left so.

        None if none is, or if that cannot be told now.
        """
        try:
            entry = self.generations.unfinished()
            if entry is None:
                return None
            with closing(self.generations.open(entry)) as generation:
                tracked = generation.tracked_by_any() if generation.is_laid_out() else None
        except ReadModelsUnavailable:
            return None
        return Unfinished(entry, tracked.position if tracked else 0)

    def write(self, before: int, batch: Batch) -> None:
        """Adds the rows of the events after `before`, all or none.

        Raises:
            Overtaken: the tables are not at `before`.
        """
        self._current().write(before, batch)

    def stop(self, failure: FailingEvent) -> None:
        """Keeps where and why the projection stopped, for every process that reads."""
        self._current().stop(failure)

    def tracked(self) -> Tracked:
        """Where the followed tables are.

        Raises:
            Displaced: there are none, or another version, log or epoch took them over.
        """
        return self._current().tracked()

    def reach(self, position: int) -> None:
        """The followed tables hold a position: tells those who wait, once reads find it there.

        Reads go over to tables that they do not read from yet when these know no less than they.
        """
        with self._lock:
            if self._read is not self._followed:
                if position < self.progress.position:
                    return
                if self._read is not None:
                    self._left.append(self._read)
                self._read = self._followed
        self.progress.reach(position)

    @contextmanager
    def reading(self) -> Iterator[Reading]:
        """Reads of one state of the tables, from any thread.

        Raises:
            Displaced: there are none, or another version, log or epoch took them over.
        """
        with self._lock:
            read = self._read
            if read is None:
                raise Displaced(self.progress.projection)
            read.readings += 1
        try:
            with read.generation.reading() as reading:
                yield reading
        finally:
            with self._lock:
                read.readings -= 1

    async def wait_for(self, position: int, seconds: float | None) -> None:
        """Returns once the tables hold a position, at most `seconds` from now; None waits for ever.

        Raises:
            ProjectionStopped: they will not hold it until someone acts.
            DeadlinePassed: they did not in time.
        """
        await self.progress.wait_for(position, seconds)

    def sweep(self) -> None:
        """Removes generations that serve no more and that nobody uses, as far as they can be."""
        try:
            removed = self.generations.sweep()
        except (*UNAVAILABLE, ReadModelsUnavailable) as error:
            # The next one who goes over, or starts, tries again.
            log.warning("read models cannot be removed now", reason=str(error))
            return
        for number in removed:
            log.info("read models removed", generation=number)

    def close(self) -> None:
        """Closes the connections that are not in use; call it when nobody reads or follows."""
        with self._lock:
            opened = {*self._left, self._read, self._followed}
            self._left.clear()
            self._read = self._followed = None
        for each in opened:
            if each is not None:
                each.close()
        self.generations.close()

    def _current(self) -> Generation:
        if self._followed is None:
            raise Displaced(self.progress.projection)
        return self._followed.generation

    def _retire(self) -> None:
        """Has the generation that is followed serve no more."""
        self.generations.retire(self._current().number)
        with self._lock:
            if self._followed is not None and self._followed is not self._read:
                self._left.append(self._followed)
            self._followed = None

    def _close_left(self) -> None:
        with self._lock:
            idle = [opened for opened in self._left if not opened.readings]
            self._left = [opened for opened in self._left if opened.readings]
        for opened in idle:
            opened.close()
        if idle:
            self.sweep()


def version_of(models: Iterable[ReadModel], dialect: Dialect) -> str:
    """Twelve hexadecimal digits that change when the tables or the folds do."""
    digest = sha256()
    for table in TABLES.sorted_tables:
        digest.update(str(CreateTable(table).compile(dialect=dialect)).encode())
        for index in sorted(table.indexes, key=lambda index: str(index.name)):
            digest.update(str(CreateIndex(index).compile(dialect=dialect)).encode())
    for model in models:
        digest.update(f"{model.table.name} {model.version} ".encode())
    return digest.hexdigest()[:12]
