"""The keys of one ledger, as a process has them at hand."""

from __future__ import annotations

import os
import threading
import time
from base64 import b32encode
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ledger.texts.store import StoredKey
from okr.v1.values_pb2 import EncryptedText

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ledger.texts.store import Header, KeyStore

TRUSTED_SECONDS: Final = 1.0
"""How long keys in memory are used before it is asked whether one was destroyed."""

KEYS_KEPT: Final = 100_000
"""Keys in memory, some 300 bytes each; beyond it all are forgotten."""

KEY_NAMES: Final = "keys/"
NONCE_BYTES: Final = 12
SERVICES: Final = "services/"
"""What the names of services begin with. They are nobody's, and stay in the clear."""
ERASED_NAMES: Final = "people/erased-"
"""What the names of erased persons begin with; no person may be registered or act under such."""


def erased_name(key: str) -> str:
    """How the name of a person reads whose key is destroyed."""
    return f"{ERASED_NAMES}{key.removeprefix(KEY_NAMES)[:8]}"


class Key:
    """A person's key. `usable` until it is destroyed."""

    __slots__ = ("_cipher", "_log_id", "name")

    def __init__(self, stored: StoredKey, log_id: bytes) -> None:
        self.name = stored.name
        self._log_id = log_id
        self._cipher = AESGCM(stored.secret) if stored.secret is not None else None

    @property
    def usable(self) -> bool:
        """Whether it seals and opens."""
        return self._cipher is not None

    def seal(self, text: str, place: bytes, path: str) -> EncryptedText:
        """The text, sealed for its place."""
        assert self._cipher is not None
        nonce = os.urandom(NONCE_BYTES)
        ciphertext = self._cipher.encrypt(nonce, text.encode(), self._bound(place, path))
        return EncryptedText(key=self.name, nonce=nonce, ciphertext=ciphertext, place=place)

    def open(self, sealed: EncryptedText, path: str) -> str:
        """The text that was sealed at this path.

        Raises:
            ValueError: it was sealed for another place, or altered.
        """
        assert self._cipher is not None
        bound = self._bound(sealed.place, path)
        try:
            return self._cipher.decrypt(sealed.nonce, sealed.ciphertext, bound).decode()
        except InvalidTag:
            raise ValueError("it was sealed for another place, or altered") from None

    def _bound(self, place: bytes, path: str) -> bytes:
        """What the text is bound to; of the parts only the place, of fixed length, may hold a 0."""
        return b"%b\0%b%b\0%b" % (self._log_id, place, path.encode(), self.name.encode())


class StateKey:
    """Seals the states of streams for snapshots; another one takes its place at each erasure."""

    def __init__(self, secret: bytes) -> None:
        self._cipher = AESGCM(secret)

    def seal(self, stream: str, state: bytes) -> bytes:
        """A state's bytes, sealed."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, state, stream.encode())

    def open(self, stream: str, sealed: bytes) -> bytes:
        """The bytes of a state that this key sealed.

        Raises:
            ValueError: another key did, or none.
        """
        try:
            nonce, ciphertext = sealed[:NONCE_BYTES], sealed[NONCE_BYTES:]
            return self._cipher.decrypt(nonce, ciphertext, stream.encode())
        except (InvalidTag, ValueError):
            raise ValueError("it was sealed with another key") from None


class Keyring:
    """The keys of a store, remembered. Any thread may use it.

    That a key was destroyed by another process is noticed `TRUSTED_SECONDS` later at most, and then
    every key in memory is forgotten: before that a text may still open, afterwards it never does.

    Each method raises `LogUnavailable` when the store cannot be read.
    """

    def __init__(self, store: KeyStore, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._by_name: dict[str, Key | None] = {}
        self._by_person: dict[str, Key] = {}
        self._header = store.header()
        self._trusted_until = monotonic() + TRUSTED_SECONDS
        self._log_id = self._header.log_id.encode()

    @property
    def header(self) -> Header:
        """What the store said of itself when it was last asked, at most a moment ago."""
        if self._monotonic() >= self._trusted_until:
            self.look()
        return self._header

    def look(self) -> None:
        """Ask the store now whether a key was destroyed."""
        header = self._store.header()
        with self._lock:
            if header.erasures != self._header.erasures:
                self._by_name.clear()
                self._by_person.clear()
            self._header = header
            self._trusted_until = self._monotonic() + TRUSTED_SECONDS

    def key_of(self, person: str) -> Key:
        """The key of a person, made and durable if there was none; of an erased one not usable."""
        erasures = self.header.erasures
        found = self.find_key_of(person)
        if found is None:
            name = f"{KEY_NAMES}{b32encode(os.urandom(10)).decode().lower()}"
            made = self._store.make(self.pseudonym(person), StoredKey(name, os.urandom(32)))
            found = self._remembered(made, person, erasures)
        return found

    def find_key_of(self, person: str) -> Key | None:
        """The same, None if the person has none."""
        erasures = self.header.erasures
        found = self._by_person.get(person)
        if found is None:
            stored = self._store.of_person(self.pseudonym(person))
            found = self._remembered(stored, person, erasures) if stored else None
        return found

    def named(self, name: str) -> Key | None:
        """The key of a name, None if it is not one of this store."""
        erasures = self.header.erasures
        if name in self._by_name:
            return self._by_name[name]
        stored = self._store.named(name)
        if stored is not None:
            return self._remembered(stored, "", erasures)
        with self._lock:
            self._by_name[name] = None
        return None

    def pseudonym(self, text: str) -> bytes:
        """16 bytes for a text, which only the store's secret leads to."""
        return blake2b(text.encode(), key=self._header.secret, digest_size=16).digest()

    def alias(self, name: str) -> str:
        """What logs call somebody, "people/~{8 characters}": the same for good, and not the name.

        Services keep their names.
        """
        if name.startswith(SERVICES):
            return name
        return f"{name.partition('/')[0]}/~{self.pseudonym(name).hex()[:8]}"

    def state_key(self) -> StateKey:
        """The key of the snapshots as long as nobody more is erased."""
        return StateKey(self._header.snapshots)

    def destroy(self, names: Iterable[str]) -> int:
        """Destroys keys for good and forgets them here at once; tells how many were there still."""
        destroyed = self._store.destroy(list(names))
        self.look()
        return destroyed

    def close(self) -> None:
        """Closes the store. May be called again."""
        self._store.close()

    def _remembered(self, stored: StoredKey, person: str, erasures: int) -> Key:
        """The key; kept in memory unless one was destroyed since the store was asked."""
        key = Key(stored, self._log_id)
        with self._lock:
            if erasures == self._header.erasures:
                if len(self._by_name) >= KEYS_KEPT:
                    self._by_name.clear()
                    self._by_person.clear()
                self._by_name[key.name] = key
                if person:
                    self._by_person[person] = key
        return key
