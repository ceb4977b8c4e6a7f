"""Where the keys are, whatever database keeps them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, Protocol

from ledger.log.errors import LogError

if TYPE_CHECKING:
    from collections.abc import Collection


class StoredKey(NamedTuple):
    """A key: its name, "keys/{16 characters}", and its 32 bytes, None once it is destroyed."""

    name: str
    secret: bytes | None


@dataclass(frozen=True, slots=True)
class Header:
    """What a store says of itself.

    `log_id` is the log whose texts its keys are of, and `plain_until` the position up to which that
    log had been written without keys. `secret`, 32 bytes, makes pseudonyms of names for as long as
    the store lives; `snapshots`, 32 bytes too, seals states and is another one after each erasure.
    `erasures` counts the keys that were destroyed.
    """

    log_id: str
    plain_until: int
    erasures: int
    secret: bytes = field(repr=False)
    snapshots: bytes = field(repr=False)


class KeyStore(Protocol):
    """Keys of persons, each durable when it is returned. Any thread and process may use it.

    Raises:
        LogUnavailable: the store cannot be read or written now.
    """

    def header(self) -> Header: ...

    def of_person(self, pseudonym: bytes) -> StoredKey | None:
        """The key of the person whose keyed pseudonym this is, if there ever was one."""

    def named(self, name: str) -> StoredKey | None:
        """The key of a name, destroyed or not; None of one that was never here."""

    def make(self, pseudonym: bytes, key: StoredKey) -> StoredKey:
        """Keeps a new key for a person, unless there is one already: gives the one that is kept."""

    def destroy(self, names: Collection[str]) -> int:
        """Destroys those of these keys that are there still, for good, and tells how many were.

        With them goes the key of the snapshots, in the same transaction.
        """

    def close(self) -> None: ...


@dataclass(eq=False)
class KeysMismatch(LogError):
    """The keys that are at hand cannot be those of this ledger."""

    keys: str
    reason: str

    def __str__(self) -> str:
        return f"{self.keys} cannot be used: {self.reason}"
