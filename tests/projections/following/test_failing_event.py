"""An event that cannot be taken in stops the projection: loudly, there, and without a loss."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from google.type.date_pb2 import Date
from structlog.testing import capture_logs

from okr.v1 import events_pb2 as facts
from okr.v1.event_record_pb2 import EventMetadata
from projections.errors import FailingEvent, ProjectionStopped
from projections.following.follower import Follower
from projections.following.watcher import Watcher
from projections.models import READ_MODELS
from projections.read_model import Folding
from projections.store.views import Views
from tests.projections.feed import DAY, Feed, dump, quarter, views_beside

pytestmark = pytest.mark.usefixtures("each_database")


@pytest.fixture
def feed() -> Feed:
    return quarter(Feed(), check_ins=5)


@pytest.fixture
def views(tmp_path: Path, feed: Feed) -> Iterator[Views]:
    views = views_beside(tmp_path, feed)
    yield views
    views.close()


def gap(feed: Feed) -> None:
    position = feed.check_in("objectives/awareness/keyResults/first", 9, DAY)
    feed.records[-1] = feed.records[-1]._replace(position=position + 1)


BREAKS: dict[str, tuple[Callable[[Feed], Any], str]] = {
    "unknown type": (lambda feed: feed.add_bytes("okr.v1.MoonLanded", b""), "no read model"),
    "foreign type": (lambda feed: feed.add_bytes("okr.v1.EventMetadata", b""), "no read model"),
    "unparsable payload": (lambda feed: feed.add_bytes("okr.v1.Aligned", b"\xff"), "DecodeError"),
    "unparsable metadata": (
        lambda feed: feed.add_bytes("okr.v1.Aligned", b"", b"\xff"),
        "DecodeError",
    ),
    "no such day": (
        lambda feed: feed.add_bytes("okr.v1.Aligned", b"", thirtieth_of_february()),
        "ValueError",
    ),
    "instant far from its day": (
        lambda feed: feed.add(far_instant()),
        "decades",
    ),
    "gap": (gap, "the log has no position"),
}


def thirtieth_of_february() -> bytes:
    metadata = EventMetadata(effective_date=Date(year=2026, month=2, day=30))
    return metadata.SerializeToString()


def far_instant() -> facts.CheckInRecorded:
    fact = facts.CheckInRecorded(key_result="objectives/o/keyResults/k", number=1)
    fact.instant.seconds = -60_000_000_000
    return fact


@pytest.mark.parametrize("name", BREAKS)
def test_it_stops_there_and_says_so(tmp_path: Path, feed: Feed, views: Views, name: str) -> None:
    breaks, reason = BREAKS[name]
    good = len(feed.records)
    breaks(feed)
    feed.retract("objectives/awareness/keyResults/first", 1)
    follower = Follower(feed, views)
    with capture_logs() as logs:
        follower.run(Event())
    assert isinstance(follower.failure, FailingEvent)
    assert reason in str(follower.failure)
    failing = feed.records[good].position
    (line,) = [entry for entry in logs if entry["event"] == "projection stopped"]
    assert line["log_level"] == "error"
    assert (line["position"], line["event_type"]) == (failing, feed.records[good].event_type)
    tracked = views.tracked()
    assert (tracked.position, tracked.stopped_position) == (good, failing)
    assert reason in tracked.stopped_reason
    assert views.progress.stopped_position == failing
    assert max(row[0] for row in dump(tmp_path)["revisions"]) <= good


def test_whoever_waits_fails_at_once_and_what_is_there_is_served(feed: Feed, views: Views) -> None:
    good = len(feed.records)
    feed.add_bytes("okr.v1.MoonLanded", b"")
    follower = Follower(feed, views)

    async def wait_first() -> None:
        waiting = asyncio.create_task(views.wait_for(good + 1, None))
        await asyncio.sleep(0)
        await asyncio.to_thread(follower.run, Event())
        with pytest.raises(ProjectionStopped) as stopped:
            await waiting
        assert stopped.value.position == good + 1
        with pytest.raises(ProjectionStopped):
            await views.wait_for(good + 1, None)
        await views.wait_for(good, 0)

    asyncio.run(wait_first())
    with views.reading() as reading:
        assert reading.position == good


def test_another_process_learns_of_it(tmp_path: Path, feed: Feed, views: Views) -> None:
    feed.add_bytes("okr.v1.MoonLanded", b"")
    elsewhere = views_beside(tmp_path, feed)
    Follower(feed, views).run(Event())
    Watcher(elsewhere).look()
    assert elsewhere.progress.position == len(feed.records) - 1
    with pytest.raises(ProjectionStopped):
        asyncio.run(elsewhere.wait_for(len(feed.records), None))
    elsewhere.close()


def test_once_the_event_is_understood_it_goes_on(tmp_path: Path, feed: Feed, views: Views) -> None:
    feed.add(facts.TeamRetired(team="teams/sales"))
    understood = feed.records[-1]
    feed.records[-1] = understood._replace(event_type="okr.v1.TeamDissolved")
    Follower(feed, views).run(Event())
    feed.records[-1] = understood
    mended = Follower(feed, views)
    assert mended.catch_up() == len(feed.records)
    assert views.tracked().stopped_position == 0
    assert views.progress.stopped_position == 0


def test_a_fold_that_fails_adds_no_row(feed: Feed) -> None:
    """Neither of the models before it nor of the ones after it."""

    def fail(_: object) -> list[Any]:
        raise RuntimeError("a defect")

    models = [
        *READ_MODELS,
        replace(READ_MODELS[0], folds={facts.PlanCommitted: fail}),
    ]
    batch = Folding(models).batch(0, feed.records)
    assert batch.failure is not None
    assert batch.failure.event_type == "okr.v1.PlanCommitted"
    assert isinstance(batch.failure.__cause__, RuntimeError)
    positions = [row[0] for rows in batch.rows.values() for row in rows]
    assert batch.failure.position not in positions


def test_every_event_of_the_api_is_known() -> None:
    assert Folding(READ_MODELS).unknown == set()
