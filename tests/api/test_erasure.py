"""A person is erased: nothing that was stored changes, and nobody can read of them any more."""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import grpc
import psycopg
import pytest
from google.protobuf.message import Message
from grpc import StatusCode
from psycopg.sql import SQL, Identifier

from ledger.log.opening import open_log
from ledger.texts import key_file
from ledger.texts.finding import open_keys
from ledger.texts.keyring import ERASED_NAMES
from ledger.texts.opening import ERASED
from ledger.texts.store import KeysMismatch
from okr.exports.reading import Reading
from okr.proofs import checkpoint, note
from okr.proofs.leaf import Leaves, told
from okr.proofs.tree import includes
from okr.v1 import audit_service_pb2 as audit
from okr.v1 import ledger_service_pb2 as api
from okr.v1 import score_service_pb2 as scores
from okr.v1.resources_pb2 import CheckIn, Person
from okr.v1.values_pb2 import TeamDefinition
from service.erasing import finish
from service.logging import logs
from service.moving.exporting import export
from tests.api.conftest import days_from_today
from tests.support import ask
from tests.support.databases import ON_SQLITE_ALONE, ledger
from tests.support.serving import LoopThread
from tests.support.whole import Caller, whole_service

Metadata = Sequence[tuple[str, str]]

PEOPLE: Final = ("people/zsofia-x7", "people/bea-q1", "people/dora-k3")
ERASED_ONE, OTHER, SUCCESSOR = PEOPLE
NAME: Final = "Szabó-Nagy Zsófia 品牌 👩‍🚀"
WRITTEN: Final = ("first words 🚀", "second words", "third words", "fourth words", "fifth words")
AS_STREAM: Final = 16
"""How often a file may have the name of her stream: her two events name it, and so do indexes."""
ONCE: Final = "6f0f6a54-2b1c-4a8e-9d0e-6c9a4bb3c1d2"


def by(person: str) -> Metadata:
    return (("okr-actor", person),)


def tell(me: Caller) -> None:
    """A quarter in which the one to be erased acts, owns, writes and takes part."""
    her, him = by(ERASED_ONE), by(OTHER)
    note, reason, proposal, lesson, held = WRITTEN
    owned: Any = {"plain": ERASED_ONE}
    me.ask(ask.register("zsofia-x7", NAME))
    me.ask(ask.register("dora-k3", "Dóra"))
    me.all_of(ask.cycle(first="2024-07-01", last="2024-09-30"), ask.team())
    me.ask(
        ask.objective("awareness", ask.new("followers", target="1000", owner=owned), owner=owned),
        her,
    )
    me.ask(ask.commit(), him)
    for value in ("100", "200"):
        me.ask(ask.check_in(value=value, on="2024-07-08", note=note), her)
    me.ask(ask.correct(1, "150", note="his words"), him)
    me.ask(ask.revise(target="1200", on="2024-07-09", because=reason), her)
    change = ask.add("more", target="2", owner=owned)
    me.ask(ask.propose(change, name="hers", on="2024-07-10", because=proposal), her)
    me.ask(ask.approve("hers", because="he approves"), him)
    me.ask(ask.lesson(lesson=lesson), her)
    me.ask(ask.review(participants=[ERASED_ONE, NAME], notes=held), her)


def events(me: Caller) -> list[Any]:
    return list(me.ask(audit.ListEventsRequest(page_size=1000)).events)


def stored(me: Caller) -> list[tuple[bytes, bytes]]:
    return [(event.metadata, event.payload) for event in events(me)]


def scorecard(me: Caller) -> list[str]:
    """Every figure of the scorecard, in order."""
    given = scores.GetScorecardRequest(cycle=ask.Q3)
    given.as_of.position = 16
    found = re.findall(r'"(-?[0-9]+(?:\.[0-9]+)?)"', str(me.ask(given).scorecard))
    assert len(found) > 20
    return found


def check_ins(me: Caller) -> list[CheckIn]:
    return list(me.ask(scores.ListCheckInsRequest(parent=ask.FOLLOWERS)).check_ins)


def proofs(me: Caller) -> list[audit.GetInclusionProofResponse]:
    """A proof of each event, with the checkpoint that it leads to."""
    return [me.ask(audit.GetInclusionProofRequest(name=event.name)) for event in events(me)]


def export_to(file: Path, folder: Path) -> None:
    """Exports the ledger in a folder, and puts what is in the export beside it, unpacked."""
    database = ledger(folder)
    with closing(open_log(database, read_only=True)) as log:
        export(log, database, file)
    with file.open("rb") as opened:
        reading = Reading(opened, file.name)
        unpacked = b"".join(content.SerializeToString() for content in reading.chunks())
    file.with_suffix(".unpacked").write_bytes(unpacked)


def needles() -> list[bytes]:
    names = (ERASED_ONE, NAME)
    return [text.encode() for text in (*names, *WRITTEN)]


def told_of(texts: bytes) -> list[bytes]:
    """What of her is in the clear there."""
    return [needle for needle in needles() if needle in texts]


def kept(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Every byte of the ledger in a folder: of its files, or of its tables as a dump has them."""
    for file in folder.rglob("*"):
        if file.is_file():
            yield file.name, file.read_bytes()
    database = ledger(folder)
    if not database.is_postgres:
        return
    with psycopg.connect(database.url, autocommit=True) as connection:
        found = connection.execute(
            "SELECT schemaname, tablename FROM pg_tables WHERE starts_with(schemaname, %s)",
            [database.schema],
        ).fetchall()
        assert len(found) > 8
        for schema, table in found:
            copy = SQL("COPY {} TO STDOUT (FORMAT binary)").format(Identifier(schema, table))
            with connection.cursor().copy(copy) as rows:
                yield f"{schema}.{table}", b"".join(bytes(row) for row in rows)


def test_after_an_erasure_nobody_reads_of_the_person_and_no_stored_byte_has_changed(
    loop: LoopThread, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with logs("json", "info"), whole_service(loop, tmp_path) as me:
        tell(me)
        before, scored, proven = stored(me), scorecard(me), proofs(me)
        assert {check_in.note for check_in in check_ins(me)} == {"his words", WRITTEN[0]}
        assert told_of(b"".join(event.SerializeToString() for event in events(me))) != []

        # The minutes named her otherwise.
        me.ask(ask.erase(NAME))
        erased = me.ask(ask.erase(ERASED_ONE, SUCCESSOR, because="she asked"))

        assert erased.person == Person(name=ERASED_ONE, erased=True, successor=SUCCESSOR)
        _assert_read_as_erased(me, before)
        assert scorecard(me) == scored
    _assert_kept_nowhere(tmp_path)
    for file in tmp_path.glob("*.views*"):
        file.unlink()
    with logs("json", "info"), whole_service(loop, tmp_path) as me:
        me.token = erased.token
        _assert_read_as_erased(me, before)
        assert scorecard(me) == scored
        _assert_proven(me, proven)
    export_to(tmp_path / "ledger.okr", tmp_path)
    _assert_kept_nowhere(tmp_path)
    printed = capfd.readouterr()
    assert "RecordCheckIn" in printed.out + printed.err
    for needle in (ERASED_ONE, *WRITTEN):
        assert needle not in printed.out + printed.err


def _assert_kept_nowhere(folder: Path) -> None:
    """Nowhere but as the name of her own stream, which is a pseudonym."""
    for name, data in kept(folder):
        told = told_of(data)
        assert told in ([], [ERASED_ONE.encode()]), name
        assert not told or data.count(ERASED_ONE.encode()) <= AS_STREAM, name


def _assert_read_as_erased(me: Caller, before: Sequence[tuple[bytes, bytes]]) -> None:
    listed = events(me)
    assert [(event.metadata, event.payload) for event in listed][: len(before)] == before
    for event in listed:
        # The pseudonym itself is what her own two events are about.
        event.ClearField("header")
        if event.decoded_payload.type_url.endswith(("PersonRegistered", "PersonErased")):
            event.ClearField("payload")
            continue
        assert told_of(event.SerializeToString()) == []
    actors = {event.decoded_metadata.actor.plain for event in listed}
    hers = {actor for actor in actors if actor.startswith(ERASED_NAMES)}
    assert len(hers) == 1
    assert {check_in.actor for check_in in check_ins(me)} == hers
    assert {check_in.note for check_in in check_ins(me)} == {"his words", ERASED}
    shown = me.ask(scores.GetPersonRequest(name=ERASED_ONE)).person
    assert shown == Person(name=ERASED_ONE, erased=True, successor=SUCCESSOR)
    review = me.ask(scores.GetReviewRequest(name="reviews/week-6")).review
    assert (review.participants[0], review.notes) == (hers.pop(), ERASED)
    # Hers by its words, and his by its approval.
    adjustment = me.ask(audit.GetAdjustmentRequest(name="adjustments/hers")).adjustment
    assert (adjustment.reason, adjustment.decided.reason) == (ERASED, "he approves")
    assert adjustment.decided.actor == OTHER


def _assert_proven(me: Caller, proven: Sequence[audit.GetInclusionProofResponse]) -> None:
    """Proofs that were made before an erasure still lead from each event to the signed root."""
    for event, answer in zip(events(me), proven, strict=False):
        leaf = Leaves(event.header.log_id).hash(told(event))
        stated = checkpoint.parsed(note.parsed(answer.checkpoint.note).text)
        index = event.header.position - 1
        assert includes(leaf, index, stated.size, answer.proof.hashes, stated.root)


def test_who_succeeds_is_asked_for_what_the_erased_owned(me: Caller) -> None:
    today: dict[str, Any] = {"time_zone": "UTC"}
    me.ask(ask.register("zsofia-x7", NAME))
    me.ask(ask.register("dora-k3", "Dóra"))
    me.all_of(ask.cycle(first=days_from_today(-40), last=days_from_today(40), **today), ask.team())
    owned: Any = {"plain": ERASED_ONE}
    me.ask(ask.objective("awareness", ask.new("followers", target="1000", owner=owned)))
    me.ask(ask.commit())
    due = scores.ListDueCheckInsRequest(owner=ERASED_ONE)
    assert [line.owner for line in me.ask(due).due_check_ins] == [ERASED_ONE]

    me.ask(ask.erase(ERASED_ONE, SUCCESSOR))

    asked = scores.ListDueCheckInsRequest(owner=SUCCESSOR)
    assert [line.owner for line in me.ask(asked).due_check_ins] == [SUCCESSOR]
    assert [line.owner for line in me.ask(scores.ListDeviationsRequest(owner=SUCCESSOR)).deviations]
    assert not me.ask(due).due_check_ins


def test_nothing_is_recorded_under_an_erased_name(me: Caller) -> None:
    tell(me)
    me.ask(ask.erase(ERASED_ONE))
    head = me.head()

    for refused in (
        me.refused(ask.team("x"), by(ERASED_ONE)),
        me.refused(ask.team("x"), (*by("services/crm"), ("okr-on-behalf-of", ERASED_ONE))),
        me.refused(ask.add("x", target="1", owner={"plain": ERASED_ONE}, because="x")),
        me.refused(ask.register("zsofia-x7", NAME)),
        me.refused(ask.erase(ERASED_ONE)),
    ):
        assert (refused.code, refused.reason) == (StatusCode.FAILED_PRECONDITION, "PERSON_ERASED")
    assert me.head() == head


def test_a_request_from_before_an_erasure_is_answered_and_not_done_again(me: Caller) -> None:
    tell(me)
    asked = ask.check_in(value="300", on="2024-07-09", note="hers too")
    asked.request_id = ONCE
    first = me.ask(asked, by(ERASED_ONE))
    me.ask(ask.erase(ERASED_ONE))
    head = me.head()

    again = me.ask(asked, by(ERASED_ONE))

    assert (again.position, again.check_in.name) == (first.position, first.check_in.name)
    assert again.check_in.note == ERASED
    assert again.check_in.actor.startswith(ERASED_NAMES)
    assert me.head() == head


def test_an_erasure_and_a_registration_are_answered_again(me: Caller) -> None:
    registered = ask.register("zsofia-x7", NAME)
    registered.request_id = "6f0f6a54-2b1c-4a8e-9d0e-6c9a4bb3c1d3"
    erased = ask.erase(ERASED_ONE)
    erased.request_id = ONCE
    me.ask(registered)
    first = me.ask(erased)

    assert me.ask(erased) == first
    assert me.ask(registered).person == Person(name=ERASED_ONE)
    assert me.head() == 2


def test_somebody_who_only_took_part_is_erased_without_being_named(me: Caller) -> None:
    tell(me)

    erased = me.ask(ask.erase(NAME)).person

    assert erased.name.startswith(ERASED_NAMES)
    review = me.ask(scores.GetReviewRequest(name="reviews/week-6")).review
    assert list(review.participants) == [ERASED_ONE, erased.name]
    assert me.ask(scores.GetPersonRequest(name=erased.name)).person == erased
    assert NAME.encode() not in events(me)[-1].SerializeToString()


def test_people_are_listed_with_the_names_to_show(me: Caller) -> None:
    for number in range(3):
        me.ask(ask.register(f"p{number}", f"Person {number}"))
    me.ask(ask.erase("people/p1"))

    first = me.ask(scores.ListPeopleRequest(page_size=2))
    rest = me.ask(scores.ListPeopleRequest(page_size=2, page_token=first.next_page_token))

    assert [person.display_name for person in (*first.people, *rest.people)] == [
        "Person 0",
        "",
        "Person 2",
    ]
    assert [person.erased for person in first.people] == [False, True]


def test_an_erasure_is_only_tried_where_it_is_to_be_validated(me: Caller) -> None:
    tell(me)
    asked = ask.erase(ERASED_ONE)
    asked.validate_only = True

    assert me.ask(asked).person.erased

    assert not me.ask(scores.GetPersonRequest(name=ERASED_ONE)).person.erased
    assert {check_in.note for check_in in check_ins(me)} == {"his words", WRITTEN[0]}


def test_a_ledger_without_keys_cannot_erase(loop: LoopThread, tmp_path: Path) -> None:
    with whole_service(loop, tmp_path, keys_url="none") as me:
        me.ask(ask.register("zsofia-x7", NAME))
        refused = me.refused(ask.erase(ERASED_ONE))

    assert (refused.code, refused.reason) == (StatusCode.FAILED_PRECONDITION, "NOT_ERASABLE")


def test_an_erasure_that_was_interrupted_is_finished_at_the_next_start(
    loop: LoopThread, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with whole_service(loop, tmp_path) as me:
        tell(me)
        # The server ends after the event and before the key's end.
        monkeypatch.setattr("service.erasing.finish", lambda *_: 0)
        me.ask(ask.erase(ERASED_ONE))
        assert {check_in.note for check_in in check_ins(me)} == {"his words", WRITTEN[0]}
        monkeypatch.undo()

    with whole_service(loop, tmp_path) as me:
        assert {check_in.note for check_in in check_ins(me)} == {"his words", ERASED}


def test_a_ledger_that_was_written_in_the_clear_gets_keys_and_knows_its_requests(
    loop: LoopThread, tmp_path: Path
) -> None:
    asked = ask.team("early")
    asked.request_id = ONCE
    with whole_service(loop, tmp_path, keys_url="none") as me:
        first = me.ask(asked, by(OTHER))

    with whole_service(loop, tmp_path) as me:
        assert me.ask(asked, by(OTHER)) == first
        asked.definition.title = "another"
        assert me.refused(asked, by(OTHER)).reason == "REQUEST_ID_REUSED"
        me.ask(ask.team("late"), by(OTHER))
        early, late = events(me)
    assert OTHER.encode() in early.metadata
    assert OTHER.encode() not in late.metadata
    assert late.decoded_metadata.actor.plain == OTHER


def test_what_the_log_says_is_erased_is_destroyed_in_keys_from_a_backup(
    loop: LoopThread, tmp_path: Path
) -> None:
    with whole_service(loop, tmp_path) as me:
        tell(me)
        me.ask(ask.erase(ERASED_ONE))
    database = ledger(tmp_path)
    with closing(open_log(database, read_only=True)) as log:
        keyring = open_keys(database, log)
        assert keyring is not None
        with closing(keyring):
            assert finish(log, keyring) == 0
            assert keyring.header.erasures == 1


@ON_SQLITE_ALONE
def test_nothing_is_shown_or_written_while_nobody_can_say_who_is_erased(
    loop: LoopThread, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_file, "LOCK_TIMEOUT_SECONDS", 0.1)
    listed = scores.ListCheckInsRequest(parent=ask.FOLLOWERS)
    with whole_service(loop, tmp_path) as me:
        tell(me)
        with closing(sqlite3.connect(tmp_path / "okr-ledger.keys.db")) as other:
            other.execute("BEGIN EXCLUSIVE")
            deadline = time.monotonic() + 20
            while not _is_refused(me, listed):
                assert time.monotonic() < deadline
            for request in (listed, ask.team("x")):
                refused = me.refused(request)
                assert (refused.code, refused.reason) == (
                    StatusCode.UNAVAILABLE,
                    "LOG_UNAVAILABLE",
                )
                assert "keys.db" not in refused.message
        assert {check_in.note for check_in in check_ins(me)} == {"his words", WRITTEN[0]}
        me.ask(ask.team("x"))


def _is_refused(me: Caller, request: Message) -> bool:
    try:
        me.ask(request)
    except grpc.RpcError:
        return True
    return False


@ON_SQLITE_ALONE
def test_no_server_starts_on_a_ledger_whose_keys_are_gone(loop: LoopThread, tmp_path: Path) -> None:
    with whole_service(loop, tmp_path) as me:
        tell(me)
    (tmp_path / "okr-ledger.keys.db").unlink()

    with (
        pytest.raises(KeysMismatch, match="put it back from its backup"),
        whole_service(loop, tmp_path),
    ):
        pass
    assert not (tmp_path / "okr-ledger.keys.db").exists()


@ON_SQLITE_ALONE
def test_no_server_starts_without_keys_where_there_are_some(
    loop: LoopThread, tmp_path: Path
) -> None:
    with whole_service(loop, tmp_path) as me:
        me.ask(ask.team())

    with (
        pytest.raises(KeysMismatch, match="cannot be left out"),
        whole_service(loop, tmp_path, keys_url="none"),
    ):
        pass


def test_a_new_person_keeps_the_old_requests_of_a_name_apart(me: Caller) -> None:
    """Ids that the server makes, and digests of requests, tell nobody who asked."""
    asked = api.CreateTeamRequest(definition=TeamDefinition(title="x"), request_id=ONCE)

    anna = me.ask(asked, by(OTHER)).team.name
    bea = me.ask(asked, by(SUCCESSOR)).team.name

    assert anna != bea
    assert me.ask(asked, by(OTHER)).team.name == anna


@pytest.mark.parametrize("each_database", ["postgres"], indirect=True)
@pytest.mark.contract
def test_another_server_on_the_ledger_forgets_too(loop: LoopThread, tmp_path: Path) -> None:
    with whole_service(loop, tmp_path) as one, whole_service(loop, tmp_path) as two:
        tell(one)
        two.token = one.token
        # Both made keys, and both have them in memory.
        two.ask(ask.check_in(value="5", on="2024-07-09", note="at the other"), by(ERASED_ONE))
        assert {check_in.note for check_in in check_ins(two)} == {
            *("his words", WRITTEN[0]),
            "at the other",
        }

        one.ask(ask.erase(ERASED_ONE))

        deadline = time.monotonic() + 20
        while {check_in.note for check_in in check_ins(two)} != {"his words", ERASED}:
            assert time.monotonic() < deadline
        refused = two.refused(ask.team("x"), by(ERASED_ONE))
        assert refused.reason == "PERSON_ERASED"
