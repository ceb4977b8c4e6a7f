"""The library's own suites on the ledger's recorders, and applications built on their factories.

They use text ids, as the ledger does; the suite for aggregate recorders asks that positions are not
told, which is not for a recorder that has them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from eventsourcing.application import Application
from eventsourcing.persistence import InfrastructureFactory, InfrastructureFactoryError
from eventsourcing.tests import persistence

from ledger.log.database import Database
from ledger.log.mapper import LedgerEvent
from ledger.log.opening import open_log
from ledger.log.postgres import factory as postgres_factory
from ledger.log.sqlite import factory as sqlite_factory
from okr.v1.event_record_pb2 import EventMetadata
from okr.v1.events_pb2 import TeamRetired

pytestmark = [pytest.mark.contract, pytest.mark.slow]

FACTORIES = {
    "sqlite": sqlite_factory.LedgerFactory,
    "postgres": postgres_factory.LedgerFactory,
}


class OnSQLite:
    """Gives the library's suites a recorder over a new file."""

    @pytest.fixture(autouse=True)
    def _database(self, tmp_path: Path) -> None:
        self.database = Database(f"sqlite:///{tmp_path / 'okr-ledger.db'}")

    def new_originator_id(self) -> str:
        return f"objectives/{uuid4()}"

    def create_recorder(self: Any) -> Any:
        recorder = open_log(self.database)
        self.addCleanup(recorder.close)
        return recorder


class OnPostgres(OnSQLite):
    """Gives the library's suites a recorder over a new schema."""

    @pytest.fixture(autouse=True)
    def _database(self, postgres_database: Database) -> None:
        self.database = postgres_database


class TestApplicationRecorder(OnSQLite, persistence.ApplicationRecorderTestCase[Any]):
    pass


class TestApplicationRecorderOnPostgres(OnPostgres, persistence.ApplicationRecorderTestCase[Any]):
    def test_insert_subscribe(self) -> None:
        self.optional_test_insert_subscribe()


class TestNonInterleaving(OnSQLite, persistence.NonInterleavingNotificationIDsBaseCase):
    insert_num = 500


class TestNonInterleavingOnPostgres(OnPostgres, persistence.NonInterleavingNotificationIDsBaseCase):
    insert_num = 500


@pytest.fixture(params=FACTORIES)
def environment(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, str]:
    factory = FACTORIES[request.param]
    named = {"PERSISTENCE_MODULE": factory.__module__}
    if request.param == "sqlite":
        return named | {"SQLITE_DBNAME": str(tmp_path / "o.db")}
    database: Database = request.getfixturevalue("postgres_database")
    at = urlsplit(database.url)
    return named | {
        "POSTGRES_HOST": at.hostname or "",
        "POSTGRES_PORT": str(at.port),
        "POSTGRES_USER": at.username or "",
        "POSTGRES_PASSWORD": at.password or "",
        "POSTGRES_DBNAME": at.path[1:],
        "POSTGRES_SCHEMA": database.schema,
    }


def test_an_application_keeps_facts_with_their_metadata(environment: dict[str, str]) -> None:
    app: Application[str] = Application(env=environment)
    event = LedgerEvent("teams/a", 1, TeamRetired(team="teams/a"), EventMetadata(request_id="r1"))
    (recording,) = app.save(event)
    assert recording.notification.id == 1
    assert list(app.events.get("teams/a")) == [event]
    (notification,) = app.recorder.select_notifications(1, 10)
    assert app.mapper.to_domain_event(notification) == event
    app.close()


def test_the_factory_makes_what_the_ledger_has_and_nothing_else(
    environment: dict[str, str],
) -> None:
    factory: Any = InfrastructureFactory.construct(environment)
    assert type(factory).__module__ == environment["PERSISTENCE_MODULE"]
    assert factory.application_recorder().head().position == 0
    with pytest.raises(InfrastructureFactoryError):
        factory.aggregate_recorder("snapshots")
    with pytest.raises(InfrastructureFactoryError):
        factory.process_recorder()
    factory.close()
