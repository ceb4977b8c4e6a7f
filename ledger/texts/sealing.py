"""Sealing: each text that may name a person is encrypted before it is stored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ledger.refusals import PersonErased
from ledger.texts.fields import OF_THE_SUBJECT, texts
from ledger.texts.keyring import ERASED_NAMES, SERVICES, erased_name
from ledger.texts.opening import ERASED, place_of

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from ledger.texts.fields import Held
    from ledger.texts.keyring import Key, Keyring
    from okr.v1.event_record_pb2 import EventMetadata
    from okr.v1.values_pb2 import PersonalText

_OF_ACTORS: Final = ("actor", "on_behalf_of")


class Sealer:
    """Seals the texts of one decision's events.

    A name is sealed with the key of whom it names; what somebody wrote with the author's: the
    person who acted, or for whom a service did, else the service. A text that was read from the
    ledger keeps its key.
    """

    def __init__(self, keyring: Keyring, metadata: EventMetadata) -> None:
        self._keyring = keyring
        self._metadata = metadata
        actor, on_behalf_of = metadata.actor.plain, metadata.on_behalf_of.plain
        self._author = on_behalf_of if on_behalf_of and is_service(actor) else actor

    def stored(
        self, stream: str, stream_version: int, event_type: str, fact: Message
    ) -> tuple[bytes, bytes]:
        """The bytes of metadata and fact as they are stored.

        The messages stay in the clear; their texts are noted the keys that they were sealed with,
        as they will be when they are read. Costs some 5 µs for each text.

        Raises:
            PersonErased: the fact newly names somebody who was erased.
            LogUnavailable: the keys cannot be read or written now.
        """
        place = place_of(stream, stream_version, event_type)
        return (
            self._sealed(self._metadata, "metadata", place, stream),
            self._sealed(fact, "payload", place, stream),
        )

    def _sealed(self, message: Message, within: str, place: bytes, stream: str) -> bytes:
        # In place, and back again once the bytes are made: a copy would cost as much again.
        changed: list[tuple[PersonalText, str, str]] = []
        try:
            for held in texts(message):
                text, plain = held.text, held.text.plain
                if not plain or (held.is_name and is_nobodys(plain)):
                    continue
                key = self._key(held, stream)
                changed.append((text, plain, "" if held.is_name else text.key))
                text.ClearField("key")
                if key.usable:
                    text.encrypted.CopyFrom(key.seal(plain, place, f"{within}.{held.path}"))
                    if not held.is_name:
                        changed[-1] = (text, plain, key.name)
                else:
                    text.plain = self._as_erased(held, key, plain)
            return message.SerializeToString()
        finally:
            for text, plain, name in changed:
                text.plain = plain
                text.key = name

    def _key(self, held: Held, stream: str) -> Key:
        if held.is_name:
            return self._keyring.key_of(held.text.plain)
        if held.field in OF_THE_SUBJECT:
            return self._keyring.key_of(stream)
        read_with = self._keyring.named(held.text.key) if held.text.key else None
        return read_with or self._keyring.key_of(self._author)

    def _as_erased(self, held: Held, key: Key, name: str) -> str:
        """What stands for a text whose key is destroyed, where it repeats what was known before.

        Raises:
            PersonErased: it is the name of somebody who is to be named anew.
        """
        if not held.is_name:
            return ERASED
        if held.field in _OF_ACTORS or "before." in held.path:
            return erased_name(key.name)
        raise PersonErased(name)


class Clear:
    """Leaves texts in the clear, where the ledger has no keys."""

    def __init__(self, metadata: EventMetadata) -> None:
        self._metadata = metadata.SerializeToString()

    def stored(self, _: str, __: int, ___: str, fact: Message) -> tuple[bytes, bytes]:
        """The bytes of metadata and fact as they are stored."""
        return self._metadata, fact.SerializeToString()


def sealer_of(keyring: Keyring | None, metadata: EventMetadata) -> Sealer | Clear:
    """What makes the stored bytes of one decision's events, with the keys where there are any."""
    return Clear(metadata) if keyring is None else Sealer(keyring, metadata)


def check_actors(keyring: Keyring, *names: str) -> None:
    """Refuses that somebody acts, or is acted for, who was erased; empty names are nobody.

    Raises:
        PersonErased: somebody was.
        LogUnavailable: the keys cannot be read now.
    """
    for name in names:
        if not name or is_service(name):
            continue
        if name.startswith(ERASED_NAMES):
            raise PersonErased(name)
        key = keyring.find_key_of(name)
        if key is not None and not key.usable:
            raise PersonErased(name)


def is_service(name: str) -> bool:
    """Whether a name is a service's."""
    return name.startswith(SERVICES)


def is_nobodys(name: str) -> bool:
    """Whether a name leads to no person: a service's, or that of somebody who was erased."""
    return is_service(name) or name.startswith(ERASED_NAMES)
