"""What any store of snapshots does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from ledger.log.snapshots import Snapshot, SnapshotStore
from tests.contract.conftest import Store

pytestmark = pytest.mark.contract


def made(stream: str, version: int, state: bytes = b"\0state") -> Snapshot:
    return Snapshot.made(stream, version, b"code", b"record", state)


@pytest.fixture
def snapshots(store: Store) -> Iterator[SnapshotStore]:
    with closing(store.open().snapshot_store()) as opened:
        yield opened


def test_what_is_kept_is_found_whole(snapshots: SnapshotStore) -> None:
    assert snapshots.find("teams/a") is None
    snapshots.keep([made("teams/a", 256), made("teams/é", 512, b"")])
    found = snapshots.find("teams/a")
    assert found == made("teams/a", 256)
    assert found.intact
    assert snapshots.find("teams/é") == made("teams/é", 512, b"")
    assert snapshots.find("teams/b") is None


def test_the_last_one_of_a_stream_counts_whatever_its_version(snapshots: SnapshotStore) -> None:
    snapshots.keep([made("teams/a", 512), made("teams/b", 256)])
    snapshots.keep([made("teams/a", 256, b"after a backup was restored")])
    assert snapshots.find("teams/a") == made("teams/a", 256, b"after a backup was restored")
    assert snapshots.find("teams/b") == made("teams/b", 256)


def test_they_outlive_their_process(store: Store) -> None:
    for version in (256, 512):
        log = store.open()
        with closing(log.snapshot_store()) as snapshots:
            assert (snapshots.find("teams/a") is None) == (version == 256)
            snapshots.keep([made("teams/a", version)])
        log.close()
    with closing(store.open().snapshot_store()) as snapshots:
        assert snapshots.find("teams/a") == made("teams/a", 512)
