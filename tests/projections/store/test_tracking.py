"""The tracker keeps the promises of the library's tracking recorders."""

from __future__ import annotations

from tempfile import TemporaryDirectory

from eventsourcing.persistence import TrackingRecorder
from eventsourcing.tests.persistence import TrackingRecorderTestCase

from ledger.log.database import Database
from projections.store.database import writer
from projections.store.tables import TABLES
from projections.store.tracking import Tracker


class TestTracker(TrackingRecorderTestCase):
    def create_recorder(self) -> TrackingRecorder:
        folder = TemporaryDirectory()
        engine = writer(Database(f"sqlite:///{folder.name}/ledger.db"), 1)
        self.addCleanup(folder.cleanup)
        self.addCleanup(engine.dispose)
        with engine.begin() as connection:
            TABLES.create_all(connection)
        return Tracker(engine, "version", 1)


del TrackingRecorderTestCase  # the suite is not to run by itself
