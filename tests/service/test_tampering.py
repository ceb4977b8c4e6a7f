"""Whoever has the database's password can change anything in it; each change is found."""

from __future__ import annotations

import random
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from typer.testing import CliRunner, Result

from ledger.log.contract import Append, EncodedEvent, RequestKey
from ledger.log.opening import open_log
from okr.proofs.checkpoint import origin
from okr.proofs.note import SigningKey
from okr.v1.event_record_pb2 import EventMetadata
from okr.v1.events_pb2 import TeamRegistered, TeamRevised
from okr.v1.values_pb2 import PersonalText, TeamDefinition
from projections.proofs.keeper import Keeper
from projections.proofs.store import ProofStore, Signed
from projections.store.progress import Progress
from service.cli.app import app
from tests.support.attacking import Attacker
from tests.support.databases import ledger

pytestmark = pytest.mark.usefixtures("each_database")

TEAMS: Final = 3
EVENTS: Final = 300
SIGNED_AT: Final = 200
"""A checkpoint is signed of so many events, and one of all."""
KEY: Final = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
COLUMNS: Final = ("metadata", "payload", "recorded_us", "stream", "stream_version", "event_type")


class Attacked(Attacker):
    """A ledger that was followed and signed, and whoever may change any of it."""

    def __init__(self, folder: Path) -> None:
        super().__init__(ledger(folder))
        self.published = folder / "published"
        self.append(range(SIGNED_AT))
        self.follow()
        self.append(range(SIGNED_AT, EVENTS))
        self.follow()

    def append(self, numbers: range) -> None:
        with closing(open_log(self.database)) as log:
            for number in numbers:
                stream, version = f"teams/t{number % TEAMS}", number // TEAMS
                request = RequestKey(number.to_bytes(16, "big"), b"hash")
                log.append_batch([Append([event(number)], {stream: version}, request)], number + 1)

    def follow(self) -> None:
        """Keeps the tree up with the log, signs it and publishes that."""

        def publish(signed: Signed) -> None:
            self.signed = signed
            with self.published.open("a") as file:
                file.write(signed.written)

        with (
            closing(open_log(self.database, read_only=True)) as log,
            closing(ProofStore(self.database, log.identity().log_id)) as store,
        ):
            key = SigningKey(origin(log.identity().log_id), KEY)
            self.verifier = str(key.verifier)
            progress = Progress("proofs")
            Keeper(log, store, progress, [key], lambda: 1, on_signed=publish).catch_up()

    def forge_tree(self) -> None:
        """Makes the tree fit the log, and nobody who was told of an earlier one the wiser."""
        self.forget_proofs()
        self.published.rename(self.published.with_name("kept elsewhere"))
        self.follow()


def event(number: int, title: str = "") -> EncodedEvent:
    team = f"teams/t{number % TEAMS}"
    metadata = EventMetadata(actor=PersonalText(plain="ann"), request_id=str(number))
    fact: TeamRegistered | TeamRevised = TeamRegistered(team=team)
    if number >= TEAMS:
        fact = TeamRevised(team=team, after=TeamDefinition(title=title))
    return EncodedEvent(
        team, fact.DESCRIPTOR.full_name, metadata.SerializeToString(), fact.SerializeToString()
    )


def verify(attacked: Attacked, *more: str) -> Result:
    at = attacked.database
    place = ["--database-url", at.url, "--database-schema", at.schema]
    return CliRunner().invoke(app, ["verify", *place, *more])


def found(attacked: Attacked, *more: str) -> str:
    """What is told of a ledger that is not as it was."""
    told = verify(attacked, *more)
    assert told.exit_code == 1, told.output
    return told.stdout


@pytest.fixture
def attacked(tmp_path: Path) -> Attacked:
    return Attacked(tmp_path)


def test_a_ledger_that_nobody_touched_is_in_order(attacked: Attacked) -> None:
    told = verify(attacked, "--checkpoint", str(attacked.published), "--key", attacked.verifier)
    assert told.exit_code == 0, told.output
    assert f"{EVENTS} events: all in order" in told.stdout
    assert f"up to event {EVENTS}, and 3 published checkpoints" in told.stdout


@pytest.mark.parametrize("column", COLUMNS)
def test_a_flipped_bit_in_any_column_is_found_and_the_event_named(
    attacked: Attacked, column: str
) -> None:
    chance = random.Random(column)
    position = chance.randrange(2, EVENTS)
    with attacked.log() as execute:
        if column == "stream" and not attacked.database.is_postgres:
            execute("UPDATE streams SET name = ? WHERE key = 1", "teams/u0")
            position = 1
        else:
            query = f"SELECT {column} FROM events WHERE position = ?"
            (value,) = execute(query, position).fetchone()
            change = f"UPDATE events SET {column} = ? WHERE position = ?"
            execute(change, flipped(value, chance), position)
    told = found(attacked)
    assert f"event {position} " in told
    assert "is not the one that was hashed" in told


def flipped(value: Any, chance: random.Random) -> Any:
    """The value with one bit the other way round, so that the database takes it."""
    if isinstance(value, int):
        # A high one: another version of the stream may have the number already.
        return value ^ 1 << chance.randrange(10, 20)
    if isinstance(value, str):
        at = chance.randrange(len(value))
        return value[:at] + chr(ord(value[at]) ^ 1) + value[at + 1 :]
    whole = bytearray(value)
    whole[chance.randrange(len(whole))] ^= 1 << chance.randrange(8)
    return bytes(whole)


def test_a_deleted_row_is_found(attacked: Attacked) -> None:
    with attacked.log() as execute:
        execute("DELETE FROM requests WHERE first_position = 77")
        execute("DELETE FROM events WHERE position = 77")
    told = found(attacked)
    assert "positions 77 to 77 are missing" in told
    assert f"the first {SIGNED_AT} events are not those" in told


def test_a_swapped_pair_is_found(attacked: Attacked) -> None:
    with attacked.log() as execute:
        for before, after in ((50, -1), (53, 50), (-1, 53)):
            execute("UPDATE events SET position = ? WHERE position = ?", after, before)
    told = found(attacked)
    for position in (50, 53):
        assert f"event {position} (okr.v1.TeamRevised of teams/t1) is not the one" in told


def test_a_rewritten_tail_is_found_by_what_was_kept_of_it(attacked: Attacked) -> None:
    with attacked.log() as execute:
        payload = event(250, "another").payload
        execute("UPDATE events SET payload = ? WHERE position = 251", payload)
    assert "event 251 (okr.v1.TeamRevised of teams/t1) is not the one" in found(attacked)
    attacked.forge_tree()
    # Whoever has the database and the key can make all that is there fit.
    assert verify(attacked).exit_code == 0
    elsewhere = attacked.published.with_name("kept elsewhere")
    told = found(attacked, "--checkpoint", str(elsewhere), "--key", attacked.verifier)
    assert f"the first {EVENTS} events are not those that the published checkpoint" in told


def test_a_log_that_was_cut_off_is_found(attacked: Attacked) -> None:
    with attacked.log() as execute:
        execute("DELETE FROM requests WHERE last_position > 250")
        execute("DELETE FROM events WHERE position > 250")
    told = found(attacked)
    assert f"events 251 to {EVENTS} are missing: the ledger had {EVENTS}" in told
    assert f"events 251 to {EVENTS} are missing: the tree has them" in told
    attacked.forge_tree()
    assert verify(attacked).exit_code == 0
    elsewhere = attacked.published.with_name("kept elsewhere")
    told = found(attacked, "--checkpoint", str(elsewhere), "--key", attacked.verifier)
    assert f"events 251 to {EVENTS} are missing" in told


def test_requests_of_events_that_are_gone_are_found(attacked: Attacked) -> None:
    with attacked.log() as execute:
        execute("DELETE FROM requests WHERE last_position > 290")
        execute("DELETE FROM events WHERE position > 290")
        execute("UPDATE requests SET last_position = 295 WHERE first_position = 290")
    assert "the request of events 290 to 295 does not fit" in found(attacked)


def test_a_tree_that_was_changed_is_found(attacked: Attacked) -> None:
    with attacked.proofs() as execute:
        (hashes,) = execute("SELECT hashes FROM tiles WHERE level = 0").fetchone()
        execute("UPDATE tiles SET hashes = ? WHERE level = 0", hashes[32:] + hashes[:32])
    assert "event 1 (okr.v1.TeamRegistered of teams/t0) is not the one" in found(attacked)
    with attacked.proofs() as execute:
        execute("UPDATE tiles SET hashes = ? WHERE level = 0", hashes)
        (tail,) = execute("SELECT tail FROM tree").fetchone()
        execute("UPDATE tree SET tail = ?", tail[:-32] + bytes(32))
    assert "the tree above the events is damaged" in found(attacked)


def test_a_checkpoint_that_was_changed_is_found(attacked: Attacked) -> None:
    with attacked.proofs() as execute:
        execute("UPDATE checkpoints SET root = ? WHERE size = ?", bytes(32), SIGNED_AT)
    told = found(attacked)
    assert f"the first {SIGNED_AT} events are not those" in told
    assert f"the kept checkpoint of {SIGNED_AT} events carries a signature" in told


def test_checkpoints_have_to_be_signed_by_a_key_that_is_given(
    attacked: Attacked, tmp_path: Path
) -> None:
    stranger = SigningKey("okr-ledger/x", Ed25519PrivateKey.from_private_bytes(b"s" * 32))
    files = ["--checkpoint", str(attacked.published)]
    told = verify(attacked, *files, "--key", str(stranger.verifier))
    assert told.exit_code == 3
    assert "no key that is known here has signed" in told.stderr
    for broken in ("nothing", "okr-ledger/x\n1\n\n— x AAAA\n"):
        (tmp_path / "broken").write_text(broken)
        told = verify(attacked, "--checkpoint", str(tmp_path / "broken"))
        assert told.exit_code == 3
        assert str(tmp_path / "broken") in told.stderr
