"""`okr-ledger keys`: keys that came back from a backup, and keys that are lost."""

from __future__ import annotations

import shutil
from pathlib import Path

from ledger.texts.opening import ERASED
from okr.v1 import score_service_pb2 as scores
from tests.support import ask
from tests.support.server_process import okr_ledger
from tests.support.serving import shared_loop
from tests.support.whole import Caller, whole_service

PERSON = "people/x7"
WORDS = "her own words"


def note(me: Caller) -> str:
    name = f"{ask.FOLLOWERS}/checkIns/1"
    return str(me.ask(scores.GetCheckInRequest(name=name)).check_in.note)


def told(folder: Path) -> None:
    """A ledger in which somebody wrote a note."""
    with whole_service(shared_loop(), folder) as me:
        me.all_of(ask.cycle(first="2024-07-01", last="2024-09-30"), ask.team(), ask.objective())
        me.ask(ask.commit())
        me.ask(ask.check_in(on="2024-07-08", note=WORDS), (("okr-actor", PERSON),))
        assert note(me) == WORDS


def test_keys_from_a_backup_are_destroyed_again(tmp_path: Path) -> None:
    told(tmp_path)
    keys, backup = tmp_path / "okr-ledger.keys.db", tmp_path / "backup.db"
    shutil.copy(keys, backup)
    with whole_service(shared_loop(), tmp_path) as me:
        me.ask(ask.erase(PERSON))
    shutil.copy(backup, keys)

    first = okr_ledger(tmp_path, "keys", "finish-erasures")
    again = okr_ledger(tmp_path, "keys", "finish-erasures")

    assert (first.returncode, first.stdout) == (0, "1 keys destroyed now, 1 in all\n")
    assert again.stdout == "0 keys destroyed now, 1 in all\n"


def test_a_server_destroys_keys_from_a_backup_before_it_answers(tmp_path: Path) -> None:
    told(tmp_path)
    keys, backup = tmp_path / "okr-ledger.keys.db", tmp_path / "backup.db"
    shutil.copy(keys, backup)
    with whole_service(shared_loop(), tmp_path) as me:
        me.ask(ask.erase(PERSON))
    shutil.copy(backup, keys)

    with whole_service(shared_loop(), tmp_path) as me:
        assert note(me) == ERASED


def test_lost_keys_are_made_anew_when_an_operator_says_so(tmp_path: Path) -> None:
    told(tmp_path)
    there = okr_ledger(tmp_path, "keys", "renew", "--lost")
    assert there.returncode == 1
    (tmp_path / "okr-ledger.keys.db").unlink()

    missing = okr_ledger(tmp_path, "keys", "finish-erasures")
    unsaid = okr_ledger(tmp_path, "keys", "renew")
    said = okr_ledger(tmp_path, "keys", "renew", "--lost")

    assert (missing.returncode, unsaid.returncode, said.returncode) == (1, 1, 0)
    with whole_service(shared_loop(), tmp_path) as me:
        assert note(me) == ERASED
        me.ask(ask.check_in(on="2024-07-09", note="new words"), (("okr-actor", PERSON),))
