"""A follower beside the writer takes the newest records from it, and the rest from the log."""

from __future__ import annotations

from pathlib import Path

import pytest

from projections import recent
from projections.follower import Follower
from projections.recent import RecentRecords
from tests.projections.feed import Feed, quarter, views_beside


def test_offered_records_are_not_read_again() -> None:
    feed = quarter(Feed(), check_ins=3)
    source = RecentRecords(feed)
    assert source.read(0, 5) == feed.records[:5]
    source.offer(feed.records[5:8])
    source.offer(feed.records[8:])
    assert source.read(5, 2) == feed.records[5:7]
    assert source.read(7, 100) == feed.records[7:]
    assert feed.reads == 1
    assert (source.head(), source.identity()) == (feed.head(), feed.identity())


def test_what_lies_before_them_is_read_from_the_log() -> None:
    feed = quarter(Feed(), check_ins=3)
    source = RecentRecords(feed)
    source.offer(feed.records[5:])
    assert source.read(2, 100) == feed.records[2:]
    assert feed.reads == 1


def test_a_gap_forgets_what_lies_before_it() -> None:
    feed = quarter(Feed(), check_ins=3)
    source = RecentRecords(feed)
    source.offer(feed.records[:3])
    source.offer(feed.records[5:8])
    assert source.read(0, 100) == feed.records
    assert source.read(5, 100) == feed.records[5:8]
    assert feed.reads == 1


def test_its_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    feed = quarter(Feed(), check_ins=50)
    monkeypatch.setattr(recent, "LARGEST_BYTES", 500)
    source = RecentRecords(feed)
    for record in feed.records:
        source.offer([record])
        assert sum(len(r.metadata) + len(r.payload) for r in source._records) <= 500
    assert source.read(0, 1000) == feed.records
    assert source.read(len(feed.records) - 1, 9) == feed.records[-1:]
    assert feed.reads == 1


def test_following_them_is_following_the_log(tmp_path: Path) -> None:
    feed = quarter(Feed(), check_ins=5)
    source = RecentRecords(feed)
    views = views_beside(tmp_path, feed)
    follower = Follower(source, views)
    for record in feed.records[10:]:
        source.offer([record])
    assert follower.catch_up() == len(feed.records)
    views.close()
