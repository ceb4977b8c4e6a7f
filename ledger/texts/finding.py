"""Finds the keys of a ledger where its `Database` says, and makes a store where there is none."""

from __future__ import annotations

from contextlib import closing, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

import structlog

from ledger.event import is_sealed
from ledger.log.database import NO_KEYS, Database
from ledger.log.errors import LogUnavailable
from ledger.texts.key_file import KeyFile, keys_file
from ledger.texts.keyring import Keyring
from ledger.texts.opening import AT_HAND
from ledger.texts.store import KeysMismatch

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ledger.log.contract import LogReader
    from ledger.texts.key_tables import KeyTables

PAGE: Final = 5_000
KEYS_READERS: Final = 2
"""Connections with which a process reads keys on PostgreSQL; it remembers what it has read."""

log = structlog.get_logger(__name__)


def keys_database(database: Database) -> Database:
    """Where the keys are: a file, or the schema of a PostgreSQL, "x_keys" for a log in "x"."""
    url = database.keys_url
    if url in {"", NO_KEYS}:
        url = database.url if database.is_postgres else f"sqlite:///{keys_file(database.file)}"
    return replace(
        database, url=url, keys_url="", schema=f"{database.schema[:35]}_keys", readers=KEYS_READERS
    )


def renew_keys(database: Database, ledger: LogReader) -> None:
    """Makes new keys for a ledger whose own are lost: what they sealed reads as erased.

    Raises:
        KeysMismatch: there are keys.
        LogUnavailable: the store cannot be made.
    """
    place = _Place.of(keys_database(database))
    try:
        if database.keys_url == NO_KEYS or place.exists():
            raise KeysMismatch(place.name, "they are there, or none are wanted")
        place.make(ledger.identity().log_id, ledger.head().position)
    finally:
        place.close()


@contextmanager
def keys_at_hand(
    database: Database, ledger: LogReader, *, make: bool = False
) -> Iterator[Keyring | None]:
    """While the block runs, the keys of a ledger are at hand for reading; else as `open_keys`."""
    keyring = open_keys(database, ledger, make=make)
    if keyring is None:
        yield None
        return
    with closing(keyring), AT_HAND.having(keyring):
        yield keyring


def open_keys(database: Database, ledger: LogReader, *, make: bool = False) -> Keyring | None:
    """The keys of a ledger, None where it keeps personal text in the clear.

    Where the store is missing, one is made if `make` says so, and else there are no keys and every
    text reads as erased. Making one costs a walk through the whole log, once.

    Raises:
        KeysMismatch: the store is another ledger's; or it is missing, and the ledger has texts that
            were sealed, or is there, and no keys are wanted.
        LogUnavailable: it cannot be opened.
    """
    place = _Place.of(keys_database(database))
    try:
        found = _opened(place, database, ledger, make=make)
    except BaseException:
        place.close()
        raise
    if found is None:
        place.close()
    return found


def _opened(place: _Place, database: Database, ledger: LogReader, *, make: bool) -> Keyring | None:
    there = place.exists()
    if database.keys_url == NO_KEYS:
        if there:
            reason = "texts of the ledger are sealed with them, so they cannot be left out any more"
            raise KeysMismatch(place.name, reason)
        return None
    log_id = ledger.identity().log_id
    if not there:
        if not make:
            log.error("the keys are missing: personal texts read as erased", keys=place.name)
            return None
        _refuse_sealed(ledger, place.name)
        place.make(log_id, ledger.head().position)
    keyring = Keyring(place.opened())
    if keyring.header.log_id != log_id:
        keyring.close()
        raise KeysMismatch(place.name, f"they are those of the ledger {keyring.header.log_id}")
    return keyring


def _refuse_sealed(ledger: LogReader, keys: str) -> None:
    """Refuses to make new keys for a ledger whose own are lost.

    Raises:
        KeysMismatch: it has texts that were sealed.
    """
    after = 0
    while page := ledger.read(after, PAGE):
        if any(is_sealed(record) for record in page):
            raise KeysMismatch(
                keys,
                "it is missing, and the ledger has texts that were sealed with its keys; put it"
                " back from its backup, or name it in OKR_KEYS_URL. Without it these texts are"
                " lost for good",
            )
        after = page[-1].position


class _Place(NamedTuple):
    """A file, or tables: one of the two."""

    name: str
    file: Path | None = None
    tables: KeyTables | None = None

    @classmethod
    def of(cls, database: Database) -> _Place:
        if not database.is_postgres:
            return cls(str(database), file=database.file)
        try:
            # Here, because keys on SQLite need no driver of PostgreSQL.
            from ledger.texts.key_tables import KeyTables
        except ImportError as error:
            missing = f"{error}; install okr-ledger[postgres]"
            raise LogUnavailable(str(database), "open", missing) from None
        return cls(str(database), tables=KeyTables(database))

    def exists(self) -> bool:
        if self.file is not None:
            return KeyFile.is_there(self.file)
        assert self.tables is not None
        return self.tables.exists()

    def make(self, log_id: str, plain_until: int) -> None:
        if self.file is not None:
            KeyFile.made(self.file, log_id, plain_until).close()
        elif self.tables is not None:
            self.tables.make_store(log_id, plain_until)

    def close(self) -> None:
        if self.tables is not None:
            self.tables.close()

    def opened(self) -> KeyFile | KeyTables:
        if self.file is not None:
            return KeyFile(self.file)
        assert self.tables is not None
        return self.tables
