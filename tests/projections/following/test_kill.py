"""A follower that is killed at any point of a batch counts each event once all the same."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest
from sqlalchemy import Engine, event

from ledger.log.database import Database
from projections.following import follower as following
from projections.following.follower import Follower
from projections.store.tracking import Tracker
from projections.store.views import Views
from tests.projections.feed import Feed, dump, quarter, serving_from_the_start, views_beside
from tests.support.databases import ledger
from tests.support.server_process import ROOT, environment

CHECK_INS: Final = 60
BATCH: Final = 20
KILLED_IN: Final = 3
"""The batch in which the process is killed."""

POINTS: Final = {
    "before the transaction": KILLED_IN - 1,
    "between position and rows": KILLED_IN - 1,
    "before COMMIT": KILLED_IN - 1,
    "after COMMIT, before anybody is told": KILLED_IN,
    "after all are told": KILLED_IN,
}
"""The batches that count once the process was killed at a point."""


def feed_of_a_quarter() -> Feed:
    return quarter(Feed(), CHECK_INS)


@pytest.mark.system
@pytest.mark.usefixtures("each_database")
@pytest.mark.parametrize("point", POINTS)
def test_killed_at_each_point_of_a_batch(tmp_path: Path, point: str) -> None:
    feed = feed_of_a_quarter()
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    for folder in (killed, whole):
        folder.mkdir()
        serving_from_the_start(folder, feed).close()
    at = ledger(killed)
    ended = subprocess.run(
        [sys.executable, "-m", "tests.projections.following.test_kill", point],
        cwd=ROOT,
        env=environment() | {"OKR_DATABASE_URL": at.url, "OKR_DATABASE_SCHEMA": at.schema},
        check=False,
    )
    assert ended.returncode == -signal.SIGKILL

    views = views_beside(killed, feed)
    assert views.open(feed) == POINTS[point] * BATCH
    assert Follower(feed, views).catch_up() == len(feed.records)
    views.close()
    uninterrupted = views_beside(whole, feed)
    Follower(feed, uninterrupted).catch_up()
    uninterrupted.close()
    assert dump(killed) == dump(whole)


def end(_: object = None) -> None:
    """Ends this process as a power cut would."""
    os.kill(os.getpid(), signal.SIGKILL)


def in_batch(number: int, work: Callable[..., Any]) -> Callable[..., None]:
    """Does something at the n-th call."""
    calls = 0

    def counted(*given: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == number:
            work(*given)

    return counted


def follow_until_killed(point: str) -> None:
    """The process that is killed."""
    feed = feed_of_a_quarter()
    views = Views(
        Database(os.environ["OKR_DATABASE_URL"], os.environ["OKR_DATABASE_SCHEMA"]),
        feed.identity(),
    )
    views.open(feed)
    kill = in_batch(KILLED_IN, end)
    write, advance = views.write, Tracker.advance

    def written(before: int, batch: Any) -> None:
        if point == "before the transaction":
            kill()
        write(before, batch)
        if point == "after COMMIT, before anybody is told":
            kill()

    def advanced(*given: Any) -> None:
        advance(*given)
        if point == "between position and rows":
            kill()

    views.write = written  # type: ignore[method-assign]  # the point to be killed at
    Tracker.advance = advanced  # type: ignore[assignment, method-assign]  # the same
    if point == "before COMMIT":
        event.listen(Engine, "commit", kill)
    following.BATCH = BATCH  # type: ignore[misc]  # so that few events make several batches
    told = kill if point == "after all are told" else lambda _: None
    Follower(feed, views, on_progress=told).catch_up()


if __name__ == "__main__":
    follow_until_killed(sys.argv[1])
