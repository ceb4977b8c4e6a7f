"""The stock write side: an aggregate for each key result, and the application that saves it."""

from decimal import Decimal
from typing import ClassVar
from urllib.parse import urlsplit
from uuid import NAMESPACE_URL, UUID, uuid5

from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, event
from eventsourcing.persistence import IntegrityError
from eventsourcing.utils import retry

CACHED_AGGREGATES = 10_000
CONFLICT_ATTEMPTS = 10


class KeyResult(Aggregate):
    """A key result that remembers how many check-ins it had and the last value."""

    @event("Added")
    def __init__(self, name: str) -> None:
        self.name = name
        self.check_in_count = 0
        self.value = Decimal(0)

    @staticmethod
    def create_id(name: str) -> UUID:
        """The aggregate's id, derived from its name."""
        return uuid5(NAMESPACE_URL, f"/{name}")

    @event("CheckInRecorded")
    def record_check_in(
        self, request_id: str, effective_date: str, value: Decimal, confidence: int, note: str
    ) -> None:
        """Records a measured value; the date is ISO 8601."""
        self.check_in_count += 1
        self.value = value


class Ledger(Application[UUID]):
    """Keeps key results in a SQLite file, or in a PostgreSQL."""

    env: ClassVar[dict[str, str]] = {
        "PERSISTENCE_MODULE": "eventsourcing.sqlite",
        "AGGREGATE_CACHE_MAXSIZE": str(CACHED_AGGREGATES),
    }

    def add_key_result(self, name: str) -> None:
        """Adds a key result that has no check-ins."""
        self.save(KeyResult(name))

    @retry(IntegrityError, max_attempts=CONFLICT_ATTEMPTS)
    def record_check_in(
        self,
        *,
        name: str,
        request_id: str,
        effective_date: str,
        value: Decimal,
        confidence: int,
        note: str,
    ) -> tuple[int, int]:
        """Saves one check-in; returns its number on the key result and its position."""
        key_result: KeyResult = self.repository.get(KeyResult.create_id(name))
        key_result.record_check_in(request_id, effective_date, value, confidence, note)
        recordings = self.save(key_result)
        return key_result.check_in_count, recordings[-1].notification.id


def open_ledger(database: str) -> Ledger:
    """A ledger in a SQLite file, made if there is none, or at `postgresql://USER:PASSWORD@HOST/DB`."""
    if not database.startswith("postgresql://"):
        return Ledger(env={"SQLITE_DBNAME": database})
    at = urlsplit(database)
    return Ledger(
        env={
            "PERSISTENCE_MODULE": "eventsourcing.postgres",
            "POSTGRES_DBNAME": at.path.removeprefix("/"),
            "POSTGRES_HOST": at.hostname or "",
            "POSTGRES_PORT": str(at.port),
            "POSTGRES_USER": at.username or "",
            "POSTGRES_PASSWORD": at.password or "",
        }
    )
