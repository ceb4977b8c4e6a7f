"""What the file of keys shows to others, and keeps of what is destroyed."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from ledger.texts.key_file import KeyFile, keys_file
from ledger.texts.store import KeysMismatch, StoredKey

SECRET = bytes(range(32))


def test_it_stands_beside_the_log() -> None:
    assert keys_file(Path("a/okr-ledger.db")) == Path("a/okr-ledger.keys.db")


def test_only_its_owner_may_read_it(tmp_path: Path) -> None:
    file = tmp_path / "x.keys.db"

    KeyFile.made(file, "log", 0).close()

    assert {each.stat().st_mode & 0o777 for each in tmp_path.iterdir()} == {0o600}


def test_no_byte_of_a_destroyed_key_stays(tmp_path: Path) -> None:
    with closing(KeyFile.made(tmp_path / "x.keys.db", "log", 0)) as store:
        for number in range(200):
            store.make(b"%d" % number, StoredKey(f"keys/{number}", bytes([number]) * 32))
        store.make(b"anna", StoredKey("keys/anna", SECRET))
        assert _anywhere(tmp_path, SECRET)

        store.destroy(["keys/anna"])

        assert not _anywhere(tmp_path, SECRET)


def test_a_crash_while_it_is_made_leaves_none(tmp_path: Path) -> None:
    file = tmp_path / "x.keys.db"
    file.touch()
    assert not KeyFile.is_there(file)

    with closing(KeyFile.made(file, "log", 0)) as store:
        assert store.header().log_id == "log"
    assert KeyFile.is_there(file)


def test_one_that_is_there_stays_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "x.keys.db"
    with closing(KeyFile.made(file, "log", 0)) as store:
        header = store.header()

    with closing(KeyFile.made(file, "another", 0)) as again:
        assert again.header() == header


def test_another_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "x.db"
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE other (a)")

    with pytest.raises(KeysMismatch):
        KeyFile(file)


def _anywhere(folder: Path, what: bytes) -> bool:
    return any(what in file.read_bytes() for file in folder.iterdir())
