"""Signed notes and the checkpoints in them."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from okr.proofs import checkpoint, note
from okr.proofs.checkpoint import Checkpoint
from okr.proofs.note import NoteInvalid, SigningKey, VerifierKey
from okr.proofs.tree import EMPTY_ROOT
from tests.okr.proofs.published import NOTE, NOTE_KEY

LOG_ID = "6a4b0f6e-6e0b-4c39-9d0a-0d7c3e0b8a11"
EMPTY = Checkpoint(LOG_ID, 1, 0, EMPTY_ROOT)


def key(seed: int, name: str = f"okr-ledger/{LOG_ID}") -> SigningKey:
    return SigningKey(name, Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32))


OLD, NEW, STRANGER = key(1), key(2), key(3)


def test_a_published_note_verifies_with_its_key() -> None:
    verifier = VerifierKey.parse(NOTE_KEY)
    assert str(verifier) == NOTE_KEY
    assert verifier.has_signed(note.parsed(NOTE))
    assert str(note.parsed(NOTE)) == NOTE


def test_a_checkpoint_is_written_as_its_specification_says() -> None:
    assert EMPTY.text == (
        f"okr-ledger/{LOG_ID}\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\nepoch 1\n"
    )


def test_a_signed_checkpoint_opens_with_the_key_that_signed_it() -> None:
    written = str(note.signed(EMPTY.text, [OLD]))
    opened, _ = checkpoint.opened(written, [STRANGER.verifier, OLD.verifier])
    assert opened == EMPTY


def test_a_checkpoint_that_no_known_key_signed_does_not_open() -> None:
    written = str(note.signed(EMPTY.text, [OLD]))
    with pytest.raises(NoteInvalid, match="no key"):
        checkpoint.opened(written, [STRANGER.verifier])
    with pytest.raises(NoteInvalid, match="no key"):
        checkpoint.opened(f"{EMPTY.text}\n", [OLD.verifier])


def test_while_keys_change_old_and_new_readers_open_the_same_note() -> None:
    written = str(note.signed(EMPTY.text, [OLD, NEW]))
    assert checkpoint.opened(written, [OLD.verifier])[0] == EMPTY
    assert checkpoint.opened(written, [NEW.verifier])[0] == EMPTY


def test_a_key_of_another_name_is_another_key() -> None:
    written = str(note.signed(EMPTY.text, [OLD]))
    with pytest.raises(NoteInvalid):
        checkpoint.opened(written, [key(1, "okr-ledger/another").verifier])


@given(st.integers(0, 8 * len(str(note.signed(EMPTY.text, [OLD])).encode()) - 1))
def test_no_bit_of_a_signed_checkpoint_can_be_changed(bit: int) -> None:
    whole = str(note.signed(EMPTY.text, [OLD])).encode()
    number = int.from_bytes(whole, "big") ^ 1 << bit
    changed = number.to_bytes(len(whole), "big")
    with pytest.raises(ValueError):  # noqa: PT011 - some changes are no UTF-8 any more
        checkpoint.opened(changed.decode(), [OLD.verifier])


def test_lines_that_are_not_known_are_left_alone() -> None:
    extended = f"{EMPTY.text}weather fine\n"
    assert checkpoint.opened(str(note.signed(extended, [OLD])), [OLD.verifier])[0] == EMPTY


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "another/1\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\nepoch 1\n",
        "okr-ledger/1\n00\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\nepoch 1\n",
        "okr-ledger/1\n-1\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\nepoch 1\n",
        "okr-ledger/1\n0\n47DEQpj8HBSa\nepoch 1\n",
        "okr-ledger/1\n0\n?\nepoch 1\n",
        "okr-ledger/1\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n",
        "okr-ledger/1\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\nepoch 1\nepoch 2\n",
    ],
)
def test_text_that_states_no_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(NoteInvalid):
        checkpoint.parsed(text)


@given(st.text(max_size=60))
def test_any_text_is_a_note_or_is_refused(text: str) -> None:
    try:
        read = note.parsed(text)
    except NoteInvalid:
        return
    assert str(read) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a+b",
        "a b+00000000+AQ==",
        "+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        NOTE_KEY.replace("c74f20a3", "c74f20a4"),
        NOTE_KEY.replace("ARpc", "Arpc"),
        NOTE_KEY[:-4],
    ],
)
def test_text_that_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(NoteInvalid):
        VerifierKey.parse(text)


def test_the_secret_half_of_a_key_is_not_shown() -> None:
    assert (b"\x01" * 32).hex() not in repr(OLD)
    assert repr(OLD) == f"SigningKey({OLD.verifier})"
