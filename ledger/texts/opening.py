"""Opening: texts read in the clear again, or as erased.

The keys that open are those that the process has `AT_HAND`: names of keys are random, so the keys
of several ledgers may be at hand together. A process that has none, such as one that builds read
models, never sees a text.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

import structlog
from google.protobuf.message import DecodeError

from ledger.texts.fields import texts
from ledger.texts.keyring import erased_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.protobuf.message import Message

    from ledger.texts.keyring import Key, Keyring

ERASED: Final = "(erased)"
"""How a text reads whose author was erased."""

log = structlog.get_logger(__name__)


class DamagedText(DecodeError):
    """A text was altered, or moved from the event or field that it was sealed for."""


class AtHand:
    """The keyrings of a process."""

    def __init__(self) -> None:
        self._keyrings: tuple[Keyring, ...] = ()
        self._lock = threading.Lock()
        self._told: set[str] = set()

    @contextmanager
    def having(self, keyring: Keyring) -> Iterator[None]:
        """While the block runs a keyring is at hand, and any number of others."""
        with self._lock:
            self._keyrings = (*self._keyrings, keyring)
        try:
            yield
        finally:
            with self._lock:
                kept = list(self._keyrings)
                kept.remove(keyring)
                self._keyrings = tuple(kept)

    def find(self, name: str) -> Key | None:
        """The key of a name, None if it is destroyed or not at hand."""
        for keyring in self._keyrings:
            key = keyring.named(name)
            if key is not None:
                return key if key.usable else None
        if self._keyrings and name not in self._told and len(self._told) < 1000:
            self._told.add(name)
            log.error("a key is missing: its texts read as erased", key=name)
        return None

    def keys_of(self, person: str) -> list[str]:
        """The names of the keys that a person's texts are sealed with, one of each ledger's."""
        found = (keyring.find_key_of(person) for keyring in self._keyrings)
        return [key.name for key in found if key is not None]

    def look(self) -> None:
        """Ask the stores now whether a key was destroyed."""
        for keyring in self._keyrings:
            keyring.look()


AT_HAND: Final = AtHand()


def place_of(stream: str, stream_version: int, event_type: str) -> bytes:
    """16 bytes for an event; `okr.v1.EncryptedText.place` says of what."""
    told = b"%b\0%b%b" % (stream.encode(), stream_version.to_bytes(8), event_type.encode())
    return blake2b(told, digest_size=16).digest()


def open_texts(message: Message, within: str) -> None:
    """Opens the texts of a message in place; `within` is "metadata" or "payload".

    Costs some 4 µs for each text.

    Raises:
        DamagedText: one was altered or moved.
        LogUnavailable: the keys cannot be read now.
    """
    for held in texts(message, f"{within}."):
        text = held.text
        if not text.HasField("encrypted"):
            continue
        name = text.encrypted.key
        key = AT_HAND.find(name)
        if key is None:
            text.plain = erased_name(name) if held.is_name else ERASED
        else:
            try:
                text.plain = key.open(text.encrypted, held.path)
            except ValueError as error:
                raise DamagedText(f"{held.path}: {error}") from None
        if not held.is_name:
            text.key = name


def check_places(place: bytes, *messages: Message) -> None:
    """Refuses texts that were sealed for another event.

    Raises:
        DamagedText: one was.
    """
    for message in messages:
        for held in texts(message):
            if held.text.HasField("encrypted") and held.text.encrypted.place != place:
                raise DamagedText(f"{held.path}: it was sealed for another event")
