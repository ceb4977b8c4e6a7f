"""A server on long streams leaves snapshots beside its log, and starts from them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from ledger.log.snapshots import EVERY
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
