"""The tree holds each event once, and whatever was signed binds it."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import event, text
from sqlalchemy.exc import DBAPIError

from okr.proofs import checkpoint
from okr.proofs.checkpoint import origin
from okr.proofs.leaf import Leaves
from okr.proofs.note import SigningKey
from okr.proofs.tree import EMPTY_ROOT, Frontier, root
from projections.errors import LedgerContradicted, Relieved
from projections.proofs import keeper as keeping
from projections.proofs.keeper import Keeper
from projections.proofs.store import ProofStore, Signed
from projections.proofs.watcher import ProofWatcher
from projections.store.progress import Progress
from tests.projections.feed import Feed, quarter
from tests.support.databases import ledger

pytestmark = pytest.mark.usefixtures("each_database")

KEY = SigningKey(origin(Feed().log_id), Ed25519PrivateKey.from_private_bytes(b"k" * 32))


@pytest.fixture
def feed() -> Feed:
    return quarter(Feed(), 40)


@contextmanager
def store_of(folder: Path, feed: Feed) -> Iterator[ProofStore]:
    folder.mkdir(exist_ok=True)
    with closing(ProofStore(ledger(folder), feed.log_id)) as store:
        yield store


def keeper_of(feed: Feed, store: ProofStore, **given: Any) -> Keeper:
    return Keeper(feed, store, Progress("proofs"), [KEY], lambda: 1, **given)


def kept(folder: Path, feed: Feed) -> tuple[int, bytes]:
    """The size and root of the tree in a folder."""
    with store_of(folder, feed) as store, store.reading() as reading:
        size = reading.kept.size
        return size, root(reading.tiles.node, size)


def signed_sizes(store: ProofStore) -> list[int]:
    with store.reading() as reading:
        return [each.checkpoint.size for each in reading.signed_after(-1, 1_000)]


def expected(feed: Feed) -> tuple[int, bytes]:
    leaves, frontier = Leaves(feed.log_id), Frontier()
    for record in feed.records:
        frontier.append(leaves.hash(record))
    return frontier.size, frontier.root()


def test_every_event_is_in_the_tree_and_the_whole_is_signed(tmp_path: Path, feed: Feed) -> None:
    told: list[Signed] = []
    with store_of(tmp_path, feed) as store:
        assert keeper_of(feed, store, on_signed=told.append).catch_up() == len(feed.records)
        with store.reading() as reading:
            assert reading.latest() == told[-1]
    assert kept(tmp_path, feed) == expected(feed)
    stated, _ = checkpoint.opened(told[-1].written, [KEY.verifier])
    assert (stated.size, stated.root) == expected(feed)
    assert (stated.log_id, stated.epoch) == feed.identity()


def test_an_empty_ledger_is_signed_too(tmp_path: Path) -> None:
    with store_of(tmp_path, Feed()) as store:
        keeper_of(Feed(), store).catch_up()
        with store.reading() as reading:
            latest = reading.latest()
    assert latest is not None
    assert latest.checkpoint == checkpoint.Checkpoint(Feed().log_id, 1, 0, EMPTY_ROOT)


@pytest.mark.parametrize("batch", [1, 7, 1_000])
def test_batches_do_not_show(
    tmp_path: Path, feed: Feed, batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "BATCH", batch)
    with store_of(tmp_path, feed) as store:
        keeper_of(feed, store).catch_up()
    assert kept(tmp_path, feed) == expected(feed)


def test_a_tree_made_anew_has_the_same_root(tmp_path: Path, feed: Feed) -> None:
    with store_of(tmp_path, feed) as store:
        keeper_of(feed, store).catch_up()
        before = signed_sizes(store)
        store.clear()
        keeper_of(feed, store).catch_up()
        assert signed_sizes(store) == before
    assert kept(tmp_path, feed) == expected(feed)


class Crash(BaseException):
    """The end of a process, as far as the database can tell."""


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["before_cursor_execute", "after_cursor_execute", "commit"])
def test_a_crash_at_any_statement_loses_and_doubles_nothing(
    tmp_path: Path, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "BATCH", 20)
    feed = quarter(Feed(), 4)
    point, survived = 0, False
    while not survived:
        point += 1
        folder = tmp_path / str(point)
        left = [point]

        def crash(*_: object, left: list[int] = left) -> None:
            left[0] -= 1
            if left[0] == 0:
                raise Crash

        with store_of(folder, feed) as store:
            event.listen(store._writer, moment, crash)
            try:
                keeper_of(feed, store).catch_up()
                survived = True
            except Crash:
                event.remove(store._writer, moment, crash)
        # The end of a process closes its connections.
        gc.collect()
        with store_of(folder, feed) as store:
            keeper_of(feed, store).catch_up()
        assert kept(folder, feed) == expected(feed)
    assert point > 3


def test_a_log_that_lost_signed_events_stops_it_and_nothing_is_signed(
    tmp_path: Path, feed: Feed
) -> None:
    shorter = replace(feed, records=feed.records[:-3])
    with store_of(tmp_path, feed) as store:
        keeper_of(feed, store).catch_up()
        before = signed_sizes(store)
        with pytest.raises(LedgerContradicted, match="are missing") as told:
            keeper_of(shorter, store).catch_up()
        assert told.value.position == len(feed.records) - 2
        # An attacker who can write to the database makes the tree fit.
        store.clear()
        with pytest.raises(LedgerContradicted, match="are missing"):
            keeper_of(shorter, store).catch_up()
        assert signed_sizes(store) == before


def test_an_event_that_was_changed_stops_a_tree_that_is_made_anew(
    tmp_path: Path, feed: Feed
) -> None:
    with store_of(tmp_path, feed) as store:
        keeper_of(feed, store).catch_up()
        before = signed_sizes(store)
        feed.records[4] = feed.records[4]._replace(payload=b"another")
        store.clear()
        with pytest.raises(LedgerContradicted, match="are not those of the checkpoint"):
            keeper_of(feed, store).catch_up()
        for _ in range(20):
            feed.add_bytes("okr.v1.TeamRetired", b"")
        with pytest.raises(LedgerContradicted):
            keeper_of(feed, store).catch_up()
        assert signed_sizes(store) == before


def test_an_end_that_was_changed_while_nobody_looked_is_found(tmp_path: Path, feed: Feed) -> None:
    with store_of(tmp_path, feed) as store:
        keeper_of(feed, store).catch_up()
        feed.records[-1] = feed.records[-1]._replace(recorded_us=7)
        with pytest.raises(LedgerContradicted, match="is not the one that was hashed"):
            keeper_of(feed, store).catch_up()


def test_a_log_that_becomes_shorter_while_it_is_followed_is_found(
    tmp_path: Path, feed: Feed
) -> None:
    with store_of(tmp_path, feed) as store:
        keeper = keeper_of(feed, store)
        keeper.catch_up()
        del feed.records[-1]
        with pytest.raises(LedgerContradicted, match="are missing"):
            keeper.step()


def test_a_gap_in_the_log_is_found(tmp_path: Path, feed: Feed) -> None:
    del feed.records[4]
    with store_of(tmp_path, feed) as store, pytest.raises(LedgerContradicted, match="event 5 is"):
        keeper_of(feed, store).catch_up()


def test_a_stop_is_told_to_everybody(tmp_path: Path, feed: Feed) -> None:
    with store_of(tmp_path, feed) as store:
        keeper_of(feed, store).catch_up()
        shorter = replace(feed, records=feed.records[:-3])
        keeper = keeper_of(shorter, store)
        keeper.run(Event())
        assert keeper.failure is not None
        assert keeper._progress.stopped_position == len(feed.records) - 2
        elsewhere = Progress("proofs")
        ProofWatcher(store, elsewhere).look()
        assert elsewhere.stopped_position == len(feed.records) - 2
        assert elsewhere.position == len(feed.records)


def test_the_ledger_of_another_log_is_not_followed(tmp_path: Path, feed: Feed) -> None:
    with store_of(tmp_path, feed) as store:
        keeper_of(feed, store).catch_up()
    other = replace(feed, log_id="9e107d9d-372b-4cb6-a1f3-000000000002")
    with store_of(tmp_path, other) as store, pytest.raises(LedgerContradicted, match="of ledger"):
        keeper_of(other, store).catch_up()


def test_a_new_epoch_goes_on_without_the_events_that_were_lost(tmp_path: Path, feed: Feed) -> None:
    size = len(feed.records)
    with store_of(tmp_path, feed) as store:
        keeper_of(replace(feed, records=feed.records[:5]), store).catch_up()
        keeper_of(feed, store).catch_up()
        assert signed_sizes(store) == [5, size]
        restored = replace(feed, records=feed.records[:-3], epoch=2)
        restored.begun_us[2] = restored.records[-1].recorded_us
        restored.add_bytes("okr.v1.TeamRetired", b"")
        keeper_of(restored, store).catch_up()
        assert signed_sizes(store) == [5, size - 2]
        with store.reading() as reading:
            assert reading.lost() == 1
    assert kept(tmp_path, restored) == expected(restored)


def test_a_new_epoch_does_not_excuse_what_was_changed_before_it(tmp_path: Path, feed: Feed) -> None:
    with store_of(tmp_path, feed) as store:
        keeper_of(replace(feed, records=feed.records[:5]), store).catch_up()
        restored = replace(feed, epoch=2, begun_us={2: feed.records[-1].recorded_us})
        restored.records[2] = restored.records[2]._replace(payload=b"another")
        with pytest.raises(LedgerContradicted):
            keeper_of(restored, store).catch_up()


@pytest.mark.parametrize("change", ["DELETE FROM {}", "UPDATE {} SET size = 0"])
@pytest.mark.parametrize("table", ["checkpoints", "epochs"])
def test_what_was_signed_can_neither_be_changed_nor_removed(
    tmp_path: Path, feed: Feed, table: str, change: str
) -> None:
    with store_of(tmp_path, feed) as store:
        keeper_of(feed, store).catch_up()
        with pytest.raises(DBAPIError, match="for ever"), store._writer.begin() as connection:
            connection.execute(text(change.format(table)))


def test_whoever_is_relieved_writes_nothing(tmp_path: Path, feed: Feed) -> None:
    with store_of(tmp_path, feed) as store:
        answers = [True, False]
        keeper = keeper_of(feed, store, held=lambda: answers.pop(0))
        with pytest.raises(Relieved):
            keeper.step()
        with store.reading() as reading:
            assert (reading.kept.size, reading.latest()) == (0, None)


def test_two_that_keep_the_same_tree_keep_one(tmp_path: Path, feed: Feed) -> None:
    with store_of(tmp_path, feed) as store:
        one, two = keeper_of(feed, store), keeper_of(feed, store)
        one.catch_up()
        two.catch_up()
        feed.add_bytes("okr.v1.TeamRetired", b"")
        stop = Event()
        threads = [Thread(target=each.run, args=(stop,)) for each in (one, two)]
        for thread in threads:
            thread.start()
        for each in (one, two):
            each.wake()
        while kept(tmp_path, feed)[0] < len(feed.records):
            stop.wait(0.01)
        stop.set()
        for thread in threads:
            thread.join()
        assert (one.failure, two.failure) == (None, None)
    assert kept(tmp_path, feed) == expected(feed)


def test_a_ledger_that_grows_is_signed_at_times_and_at_once_when_someone_waits(
    tmp_path: Path, feed: Feed
) -> None:
    seconds = [0.0]
    with store_of(tmp_path, feed) as store:
        keeper = keeper_of(feed, store, sign_seconds=10, monotonic=lambda: seconds[0])
        sizes = []
        for now, wanted in ((0.0, False), (9.0, False), (10.0, False), (11.0, False), (12.0, True)):
            seconds[0] = now
            if wanted:
                keeper.wake()
            keeper.step()
            sizes.append(signed_sizes(store)[-1])
            feed.add_bytes("okr.v1.TeamRetired", b"")
    size = len(feed.records) - 5
    assert sizes == [size, size, size + 2, size + 2, size + 4]
