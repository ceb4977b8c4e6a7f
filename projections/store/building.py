"""Building a generation beside the one that serves: the whole log, then indexes, then the switch.

Every page of events is one transaction with the position that it reaches, so a build that ended at
any instant, by a kill or a full disk, is gone on with from there.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import structlog

from projections.errors import RebuildRunning
from projections.read_model import Folding
from projections.store.claims import this_process
from projections.store.tracking import is_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from projections.event import Followed
    from projections.read_model import ReadModel
    from projections.store.generation import Generation
    from projections.store.generations import Generations

PAGE: Final = 5_000
"""The most events of a transaction; memory grows with it, and larger ones are no faster."""

log = structlog.get_logger(__name__)


class Building:
    """A generation on its way to the log's end; nobody reads from it.

    Goes on with one that was left unfinished, unless it is to be built `afresh`.

    Raises:
        RebuildRunning: another process builds.
    """

    def __init__(
        self,
        source: Followed,
        generations: Generations,
        models: Iterable[ReadModel],
        *,
        afresh: bool = False,
    ) -> None:
        self._source = source
        self._generations = generations
        self._folding = Folding(models)
        claim = generations.claims.building()
        if claim is None:
            raise RebuildRunning(generations.builder())
        self._claim = claim
        try:
            self.generation, self.position = self._opened(afresh=afresh)
        except BaseException:
            self._claim.release()
            raise
        self.resumed_position = self.position
        self._indexed = False

    def step(self) -> int:
        """Takes in one page; the number of its events, 0 at the log's end.

        Raises:
            FailingEvent: an event cannot be taken in; what came before it has been.
            OperationalError, LogUnavailable: a database cannot be used now; a later step may.
        """
        records = self._source.read(self.position, PAGE)
        if not records:
            return 0
        batch = self._folding.batch(self.position, records)
        if batch.last_position > self.position:
            self.generation.write(self.position, batch)
            self.position = batch.last_position
        if batch.failure is not None:
            raise batch.failure
        return len(records)

    def switch(self) -> None:
        """Has the generation serve, with its indexes, from the position where it is."""
        self.index()
        self._generations.switch(self.generation.number)

    def index(self) -> None:
        """Makes the indexes; what is taken in later is written to them too."""
        if not self._indexed:
            self.generation.index()
            self._indexed = True

    def close(self) -> None:
        """Closes the generation and gives the claim back; an unfinished one can be gone on with."""
        self.generation.close()
        self._claim.release()

    def _opened(self, *, afresh: bool) -> tuple[Generation, int]:
        unfinished = self._generations.unfinished()
        self._generations.discard_others(unfinished)
        if unfinished is not None and not afresh:
            generation = self._generations.open(unfinished)
            position = self._tracked(generation)
            if position is not None:
                self._generations.take_over(unfinished.number, this_process())
                log.info("read models are built on", position=position)
                return generation, position
            generation.close()
        if unfinished is not None:
            self._generations.discard(unfinished.number)
        entry = self._generations.begin(this_process(), time.time_ns() // 1_000)
        generation = self._generations.open(entry)
        generation.lay_out()
        return generation, 0

    def _tracked(self, generation: Generation) -> int | None:
        """Where a generation is, None where it is of no use: never laid out, or of lost events."""
        if not generation.is_laid_out():
            return None
        tracked = generation.tracked()
        return tracked.position if is_of(tracked, self._source) else None
