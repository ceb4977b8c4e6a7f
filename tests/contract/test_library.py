"""The library's own suites on the ledger's recorder, and an application built on its factory.

They use text ids, as the ledger does; the suite for aggregate recorders asks that positions are not
told, which is not for a recorder that has them.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import pytest
from eventsourcing.application import Application
from eventsourcing.persistence import InfrastructureFactory, InfrastructureFactoryError
from eventsourcing.tests import persistence

from ledger.log.factory import LedgerFactory
from ledger.log.mapper import LedgerEvent
from ledger.log.sqlite import LedgerRecorder, open_log
from okr.v1.event_record_pb2 import EventMetadata
from okr.v1.events_pb2 import TeamRetired

pytestmark = [pytest.mark.contract, pytest.mark.slow]


class TestApplicationRecorder(persistence.ApplicationRecorderTestCase[LedgerRecorder]):
    def setUp(self) -> None:
        self.folder = TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def new_originator_id(self) -> str:
        return f"objectives/{uuid4()}"

    def create_recorder(self) -> LedgerRecorder:
        recorder = open_log(Path(self.folder.name) / "okr-ledger.db")
        self.addCleanup(recorder.close)
        return recorder


class TestNonInterleaving(persistence.NonInterleavingNotificationIDsBaseCase):
    insert_num = 500

    def setUp(self) -> None:
        self.folder = TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def new_originator_id(self) -> str:
        return f"objectives/{uuid4()}"

    def create_recorder(self) -> LedgerRecorder:
        recorder = open_log(Path(self.folder.name) / "okr-ledger.db")
        self.addCleanup(recorder.close)
        return recorder


def environment(folder: Path) -> dict[str, str]:
    return {"PERSISTENCE_MODULE": "ledger.log.factory", "SQLITE_DBNAME": str(folder / "o.db")}


def test_an_application_keeps_facts_with_their_metadata(tmp_path: Path) -> None:
    app: Application[str] = Application(env=environment(tmp_path))
    event = LedgerEvent("teams/a", 1, TeamRetired(team="teams/a"), EventMetadata(request_id="r1"))
    (recording,) = app.save(event)
    assert recording.notification.id == 1
    assert list(app.events.get("teams/a")) == [event]
    (notification,) = app.recorder.select_notifications(1, 10)
    assert app.mapper.to_domain_event(notification) == event
    app.close()


def test_the_factory_makes_what_the_ledger_has_and_nothing_else(tmp_path: Path) -> None:
    factory = InfrastructureFactory.construct(environment(tmp_path))
    assert isinstance(factory, LedgerFactory)
    assert isinstance(factory.application_recorder(), LedgerRecorder)
    with pytest.raises(InfrastructureFactoryError):
        factory.aggregate_recorder("snapshots")
    with pytest.raises(InfrastructureFactoryError):
        factory.process_recorder()
    factory.close()
