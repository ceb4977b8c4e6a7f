"""What a key store promises, held by the file and by the tables."""

import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from ledger.log.database import Database
from ledger.texts.key_file import KeyFile
from ledger.texts.key_tables import KeyTables
from ledger.texts.keyring import Keyring
from ledger.texts.store import KeyStore, StoredKey
from tests.support.databases import ledger

FIRST = StoredKey("keys/first", b"1" * 32)
SECOND = StoredKey("keys/second", b"2" * 32)


@pytest.fixture
def database(each_database: str, tmp_path: Path) -> Database:
    return ledger(tmp_path)


@pytest.fixture
def store(database: Database) -> Iterator[KeyStore]:
    with closing(_made(database)) as made:
        yield made


def _made(database: Database) -> KeyFile | KeyTables:
    if not database.is_postgres:
        return KeyFile.made(database.file, "log", 7)
    tables = KeyTables(database)
    tables.make_store("log", 7)
    return tables


def _again(database: Database) -> KeyFile | KeyTables:
    return KeyTables(database) if database.is_postgres else KeyFile(database.file)


def test_a_key_is_found_by_its_name_and_by_whose_it_is(store: KeyStore) -> None:
    assert store.of_person(b"anna") is None
    assert store.make(b"anna", FIRST) == FIRST

    assert store.of_person(b"anna") == store.named("keys/first") == FIRST
    assert store.named("keys/second") is None


def test_a_person_has_one_key(store: KeyStore) -> None:
    store.make(b"anna", FIRST)

    assert store.make(b"anna", SECOND) == FIRST
    assert store.named("keys/second") is None


def test_those_who_make_a_key_at_once_get_the_same(database: Database, store: KeyStore) -> None:
    start = threading.Barrier(4)
    made: list[StoredKey] = []

    def make(number: int) -> None:
        with closing(_again(database)) as own:
            start.wait()
            made.append(own.make(b"anna", StoredKey(f"keys/{number}", bytes([number]) * 32)))

    threads = [threading.Thread(target=make, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(made) == 4
    assert set(made) == {store.of_person(b"anna")}


def test_a_destroyed_key_is_gone_and_its_place_is_taken(store: KeyStore) -> None:
    store.make(b"anna", FIRST)
    store.make(b"bea", SECOND)
    before = store.header()

    assert store.destroy(["keys/first", "keys/unheard-of"]) == 1
    assert store.destroy(["keys/first"]) == 0

    after = store.header()
    gone = StoredKey("keys/first", None)
    assert store.of_person(b"anna") == store.named("keys/first") == gone
    assert store.make(b"anna", StoredKey("keys/third", b"3" * 32)) == gone
    assert store.named("keys/second") == SECOND
    assert (before.erasures, after.erasures) == (0, 1)
    assert before.secret == after.secret
    assert before.snapshots != after.snapshots


def test_a_store_is_found_again(database: Database, store: KeyStore) -> None:
    store.make(b"anna", FIRST)

    with closing(_again(database)) as again:
        assert again.header() == store.header()
        assert (again.header().log_id, again.header().plain_until) == ("log", 7)
        assert again.named("keys/first") == FIRST


def test_nothing_of_a_store_shows_a_secret(store: KeyStore) -> None:
    header = store.header()

    assert str(header.secret) not in repr(header)
    assert str(header.snapshots) not in repr(header)


def test_a_key_destroyed_elsewhere_is_forgotten_in_time(
    database: Database, store: KeyStore
) -> None:
    now = [0.0]
    keyring = Keyring(store, monotonic=lambda: now[0])
    key = keyring.key_of("people/anna")
    assert keyring.named(key.name) is key

    with closing(_again(database)) as elsewhere:
        elsewhere.destroy([key.name])
    now[0] = 1.0

    found = keyring.named(key.name)
    assert found is not None
    assert not found.usable
    assert not keyring.key_of("people/anna").usable


@pytest.mark.parametrize("each_database", ["postgres"], indirect=True)
def test_no_page_of_the_tables_keeps_a_destroyed_key(database: Database, store: KeyStore) -> None:
    secret = bytes(range(100, 132))
    for number in range(50):
        store.make(b"%d" % number, StoredKey(f"keys/{number}", bytes([number]) * 32))
    store.make(b"anna", StoredKey("keys/anna", secret))
    assert secret in _pages(database)

    store.destroy(["keys/anna"])

    assert secret not in _pages(database)
    assert bytes([7]) * 32 in _pages(database)


def _pages(database: Database) -> bytes:
    """The file of the table of keys, as the server has it on its disk."""
    with psycopg.connect(database.url, autocommit=True) as connection:
        connection.execute("CHECKPOINT")
        table = f"{database.schema}.keys"
        query = "SELECT pg_read_binary_file(pg_relation_filepath(%s))"
        row = connection.execute(query, [table]).fetchone()
    assert row is not None
    return bytes(row[0])
