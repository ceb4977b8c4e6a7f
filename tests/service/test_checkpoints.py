"""`okr-ledger checkpoint`: keys, what was signed, and a tree that is made anew."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from ledger.log.database import Database
from okr.proofs import checkpoint
from okr.proofs.note import VerifierKey
from service.cli.app import app
from service.proofs.keys import load_key_file
from tests.support.appended import append_team_events
from tests.support.databases import ledger

pytestmark = pytest.mark.usefixtures("each_database")

EVENTS = 600


def run(database: Database, *command: str) -> Result:
    place = ["--database-url", database.url, "--database-schema", database.schema]
    return CliRunner().invoke(app, ["checkpoint", *command, *place])


def done(database: Database, *command: str) -> str:
    told = run(database, *command)
    assert told.exit_code == 0, told.output
    return told.stdout


@pytest.fixture
def signed(tmp_path: Path) -> tuple[Database, Path]:
    """A ledger whose tree was made and signed, and the key."""
    database, key = ledger(tmp_path), tmp_path / "key.pem"
    append_team_events(database, EVENTS)
    made = done(database, "new-key", str(key))
    assert f"of {EVENTS} events" in done(database, "rebuild", "--checkpoint-key-file", str(key))
    assert done(database, "show", "--keys") == made
    return database, key


def test_a_key_is_for_its_owner_and_verifies_what_it_signs(
    signed: tuple[Database, Path],
) -> None:
    database, key = signed
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    verifier = VerifierKey.parse(done(database, "show", "--keys"))
    assert load_key_file(key).public_key().public_bytes_raw() == verifier.public
    stated, _ = checkpoint.opened(done(database, "show"), [verifier])
    assert stated.size == EVENTS
    assert done(database, "show", "--size", str(EVENTS)) == done(database, "show")


def test_a_tree_made_anew_is_the_same(signed: tuple[Database, Path]) -> None:
    database, key = signed
    before = done(database, "show")
    done(database, "rebuild", "--checkpoint-key-file", str(key))
    assert done(database, "show") == before


def test_the_latest_is_published_once(signed: tuple[Database, Path], tmp_path: Path) -> None:
    database, _ = signed
    for _ in range(2):
        done(database, "publish", str(tmp_path / "published"))
    assert (tmp_path / "published").read_text() == done(database, "show")
    assert run(database, "publish", str(tmp_path)).exit_code == 1


def test_what_is_not_there_is_told(signed: tuple[Database, Path]) -> None:
    database, key = signed
    told = run(database, "show", "--size", "7")
    assert (told.exit_code, told.stderr) == (
        1,
        "okr-ledger: no checkpoint of 7 events was signed of this ledger\n",
    )
    told = run(database, "new-key", str(key))
    assert (told.exit_code, "no key can be made there" in told.stderr) == (1, True)


def test_a_key_can_be_made_before_there_is_a_ledger(tmp_path: Path) -> None:
    told = run(ledger(tmp_path), "new-key", str(tmp_path / "key.pem"))
    assert (told.exit_code, told.stdout) == (0, "")
    assert "has no name yet" in told.stderr
    load_key_file(tmp_path / "key.pem")


@pytest.mark.parametrize("pem", ["", "nothing", "-----BEGIN PRIVATE KEY-----\nsecret\n"])
def test_a_file_that_is_no_key_is_refused_and_not_shown(
    signed: tuple[Database, Path], tmp_path: Path, pem: str
) -> None:
    database, _ = signed
    (tmp_path / "broken.pem").write_text(pem)
    told = run(database, "rebuild", "--checkpoint-key-file", str(tmp_path / "broken.pem"))
    assert told.exit_code == 1
    assert "secret" not in told.output
    assert f"{tmp_path / 'broken.pem'}: is no private key" in told.stderr
