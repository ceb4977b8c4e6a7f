"""What every play begins with: small figures, and a ledger with a plan."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cache
from typing import Any, Final

import pytest
import structlog
from sqlalchemy import Engine, create_engine

from ledger.log.database import Database
from ledger.log.sqlite.recorder import open_log
from projections.models import READ_MODELS
from projections.store.database import dialect_of
from projections.store.views import version_of
from tests.simulation.asking import plan
from tests.simulation.disk import Disk, Files
from tests.simulation.faults import Faults
from tests.simulation.server import Clock, Server, Setting

START_US: Final = 1_786_536_000_000_000
"""Noon of 12 August 2026, UTC."""

SMALL: Final = {
    "ledger.log.world.EVERY": 3,
    "ledger.log.world.SHORT": 2,
    "ledger.log.world.FOLD_PAGE": 3,
    "ledger.places.STRIDE": 4,
    "projections.following.follower.BATCH": 5,
    "projections.store.building.PAGE": 7,
}
"""Figures of the code that a short history would never come near."""


@contextmanager
def small_figures() -> Iterator[None]:
    """While the block runs little is much, and nobody tells of what goes wrong on purpose."""
    before = structlog.get_config()
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL),
        cache_logger_on_first_use=False,
    )
    with pytest.MonkeyPatch.context() as patch:
        for name, value in SMALL.items():
            patch.setattr(name, value)
        patch.setattr("projections.store.database.create_engine", _engine)
        patch.setattr("projections.store.views.version_of", lambda *_: _version())
        yield
    structlog.configure(**before)


def _engine(*arguments: Any, **options: Any) -> Engine:
    """An engine that compiles no statement which another one has: most of the time would go there.

    A server makes a handful of engines in its life, a simulation some ten for each.
    """
    made = create_engine(*arguments, **options)
    first = _first_engine()
    made.dialect = made.pool._dialect = first.dialect
    made._compiled_cache = first._compiled_cache
    return made


@cache
def _first_engine() -> Engine:
    first = create_engine("sqlite://")
    first.connect().close()
    return first


@cache
def _version() -> str:
    return version_of(READ_MODELS, dialect_of(Database("sqlite:///any.db")))


@cache
def begun() -> Files:
    """A ledger with its plan, and read models that serve it."""
    with closing(Disk()) as disk:
        disk.lay({})
        faults, clock = Faults(disk), Clock(START_US)
        with closing(open_log(disk.ledger)) as log, log.datastore.raw("name", writes=True) as name:
            # One id for all plays: what the server names is named after it.
            row = ("00000000-0000-4000-8000-000000000001", 2, START_US)
            name.execute("INSERT INTO ledger VALUES (?, ?, ?)", row)
        server = Server(disk, faults, clock, Setting(), lambda: "plan")
        with closing(server):
            server.lanes[0].begin(plan())
            server.followers[0].catch_up()
        return disk.killed()
