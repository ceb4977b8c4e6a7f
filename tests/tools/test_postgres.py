"""The PostgreSQL that tests and demonstrations start."""

from __future__ import annotations

import os

import psycopg
import pytest

from tools.postgres import Postgres

pytestmark = pytest.mark.system


def test_it_keeps_what_was_committed_over_a_crash_and_tells_its_replica() -> None:
    with Postgres.start() as primary:
        with psycopg.connect(primary.url()) as connection:
            connection.execute("CREATE TABLE kept (word text)")
            connection.execute("INSERT INTO kept VALUES ('márkaismertség')")
        primary.kill()
        primary.run()
        with primary.replica() as replica, psycopg.connect(replica.url()) as connection:
            assert connection.execute("SELECT word FROM kept").fetchall() == [("márkaismertség",)]
            assert connection.execute("SELECT pg_is_in_recovery()").fetchone() == (True,)


def test_it_leaves_nothing_behind() -> None:
    with Postgres.start() as server:
        folder = server.data.parent
        pid = int((server.data / "postmaster.pid").read_text().split("\n")[0])
        assert server.url().startswith("postgresql://")
    assert not folder.exists()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_setting_that_it_does_not_know_is_told() -> None:
    with pytest.raises(Exception, match="no_such_setting"):
        Postgres.start(no_such_setting="1")
