"""Signed notes: a text and below it signatures, each made with a key that has a name.

    okr-ledger/5f1c…            the text, whose lines all end
    1742
    …
                                an empty line
    — okr-ledger/5f1c… x08go…   name, then base64 of the key's hash (4 bytes) and the signature

A key signs with Ed25519; signatures of keys that a reader does not know are left alone, so that a
note may carry those of an old key and of a new one, or of witnesses.

Source: the C2SP specification of signed notes, https://c2sp.org/signed-note.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

ED25519: Final = b"\x01"
"""What says in a key's text and hash which algorithm it is for."""

KEY_BYTES: Final = 32
SIGNATURE_BYTES: Final = 64
NOTE_AT_MOST: Final = 1 << 20
"""The most characters of a note that is read."""

_DASH: Final = "— "


class NoteInvalid(ValueError):
    """Text that is no signed note, or no key."""


@dataclass(frozen=True, slots=True)
class Signature:
    """One line below a note: the key's name and hash, and what it signed with."""

    name: str
    key_hash: bytes
    signed: bytes

    def __str__(self) -> str:
        return f"{_DASH}{self.name} {b64encode(self.key_hash + self.signed).decode()}\n"


@dataclass(frozen=True, slots=True)
class Note:
    """A text, which ends with the end of a line, and its signatures."""

    text: str
    signatures: tuple[Signature, ...]

    def __str__(self) -> str:
        return f"{self.text}\n{''.join(map(str, self.signatures))}"


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """The public half of a key: `public` are its 32 bytes.

    Raises:
        NoteInvalid: the name is empty or has blanks or a plus, or the bytes are no key.
    """

    name: str
    public: bytes

    def __post_init__(self) -> None:
        if not self.name or "+" in self.name or self.name.split() != [self.name]:
            raise NoteInvalid("a key's name has no blanks and no plus, and is not empty")
        if len(self.public) != KEY_BYTES:
            raise NoteInvalid("a key of Ed25519 has 32 bytes")

    @property
    def key_hash(self) -> bytes:
        """The 4 bytes by which signatures name the key."""
        return sha256(self.name.encode() + b"\n" + ED25519 + self.public).digest()[:4]

    def __str__(self) -> str:
        """The key as text, `name+hash+base64`."""
        return f"{self.name}+{self.key_hash.hex()}+{b64encode(ED25519 + self.public).decode()}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """The key that `str()` writes so.

        Raises:
            NoteInvalid: it is not one.
        """
        try:
            # Base64 may hold a plus as well.
            name, key_hash, encoded = text.strip().split("+", 2)
        except ValueError:
            raise NoteInvalid("a key is written name+hash+base64") from None
        raw = decoded(encoded)
        if raw[:1] != ED25519:
            raise NoteInvalid("only keys of Ed25519 are known")
        key = cls(name, raw[1:])
        if key.key_hash.hex() != key_hash:
            raise NoteInvalid("the key's hash is not that of its name and bytes")
        return key

    def has_signed(self, note: Note) -> bool:
        """Whether a note carries a signature of this key that is right."""
        return any(
            self._verifies(note.text, signature.signed)
            for signature in note.signatures
            if (signature.name, signature.key_hash) == (self.name, self.key_hash)
        )

    def _verifies(self, text: str, signed: bytes) -> bool:
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signed, text.encode())
        except (InvalidSignature, ValueError):
            return False
        return True


class SigningKey:
    """A key with its secret half. `repr()` does not show it."""

    def __init__(self, name: str, private: Ed25519PrivateKey) -> None:
        self._private = private
        self.verifier = VerifierKey(name, private.public_key().public_bytes_raw())

    def sign(self, text: str) -> Signature:
        """The signature of a text, which ends with the end of a line. About 50 µs."""
        verifier = self.verifier
        return Signature(verifier.name, verifier.key_hash, self._private.sign(text.encode()))

    def __repr__(self) -> str:
        return f"SigningKey({self.verifier})"


def signed(text: str, keys: Iterable[SigningKey]) -> Note:
    """A text with a signature of each key."""
    return Note(text, tuple(key.sign(text) for key in keys))


def parsed(written: str) -> Note:
    """A note as it is written; whether its signatures are right is not looked at.

    Raises:
        NoteInvalid: it is not a note.
    """
    if len(written) > NOTE_AT_MOST:
        raise NoteInvalid("a note has at most 1 048 576 characters")
    text, blank, below = written.rpartition("\n\n")
    if not blank or (below and not below.endswith("\n")):
        raise NoteInvalid("a note is a text, an empty line, and lines of signatures")
    return Note(text + "\n", tuple(_signature(line) for line in below.split("\n")[:-1]))


def _signature(line: str) -> Signature:
    name, blank, encoded = line.removeprefix(_DASH).partition(" ")
    raw = decoded(encoded)
    if not line.startswith(_DASH) or not name or not blank or len(raw) <= 4:
        raise NoteInvalid("a signature is a dash, a key's name and base64")
    return Signature(name, raw[:4], raw[4:])


def decoded(encoded: str) -> bytes:
    """The bytes of base64, of which each has one spelling here.

    Raises:
        NoteInvalid: it is none, or another spelling.
    """
    try:
        raw = b64decode(encoded, validate=True)
    except ValueError:
        raw = b""
    if b64encode(raw).decode() != encoded:
        raise NoteInvalid("a part in base64 is damaged")
    return raw
