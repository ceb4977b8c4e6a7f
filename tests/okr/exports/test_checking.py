"""Exports held against each other and against checkpoints, as `okr verify` does it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from typer.testing import CliRunner, Result

from okr.cli.app import app
from okr.exports.errors import Misfit
from okr.exports.tally import Tally
from okr.exports.writing import Writing
from okr.proofs.checkpoint import Checkpoint, notes_in
from okr.proofs.leaf import Leaves
from okr.proofs.note import SigningKey, signed
from okr.proofs.tree import Frontier
from okr.v1.export_pb2 import ExportedEpoch
from tests.okr.exports.made import LOG, chunk, events, header, parts, read

CHUNKS: Final = [chunk(1, 3), chunk(4, 6), chunk(7, 9)]
KEY: Final = SigningKey(f"okr-ledger/{LOG}", Ed25519PrivateKey.from_private_bytes(bytes(32)))
OTHER: Final = SigningKey("other", Ed25519PrivateKey.from_private_bytes(bytes(31) + b"1"))


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    file = tmp_path / "whole.okr"
    file.write_bytes(b"".join(parts(header(9), CHUNKS)))
    return file


def kept(folder: Path, *sizes: int, **altered: object) -> Path:
    """A file of signed checkpoints of the first so many events."""
    file = folder / "kept.txt"
    notes = []
    for size in sizes:
        tree = Frontier()
        for each in events(1, size):
            tree.append(Leaves(LOG).hash(each))
        stated = Checkpoint(LOG, 1, size, tree.root())._replace(**altered)  # type: ignore[arg-type]
        notes.append(str(signed(stated.text, [KEY])))
    file.write_text("".join(notes))
    return file


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["verify", *map(str, arguments)])


def done(*arguments: str | Path) -> str:
    told = run(*arguments)
    assert told.exit_code == 0, told.output
    return told.stdout


def refused(*arguments: str | Path) -> str:
    told = run(*arguments)
    assert told.exit_code == 1, told.output
    return " ".join(told.stderr.split())


def test_an_export_in_order_is_told_with_its_root(whole: Path) -> None:
    told = done(whole)
    assert f"events 1 to 9 of ledger {LOG}, epoch 1: all in order" in told
    root = read(whole.read_bytes()).tree.root().hex()
    assert f"root {root} of 9 events" in told
    assert "held against nothing from elsewhere" in told


def test_it_is_held_against_checkpoints(whole: Path, tmp_path: Path) -> None:
    notes = kept(tmp_path, 0, 1, 4, 6, 9)
    assert "as 5 checkpoints that you kept say, whose signatures were not" in done(
        whole, "--checkpoint", notes
    )
    told = done(whole, "--checkpoint", notes, "--key", str(KEY.verifier))
    assert "as 5 checkpoints that you kept say, signed by a key that you gave" in told


def test_a_checkpoint_that_was_cut_off_as_it_was_written_is_left_out_and_told(
    whole: Path, tmp_path: Path
) -> None:
    notes = kept(tmp_path, 4, 6)
    first, second = notes_in(notes.read_text())
    notes.write_text(first + "".join(second.splitlines(keepends=True)[:2]) + first)
    told = run("--checkpoint", notes, whole)
    assert "as 2 checkpoints that you kept say" in told.stdout
    assert "cut off as they were written: 1" in " ".join(told.stderr.split())


def test_a_rewritten_event_is_found_below_the_first_checkpoint_after_it(
    whole: Path, tmp_path: Path
) -> None:
    rewritten = [chunk(1, 3), chunk(4, 6), chunk(7, 9)]
    rewritten[1].events[1].recorded_us += 1
    whole.write_bytes(b"".join(parts(header(9), rewritten)))
    assert "all in order" in done(whole, "--checkpoint", kept(tmp_path, 4))
    told = refused(whole, "--checkpoint", kept(tmp_path, 4, 6, 9))
    assert "chunk 2, event 6: up to here the events are not those that the checkpoint" in told


@pytest.mark.parametrize(
    ("sizes", "altered", "told"),
    [
        ((10,), {}, "a checkpoint of 10 events is there, and the export ends with event 9"),
        ((9,), {"log_id": "another"}, "is of ledger another, not of"),
        ((9,), {"epoch": 2}, "is of epoch 2, of which the export knows nothing"),
    ],
)
def test_a_checkpoint_that_it_cannot_be_held_against_is_told(
    whole: Path, tmp_path: Path, sizes: tuple[int, ...], altered: dict[str, object], told: str
) -> None:
    assert told in refused(whole, "--checkpoint", kept(tmp_path, *sizes, **altered))


def test_two_checkpoints_that_contradict_each_other_are_told(whole: Path, tmp_path: Path) -> None:
    first = kept(tmp_path, 9).rename(tmp_path / "first.txt")
    other = kept(tmp_path, 9, root=bytes(32))
    told = refused(whole, "--checkpoint", first, "--checkpoint", other)
    assert "two checkpoints of 9 events contradict each other" in told


def test_a_checkpoint_that_another_key_signed_is_no_proof(whole: Path, tmp_path: Path) -> None:
    notes = kept(tmp_path, 9)
    told = refused(whole, "--checkpoint", notes, "--key", str(OTHER.verifier))
    assert "kept.txt: checkpoint 1: no key that is known here has signed the checkpoint" in told
    assert "a key is written" in refused(whole, "--key", "nonsense")
    notes.write_text("nonsense")
    assert "it holds no checkpoints" in refused(whole, "--checkpoint", notes)


def test_exports_that_go_on_from_each_other_are_one(whole: Path, tmp_path: Path) -> None:
    one, other = tmp_path / "1.okr", tmp_path / "2.okr"
    one.write_bytes(b"".join(parts(header(6), CHUNKS[:2])))
    first = read(one.read_bytes())
    later = header(9, after=first)
    later.epochs.append(ExportedEpoch(epoch=7))
    other.write_bytes(b"".join(parts(later, CHUNKS[2:])))
    root = read(whole.read_bytes()).tree.root().hex()
    told = done(one, other, "--checkpoint", kept(tmp_path, 3, 6, 9))
    assert f"events 1 to 9 of ledger {LOG}, epoch 7" in told
    assert f"root {root} of 9 events" in told
    # Alone it says which tree it goes on from, and that can be held against a checkpoint too.
    assert "events 7 to 9" in done(other, "--checkpoint", kept(tmp_path, 6, 9))
    assert "begins after event 6" in refused(other, "--checkpoint", kept(tmp_path, 3))
    assert "it does not go on after event 9" in refused(other, one)
    assert "it does not go on after event 9" in refused(whole, other)


def test_an_export_of_a_rewritten_past_does_not_go_on(tmp_path: Path) -> None:
    one, other = tmp_path / "1.okr", tmp_path / "2.okr"
    one.write_bytes(b"".join(parts(header(6), CHUNKS[:2])))
    rewritten = [chunk(1, 3), chunk(4, 6)]
    rewritten[0].events[0].recorded_us += 1
    past = read(b"".join(parts(header(6), rewritten)))
    other.write_bytes(b"".join(parts(header(9, after=past), CHUNKS[2:])))
    assert "2.okr: the header: it does not go on after event 6" in refused(one, other)


def noted(*sizes: int, rewritten: bool = False) -> bytes:
    """An export that holds signed checkpoints of the first so many events."""
    chunks = [chunk(1, 3), chunk(4, 6), chunk(7, 9)]
    for size in sizes:
        tree = Frontier()
        for each in events(1, size):
            tree.append(Leaves(LOG).hash(each))
        written = str(signed(Checkpoint(LOG, 1, size, tree.root()).text, [KEY]))
        chunks[(size - 1) // 3].checkpoints.append(written)
    if rewritten:
        # By somebody who makes the export anew, since nothing else would be readable.
        chunks[1].events[1].recorded_us += 1
    return b"".join(parts(header(9), chunks))


def test_the_checkpoints_in_it_are_held_against_its_events(whole: Path, tmp_path: Path) -> None:
    whole.write_bytes(noted(1, 3, 7))
    told = done(whole)
    assert "as 3 checkpoints in it say" in told
    assert "held against nothing from elsewhere" in told
    told = done(whole, "--key", str(KEY.verifier))
    assert "signed by a key that you gave up to event 7" in told
    assert "held against nothing" in done(whole, "--key", str(OTHER.verifier))
    with pytest.raises(Misfit, match="event 7: up to here the events are not those"):
        noted(1, 3, 7, rewritten=True)


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("nonsense", "a checkpoint of it is none"),
        (Checkpoint("another", 1, 2, bytes(32)).text + "\n", "it is of other events"),
        (Checkpoint(LOG, 1, 4, bytes(32)).text + "\n", "it is of other events"),
    ],
)
def test_a_checkpoint_of_something_else_is_noticed(written: str, told: str) -> None:
    wrong = chunk(1, 3)
    wrong.checkpoints.append(written)
    with pytest.raises(Misfit, match=told.removeprefix("it is")):
        Writing(Tally(header(9))).chunk(wrong)


def test_what_is_wrong_is_named(whole: Path) -> None:
    damaged = bytearray(whole.read_bytes())
    damaged[-100] ^= 1
    whole.write_bytes(damaged)
    assert "whole.okr: chunk 3: it was altered" in refused(whole)
