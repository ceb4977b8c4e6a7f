"""Whose key seals a text, where it opens, and what is read of it afterwards."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from google.protobuf.message import Message

from ledger.event import Record, as_stored, fact_of, metadata_of
from ledger.refusals import PersonErased
from ledger.texts.key_file import KeyFile
from ledger.texts.keyring import Keyring, erased_name
from ledger.texts.opening import AT_HAND, ERASED, DamagedText
from ledger.texts.sealing import Sealer, check_actors
from okr.v1 import events_pb2 as facts
from okr.v1.event_record_pb2 import EventMetadata
from okr.v1.values_pb2 import KeyResultDefinition, PersonalText

ANNA, BEA, ROBOT = "people/anna", "people/bea", "services/robot"
STREAM = "objectives/o"
KEY_RESULT = f"{STREAM}/keyResults/k"


@pytest.fixture
def keyring(tmp_path: Path) -> Iterator[Keyring]:
    with (
        closing(Keyring(KeyFile.made(tmp_path / "x.keys.db", "log", 0))) as made,
        AT_HAND.having(made),
    ):
        yield made


def metadata(actor: str = ANNA, on_behalf_of: str = "", reason: str = "") -> EventMetadata:
    made = EventMetadata(actor=PersonalText(plain=actor))
    if on_behalf_of:
        made.on_behalf_of.plain = on_behalf_of
    if reason:
        made.reason.plain = reason
    return made


def check_in(note: str, number: int = 1) -> facts.CheckInRecorded:
    return facts.CheckInRecorded(
        key_result=KEY_RESULT, number=number, note=PersonalText(plain=note)
    )


def recorded(
    keyring: Keyring, fact: Message, circumstances: EventMetadata, version: int = 1
) -> Record:
    kind = fact.DESCRIPTOR.full_name
    stored = Sealer(keyring, circumstances).stored(STREAM, version, kind, fact)
    return Record(version, STREAM, version, kind, 0, *stored)


def erase(keyring: Keyring, person: str) -> str:
    key = keyring.key_of(person).name
    keyring.destroy([key])
    return key


@pytest.mark.parametrize("text", ["ok", "Árvíztűrő tükörfúrógép", "品牌知名度", "👩‍🚀 🚀"])
def test_a_text_is_read_as_it_was_written_and_stored_as_nobody_reads_it(
    keyring: Keyring, text: str
) -> None:
    record = recorded(keyring, check_in(text), metadata(reason=text))

    assert fact_of(record).note.plain == metadata_of(record).reason.plain == text  # type: ignore[attr-defined]
    assert metadata_of(record).actor.plain == ANNA
    for secret in (text.encode(), ANNA.encode()):
        assert secret not in record.payload + record.metadata or len(secret) < 3


def test_a_text_is_sealed_with_its_authors_key_and_a_name_with_its_own(keyring: Keyring) -> None:
    definition = KeyResultDefinition(owner=PersonalText(plain=BEA))
    record = recorded(
        keyring,
        facts.KeyResultAdded(key_result=KEY_RESULT, definition=definition),
        metadata(ROBOT, on_behalf_of=ANNA, reason="because"),
    )

    fact, circumstances = as_stored(record)
    assert isinstance(fact, facts.KeyResultAdded)
    assert fact.definition.owner.encrypted.key == keyring.key_of(BEA).name
    assert circumstances.on_behalf_of.encrypted.key == keyring.key_of(ANNA).name
    assert circumstances.reason.encrypted.key == keyring.key_of(ANNA).name
    assert circumstances.actor.plain == ROBOT


def test_what_a_service_writes_for_nobody_is_sealed_too(keyring: Keyring) -> None:
    record = recorded(keyring, check_in("from the CRM"), metadata(ROBOT))

    assert b"CRM" not in record.payload
    assert fact_of(record).note.key == keyring.key_of(ROBOT).name  # type: ignore[attr-defined]


def test_a_text_that_is_told_again_stays_under_its_first_authors_key(keyring: Keyring) -> None:
    note = fact_of(recorded(keyring, check_in("Anna's"), metadata(ANNA))).note  # type: ignore[attr-defined]
    corrected = facts.CheckInCorrected(key_result=KEY_RESULT, number=1, note_before=note)

    record = recorded(keyring, corrected, metadata(BEA), version=2)
    erase(keyring, ANNA)

    assert fact_of(record).note_before.plain == ERASED  # type: ignore[attr-defined]
    assert metadata_of(record).actor.plain == BEA


def test_a_fact_in_memory_knows_its_keys_as_one_that_was_read(keyring: Keyring) -> None:
    fact, circumstances = check_in("note"), metadata(reason="reason")

    record = recorded(keyring, fact, circumstances)

    assert fact_of(record) == fact
    assert metadata_of(record) == circumstances


def test_the_erased_are_told_apart_but_not_who_they_were(keyring: Keyring) -> None:
    record = recorded(keyring, check_in("mine"), metadata(ANNA, reason="also mine"))
    other = recorded(keyring, check_in("hers"), metadata(BEA))

    key = erase(keyring, ANNA)

    assert metadata_of(record).actor.plain == erased_name(key)
    assert metadata_of(record).reason.plain == fact_of(record).note.plain == ERASED  # type: ignore[attr-defined]
    assert fact_of(other).note.plain == "hers"  # type: ignore[attr-defined]


def test_nobody_acts_under_an_erased_name_or_is_named_anew(keyring: Keyring) -> None:
    recorded(keyring, check_in("mine"), metadata(ANNA))
    erased = erased_name(erase(keyring, ANNA))

    for name in (ANNA, erased):
        with pytest.raises(PersonErased):
            check_actors(keyring, ROBOT, name)
    owned = KeyResultDefinition(owner=PersonalText(plain=ANNA))
    with pytest.raises(PersonErased):
        recorded(keyring, facts.KeyResultAdded(definition=owned), metadata(BEA))


def test_what_an_erased_person_owned_before_may_be_told(keyring: Keyring) -> None:
    keyring.key_of(ANNA)
    erased = erased_name(erase(keyring, ANNA))
    owned = KeyResultDefinition(owner=PersonalText(plain=ANNA))

    record = recorded(keyring, facts.KeyResultRevised(before=owned), metadata(BEA))

    assert fact_of(record).before.owner.plain == erased  # type: ignore[attr-defined]


def _note_of(record: Record) -> PersonalText:
    fact, _ = as_stored(record)
    assert isinstance(fact, facts.CheckInRecorded)
    return fact.note


def test_a_text_moved_to_another_event_does_not_open(keyring: Keyring) -> None:
    first = recorded(keyring, check_in("first"), metadata())
    second = recorded(keyring, check_in("second", 2), metadata(), version=2)
    forged = facts.CheckInRecorded.FromString(second.payload)
    forged.note.CopyFrom(_note_of(first))
    moved = second._replace(payload=forged.SerializeToString())

    for read in (fact_of, as_stored):
        with pytest.raises(DamagedText, match="another event"):
            read(moved)


def test_a_text_whose_place_was_forged_does_not_open(keyring: Keyring) -> None:
    first = recorded(keyring, check_in("first"), metadata())
    second = recorded(keyring, check_in("second", 2), metadata(), version=2)
    forged = facts.CheckInRecorded.FromString(second.payload)
    place = forged.note.encrypted.place
    forged.note.CopyFrom(_note_of(first))
    forged.note.encrypted.place = place

    with pytest.raises(DamagedText, match="altered"):
        fact_of(second._replace(payload=forged.SerializeToString()))


def test_a_text_moved_to_another_field_does_not_open(keyring: Keyring) -> None:
    record = recorded(keyring, check_in("note"), metadata(reason="reason"))
    forged = EventMetadata.FromString(record.metadata)
    forged.reason.CopyFrom(_note_of(record))

    with pytest.raises(DamagedText, match="altered"):
        metadata_of(record._replace(metadata=forged.SerializeToString()))


def test_whoever_has_no_keys_reads_all_else(keyring: Keyring, tmp_path: Path) -> None:
    record = recorded(keyring, check_in("note"), metadata())
    with (
        closing(Keyring(KeyFile.made(tmp_path / "y.keys.db", "other", 0))) as other,
        AT_HAND.having(other),
    ):
        keyring.close()
        fact, _ = as_stored(record)

    assert isinstance(fact, facts.CheckInRecorded)
    assert fact.key_result == KEY_RESULT


def test_texts_stored_in_the_clear_are_read_on(keyring: Keyring) -> None:
    fact, circumstances = check_in("note"), metadata(reason="reason")
    kind = fact.DESCRIPTOR.full_name
    record = Record(
        1, STREAM, 1, kind, 0, circumstances.SerializeToString(), fact.SerializeToString()
    )

    assert fact_of(record) == fact
    assert metadata_of(record) == circumstances
