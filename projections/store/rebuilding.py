"""Rebuilding while others serve: build beside them, compare, switch."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy.exc import DatabaseError, OperationalError

from projections.errors import ReadModelsUnavailable, TablesDiffer, TablesUnavailable
from projections.store.comparing import compare
from projections.store.tracking import is_of

if TYPE_CHECKING:
    from projections.event import Followed
    from projections.store.building import Building
    from projections.store.views import Views

Tell = Callable[[str, int], None]
"""Told what is being done, and the position that has been reached."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What the tables that served say of those that were built.

    `generation` is 0 where none served this version. `rows` counts those that were compared, up to
    `position`; `differences` has a sentence for each table that is not the same.
    """

    generation: int = 0
    position: int = 0
    rows: int = 0
    differences: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """A rebuild that ended with a switch.

    `resumed_position` is where an earlier one had left off, 0 if it began at the start.
    """

    generation: int
    position: int
    resumed_position: int
    comparison: Comparison


def rebuild(
    views: Views,
    source: Followed,
    *,
    afresh: bool = False,
    despite_differences: bool = False,
    tell: Tell = lambda _, __: None,
) -> Rebuilt:
    """Builds all read models beside those that serve and has them serve instead.

    Goes on with a build that was left unfinished, unless it is to begin `afresh`. Servers and
    followers that are running go over by themselves.

    Raises:
        RebuildRunning: another process builds.
        TablesDiffer: what was built is not what serves; it is kept, and serves only if that is
            wanted `despite_differences`.
        FailingEvent: an event cannot be taken in.
        TablesUnavailable, LogUnavailable: a database cannot be used now. Nothing was switched, and
            the next rebuild goes on from here.
    """
    try:
        return _rebuilt(views, source, afresh, despite_differences, tell)
    except OperationalError as error:
        raise TablesUnavailable(str(error.orig)) from error


def _rebuilt(
    views: Views, source: Followed, afresh: bool, despite_differences: bool, tell: Tell
) -> Rebuilt:
    with closing(views.build(source, afresh=afresh)) as building:
        _catch_up(building, "building", tell)
        tell("making indexes", building.position)
        building.index()
        # While the indexes were made, and while rows are compared, the log has gone on.
        _catch_up(building, "catching up", tell)
        tell("comparing", building.position)
        comparison = _compared(views, building, source)
        if comparison.differences and not despite_differences:
            raise TablesDiffer(
                building.generation.number, comparison.generation, comparison.differences
            )
        _catch_up(building, "catching up", tell)
        building.switch()
        rebuilt = Rebuilt(
            building.generation.number,
            building.position,
            building.resumed_position,
            comparison,
        )
    views.sweep()
    return rebuilt


def _catch_up(building: Building, doing: str, tell: Tell) -> None:
    tell(doing, building.position)
    while building.step():
        tell(doing, building.position)


def _compared(views: Views, building: Building, source: Followed) -> Comparison:
    """Holds what was built against what serves the same version, where anything does."""
    used = views.generations.use()
    if used is None:
        return Comparison()
    entry, claim = used
    try:
        with closing(views.generations.open(entry)) as serving:
            tracked = serving.tracked()
        if not is_of(tracked, source):
            # They are of what the log has lost when it was restored.
            return Comparison()
        position = min(tracked.position, building.position)
        rows, differences = compare(
            views.generations.log,
            entry.number,
            building.generation.number,
            [model.table for model in views.models],
            position,
        )
        return Comparison(entry.number, position, rows, tuple(map(str, differences)))
    except (DatabaseError, ReadModelsUnavailable) as error:
        return Comparison(entry.number, 0, 0, (f"the tables cannot be read: {error}",))
    finally:
        claim.release()
