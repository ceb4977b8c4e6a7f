"""A ledger that went through a file is the ledger that it was, in either database."""

from __future__ import annotations

import random
from contextlib import closing
from io import BytesIO
from pathlib import Path
from typing import Final

import grpc
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from google.protobuf.message import Message
from typer.testing import CliRunner

from ledger.log.clock import now_us
from ledger.log.contract import Append, EncodedEvent
from ledger.log.database import Database
from ledger.log.opening import open_log
from okr.cli.app import app as callers
from okr.exports import links
from okr.proofs import note
from okr.proofs.checkpoint import Checkpoint
from okr.proofs.leaf import Leaves
from okr.proofs.note import SigningKey
from okr.proofs.tree import Frontier
from okr.v1.audit_service_pb2 import ListEventsRequest
from okr.v1.event_record_pb2 import EventMetadata
from okr.v1.values_pb2 import AsOf
from service.moving.notes import Notes
from tests.api.story import told
from tests.support.appended import append_team_events
from tests.support.ask import team
from tests.support.places import EITHER, done, place, refused, server_of, serving
from tests.support.questions import questions
from tests.support.serving import Refused
from tests.support.whole import Caller
from tools.postgres import Postgres

KEY: Final = SigningKey("a-key", Ed25519PrivateKey.from_private_bytes(bytes(32)))
SEED: Final = 20_261_124
EVENTS: Final = 7_000


@pytest.fixture(scope="module", params=EITHER)
def source(request: pytest.FixtureRequest) -> Postgres | None:
    """Where ledgers come from: a PostgreSQL, or files where it is None."""
    return server_of(request)


@pytest.fixture(params=EITHER)
def target(request: pytest.FixtureRequest) -> Postgres | None:
    """Where they go."""
    return server_of(request)


@pytest.fixture(scope="module")
def long(source: Postgres | None, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes]:
    """A ledger of several chunks, and its export."""
    folder = tmp_path_factory.mktemp("long")
    at = place(source, folder / "ledger")
    append_team_events(at, EVENTS)
    done(at, "export", folder / "whole.okr")
    return folder, (folder / "whole.okr").read_bytes()


@pytest.mark.slow
def test_every_answer_is_the_same_and_so_is_the_next_export(
    source: Postgres | None, target: Postgres | None, tmp_path: Path
) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    there, here = place(source, one), place(target, other)
    # Keys are no part of an export: they are taken along by hand, or stay where both reach them.
    keys = f"sqlite:///{tmp_path / 'keys.db'}"
    again = team("again")
    again.request_id = "0193a5e2-0000-4000-8000-000000000001"
    with serving(there, one, keys) as me:
        first = me.ask(again).position
        story = told(me)
        asked = questions(me, [story.week_3, story.revised], 2)
        answers = [answer(me, question) for question in asked]
    assert f"events 1 to {story.revised} of ledger" in done(there, "export", tmp_path / "a.okr")
    verified = CliRunner().invoke(callers, ["verify", str(tmp_path / "a.okr")])
    assert f"events 1 to {story.revised} of ledger" in verified.stdout
    done(here, "import", tmp_path / "a.okr")
    done(here, "export", tmp_path / "b.okr")
    assert (tmp_path / "a.okr").read_bytes() == (tmp_path / "b.okr").read_bytes()
    with serving(here, other, keys) as me:
        me.ask(ListEventsRequest(as_of=AsOf(position=story.revised)))
        assert [answer(me, question) for question in asked] == answers
        assert me.ask(again).position == first
        assert me.ask(team("new")).position == story.revised + 1


def answer(me: Caller, question: Message) -> bytes:
    """What the service says to a read, also where it refuses it."""
    try:
        return me.send(question)
    except grpc.RpcError as error:
        return Refused(error).message.encode()


def test_an_export_goes_on_where_it_was_ended(long: tuple[Path, bytes], source: Postgres) -> None:
    folder, whole = long
    target = folder / "again.okr"
    chance = random.Random(SEED)
    for length in [0, 10, len(whole), *(chance.randrange(len(whole)) for _ in range(5))]:
        target.with_name("again.okr.partial").write_bytes(whole[:length])
        done(place(source, folder / "ledger"), "export", target)
        assert target.read_bytes() == whole
        target.unlink()


def test_an_unfinished_export_that_is_damaged_goes_on_before_that(
    long: tuple[Path, bytes], source: Postgres
) -> None:
    folder, whole = long
    target = folder / "again.okr"
    for place_of in (30, len(whole) // 2, len(whole) - 3):
        damaged = bytearray(whole)
        damaged[place_of] ^= 4
        target.with_name("again.okr.partial").write_bytes(damaged)
        done(place(source, folder / "ledger"), "export", target)
        assert target.read_bytes() == whole
        target.unlink()


def test_an_unfinished_export_of_another_ledger_is_of_no_use(
    long: tuple[Path, bytes], source: Postgres, tmp_path: Path
) -> None:
    _, whole = long
    at = place(source, tmp_path)
    append_team_events(at, 50)
    (tmp_path / "x.okr.partial").write_bytes(whole[:-40])
    done(at, "export", tmp_path / "x.okr")
    done(at, "export", tmp_path / "y.okr")
    assert (tmp_path / "x.okr").read_bytes() == (tmp_path / "y.okr").read_bytes()


def test_an_import_goes_on_where_it_was_ended(
    long: tuple[Path, bytes], target: Postgres | None, tmp_path: Path
) -> None:
    folder, whole = long
    at = place(target, tmp_path)
    for share in (0.3, 0.9):
        (tmp_path / "cut.okr").write_bytes(whole[: int(len(whole) * share)])
        assert "the file ends within it" in refused(at, "import", tmp_path / "cut.okr")
        assert "an import into it has not ended" in refused(at, "verify")
    done(at, "import", folder / "whole.okr")
    assert "0 events in" in done(at, "import", folder / "whole.okr")
    done(at, "export", tmp_path / "again.okr")
    assert (tmp_path / "again.okr").read_bytes() == whole
    assert "all in order" in done(at, "verify")


def test_a_damaged_export_is_taken_in_up_to_the_damage_and_never_opened(
    long: tuple[Path, bytes], target: Postgres | None, tmp_path: Path
) -> None:
    _, whole = long
    damaged = bytearray(whole)
    damaged[len(whole) // 2] ^= 1
    (tmp_path / "damaged.okr").write_bytes(damaged)
    at = place(target, tmp_path)
    assert "chunk 2: it was altered" in refused(at, "import", tmp_path / "damaged.okr")
    assert "an import into it has not ended" in refused(at, "verify")


def test_later_exports_go_on_from_earlier_ones(
    source: Postgres | None, target: Postgres | None, tmp_path: Path
) -> None:
    there, here = place(source, tmp_path / "one"), place(target, tmp_path / "other")
    append_team_events(there, 60)
    done(there, "export", tmp_path / "1.okr")
    rename(there, "again")
    done(there, "log", "new-epoch")
    rename(there, "and again")
    done(there, "export", tmp_path / "2.okr", "--after", "60")
    assert "it holds 0 events" in refused(here, "import", tmp_path / "2.okr")
    done(here, "import", tmp_path / "1.okr")
    done(here, "import", tmp_path / "2.okr")
    assert content(here) == content(there)
    assert "its last event is 62" in refused(there, "export", tmp_path / "3.okr", "--after", "63")
    # Another ledger by now: what both hold is the same up to event 60 only.
    done(here, "export", tmp_path / "4.okr", "--after", "62")
    fork = place(target, tmp_path / "fork")
    done(fork, "import", tmp_path / "1.okr")
    rename(fork, "otherwise")
    rename(fork, "and otherwise")
    done(here, "export", tmp_path / "5.okr")
    for file in ("4.okr", "5.okr"):
        assert "its event 62 is not that of the export" in refused(fork, "import", tmp_path / file)


def rename(at: Database, title: str) -> None:
    """One more event of the first team."""
    with closing(open_log(at)) as log:
        stream = "teams/t0"
        version = log.stream_versions([stream])[stream]
        newest = log.read_stream(stream, version - 1)[0]
        told = EventMetadata(request_id=title).SerializeToString()
        event = EncodedEvent(stream, newest.event_type, told, newest.payload)
        log.append_batch([Append([event], {stream: version})], now_us())


def content(at: Database) -> object:
    with closing(open_log(at, read_only=True)) as log:
        return log.epochs(), log.read(0, 1_000), log.requests(0, 1_000)


def test_nothing_is_taken_into_another_ledger(
    long: tuple[Path, bytes], target: Postgres | None, tmp_path: Path
) -> None:
    folder, _ = long
    at = place(target, tmp_path)
    open_log(at).close()
    assert "it holds epoch 1 of ledger" in refused(at, "import", folder / "whole.okr")
    append_team_events(at, 50)
    assert "it holds epoch 1 of ledger" in refused(at, "import", folder / "whole.okr")


def test_an_export_never_takes_the_place_of_a_file(source: Postgres | None, tmp_path: Path) -> None:
    at = place(source, tmp_path)
    append_team_events(at, 50)
    (tmp_path / "x.okr").write_text("mine")
    assert "it is there already" in refused(at, "export", tmp_path / "x.okr")
    assert (tmp_path / "x.okr").read_text() == "mine"


def test_what_was_signed_goes_along(
    source: Postgres | None, target: Postgres | None, tmp_path: Path
) -> None:
    there, here = place(source, tmp_path / "one"), place(target, tmp_path / "other")
    append_team_events(there, 120)
    with closing(open_log(there, read_only=True)) as log:
        identity = log.identity()
        leaves, tree = Leaves(identity.log_id), Frontier()
        notes = []
        for record in log.read(0, 120):
            tree.append(leaves.hash(record))
            if record.position in {1, 60, 120}:
                stated = Checkpoint(*identity, record.position, tree.root())
                notes.append(str(note.signed(stated.text, [KEY])))
    with closing(Notes(there, identity.log_id)) as kept:
        kept.keep_keys([str(KEY.verifier)])
        kept.keep(notes)
    done(there, "export", tmp_path / "a.okr")
    told = CliRunner().invoke(
        callers, ["verify", str(tmp_path / "a.okr"), "--key", str(KEY.verifier)]
    )
    assert "as 3 checkpoints in it say" in told.stdout
    assert "signed by a key that you gave up to event 120" in told.stdout
    done(here, "import", tmp_path / "a.okr")
    with closing(Notes(here, identity.log_id)) as kept:
        assert (kept.between(1, 120), kept.keys()) == (notes, [str(KEY.verifier)])
    done(here, "export", tmp_path / "b.okr")
    assert (tmp_path / "a.okr").read_bytes() == (tmp_path / "b.okr").read_bytes()
    # What the log says of itself does not fit what was signed of it.
    wrong = Checkpoint(*identity, 90, bytes(32))
    with closing(Notes(there, identity.log_id)) as kept:
        kept.keep([str(note.signed(wrong.text, [KEY]))])
    assert "event 90: up to here the events are not those that the checkpoint" in refused(
        there, "export", tmp_path / "c.okr"
    )


def test_a_chunk_is_a_message_that_fits(long: tuple[Path, bytes]) -> None:
    _, whole = long
    file = BytesIO(whole)
    file.seek(len(links.MAGIC))
    sizes = [size for _, size in links.read(file)]
    assert len(sizes) == 5
    assert max(sizes) < 4_000_000
