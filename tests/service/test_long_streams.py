"""A server on long streams leaves snapshots beside its log, and starts from them."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from ledger.log.snapshots import EVERY
from ledger.texts.keyring import ERASED_NAMES
from okr.v1 import ledger_service_pb2 as api
from okr.v1.values_pb2 import PersonalText
from tests.support import ask
from tests.support.appended import TEAMS, append_team_events
from tests.support.databases import ledger
from tests.support.serving import shared_loop
from tests.support.whole import whole_service

EACH = EVERY + 50
"""The events of each stream."""


def kept(folder: Path) -> dict[str, int]:
    """The streams that have a snapshot, and the version that it stands at."""
    with closing(sqlite3.connect(folder / "okr-ledger.snapshots.db")) as file:
        return dict(file.execute("SELECT stream, version FROM snapshots"))


@pytest.mark.slow
def test_the_streams_that_were_asked_for_have_one_when_it_ends(tmp_path: Path) -> None:
    append_team_events(ledger(tmp_path), TEAMS * EACH)
    with whole_service(shared_loop(), tmp_path) as me:
        me.ask(ask.update_team("teams/t0", title="Sales"))
        me.ask(ask.update_team("teams/t1", title="Sales"))
    assert kept(tmp_path) == {"teams/t0": EACH, "teams/t1": EACH}
    with capture_logs() as logs, whole_service(shared_loop(), tmp_path) as me:
        found = me.ask(ask.update_team("teams/t0", title="Marketing")).team
        assert found.definition.title == "Marketing"
        assert found.etag == f'"{EACH + 2}"'
    assert [entry for entry in logs if "snapshot" in entry["event"]] == []


OWNER = "people/owner-x7"


@pytest.mark.slow
def test_no_snapshot_tells_of_anybody_and_none_outlives_an_erasure(tmp_path: Path) -> None:
    def measured() -> api.BatchRecordCheckInsRequest:
        many = [ask.check_in(value="1", on="2024-07-08") for _ in range(EVERY // 2 + 10)]
        return api.BatchRecordCheckInsRequest(requests=many)

    owner = PersonalText(plain=OWNER)
    with whole_service(shared_loop(), tmp_path) as me:
        me.all_of(ask.cycle(first="2024-07-01", last="2024-09-30"), ask.team())
        me.ask(ask.objective("awareness", ask.new("followers", target="1000", owner=owner)))
        me.all_of(ask.commit(), measured(), measured())
    assert list(kept(tmp_path)) == [ask.AWARENESS]
    for file in tmp_path.glob("*.snapshots.*"):
        assert OWNER.encode() not in file.read_bytes()

    with capture_logs() as before, whole_service(shared_loop(), tmp_path) as me:
        me.ask(ask.revise(title="Followers", because="a better word"))
        me.ask(ask.erase(OWNER))
        shown = me.ask(ask.revise(title="Fans", because="a better one")).key_result
    with capture_logs() as after, whole_service(shared_loop(), tmp_path) as me:
        again = me.ask(ask.revise(title="Friends", because="the best one")).key_result

    def ignored(entries: Sequence[Any]) -> list[str]:
        return [entry["reason"] for entry in entries if entry["event"] == "snapshot ignored"]

    # By the lane, as it takes the state anew; what it then makes serves the next server.
    assert ignored(before) == ["it was sealed with another key"]
    assert ignored(after) == []
    assert shown.definition.owner.plain.startswith(ERASED_NAMES)
    assert again.definition.owner == shown.definition.owner
