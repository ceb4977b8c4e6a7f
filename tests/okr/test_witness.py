"""A caller who holds a checkpoint notices what no server would tell."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from okr.cli.app import app
from okr.client import OkrClient
from okr.proofs.note import NoteInvalid, VerifierKey
from okr.v1.audit_service_pb2 import GetCheckpointRequest
from okr.v1.events_pb2 import TeamRegistered
from okr.witness import CheckpointFile, LedgerRewritten, Witness, file_of
from service.proofs.keys import make_key_file
from tests.support.ask import team
from tests.support.attacking import Attacker
from tests.support.databases import ledger
from tests.support.serving import shared_loop
from tests.support.whole import Caller, whole_service

pytestmark = pytest.mark.usefixtures("each_database")


@pytest.fixture
def key(tmp_path: Path) -> Path:
    file = tmp_path / "key.pem"
    make_key_file(file)
    return file


@pytest.fixture
def file(tmp_path: Path) -> CheckpointFile:
    return CheckpointFile(tmp_path / "state" / "held")


@contextmanager
def serving(folder: Path, *keys: Path) -> Iterator[tuple[Caller, OkrClient]]:
    files = ":".join(map(str, keys))
    with (
        whole_service(shared_loop(), folder, checkpoint_key_file=files) as me,
        OkrClient(me.address) as okr,
    ):
        yield me, okr


def grown(me: Caller, *names: str) -> None:
    """Adds an event for each name, and waits until all are signed."""
    for name in names:
        me.ask(team(name))
    me.ask(GetCheckpointRequest())


def test_what_grows_is_held_and_every_event_proven(
    tmp_path: Path, key: Path, file: CheckpointFile
) -> None:
    with serving(tmp_path, key) as (me, okr):
        witness = Witness(okr.audit, file)
        assert witness.look().size == 0
        grown(me, "a", "b", "c")
        assert witness.look().size == 3
        assert Witness(okr.audit, file).look().size == 3
        event, stated = witness.prove(2)
        assert TeamRegistered.FromString(event.payload).team == "teams/b"
        assert stated.size == 3


def test_a_rewritten_tail_is_noticed(tmp_path: Path, key: Path, file: CheckpointFile) -> None:
    with serving(tmp_path, key) as (me, okr):
        grown(me, "a", "b", "c")
        held = Witness(okr.audit, file).look()
    attacker = Attacker(ledger(tmp_path))
    with attacker.log() as execute:
        fact = TeamRegistered(team="teams/d").SerializeToString()
        execute("UPDATE events SET payload = ? WHERE position = 3", fact)
    attacker.forget_proofs()
    with serving(tmp_path, key) as (me, okr):
        grown(me, "e")
        with pytest.raises(LedgerRewritten, match="first 3 events are not what they were") as told:
            Witness(okr.audit, file).look()
        assert told.value.held == held
        # It goes on holding what it held.
        with pytest.raises(LedgerRewritten):
            Witness(okr.audit, file).prove(4)


def test_a_ledger_that_was_cut_off_is_noticed(
    tmp_path: Path, key: Path, file: CheckpointFile
) -> None:
    with serving(tmp_path, key) as (me, okr):
        grown(me, "a", "b", "c")
        Witness(okr.audit, file).look()
    attacker = Attacker(ledger(tmp_path))
    with attacker.log() as execute:
        execute("DELETE FROM requests WHERE last_position > 1")
        execute("DELETE FROM events WHERE position > 1")
    attacker.forget_proofs()
    with serving(tmp_path, key) as (me, okr):
        with pytest.raises(LedgerRewritten, match="it had 3 events, and has 1"):
            Witness(okr.audit, file).look()
        grown(me, "d", "e", "f")
        with pytest.raises(LedgerRewritten, match="first 3 events"):
            Witness(okr.audit, file).look()


def test_another_ledger_in_its_place_is_noticed(
    tmp_path: Path, key: Path, file: CheckpointFile
) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    with serving(tmp_path / "one", key) as (_, okr):
        Witness(okr.audit, file).look()
    with serving(tmp_path / "two", key) as (me, okr):
        grown(me, "a")
        with pytest.raises(LedgerRewritten):
            Witness(okr.audit, file).look()


def test_a_key_that_nobody_knows_is_refused_and_one_that_signs_beside_is_taken(
    tmp_path: Path, key: Path, file: CheckpointFile
) -> None:
    new = tmp_path / "new.pem"
    make_key_file(new)
    with serving(tmp_path, key) as (me, okr):
        grown(me, "a")
        Witness(okr.audit, file).look()
        held = file.held()
    with serving(tmp_path, new) as (me, okr):
        grown(me, "b")
        with pytest.raises(LedgerRewritten, match="no key that counts"):
            Witness(okr.audit, file).look()
        assert file.held() == held
    with serving(tmp_path, new, key) as (me, okr):
        grown(me, "c")
        assert Witness(okr.audit, file).look().size == 3
    with serving(tmp_path, new) as (me, okr):
        grown(me, "d")
        assert Witness(okr.audit, file).look().size == 4


def test_keys_that_are_given_are_the_only_ones(
    tmp_path: Path, key: Path, file: CheckpointFile
) -> None:
    with serving(tmp_path, key) as (me, okr):
        grown(me, "a")
        answer = okr.audit.GetCheckpoint(GetCheckpointRequest())
        (mine,) = map(VerifierKey.parse, answer.verifier_keys)
        assert Witness(okr.audit, file, [mine]).look().size == 1
        stranger = VerifierKey(mine.name, bytes(32))
        with pytest.raises(LedgerRewritten, match="no key that counts"):
            Witness(okr.audit, file, [stranger]).look()


def test_a_file_that_holds_something_else_is_not_overwritten(
    tmp_path: Path, key: Path, file: CheckpointFile
) -> None:
    file.path.parent.mkdir()
    file.path.write_text("a diary")
    with serving(tmp_path, key) as (_, okr), pytest.raises(NoteInvalid):
        Witness(okr.audit, file).look()
    assert file.path.read_text() == "a diary"


def test_the_command_line_holds_and_proves(
    tmp_path: Path, key: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    with serving(tmp_path, key) as (me, _):
        grown(me, "a", "b")

        def run(*command: str) -> Result:
            return CliRunner().invoke(app, ["--address", me.address, *command])

        told = run("checkpoint")
        assert told.exit_code == 0, told.output
        assert "2 events of ledger" in told.stdout
        assert file_of(me.address).held() is not None
        told = run("prove", "2")
        assert told.exit_code == 0, told.output
        assert "event 2 is one of the 2 of the checkpoint" in told.stdout
        assert "TeamRegistered" in told.stdout
        me.ask(team("c"), (("okr-actor", "people/anna"),))
        # Whose it is, is sealed in the bytes that are proven.
        assert "(encrypted)" in run("prove", "3").stdout
        assert run("prove", "9").exit_code == 1
        stranger = VerifierKey("okr-ledger/x", bytes(32))
        told = run("checkpoint", "--key", str(stranger))
        assert (told.exit_code, "was rewritten" in told.stderr) == (1, True)
        assert run("checkpoint", "--key", "nonsense").exit_code == 2
        assert run("checkpoint", "--forget").exit_code == 0
