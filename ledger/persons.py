"""A person's state: a pseudonym with a name that is shown, and that can be forgotten."""

from __future__ import annotations

from dataclasses import dataclass, replace

from google.protobuf.message import Message

from ledger.texts.opening import ERASED
from okr.v1 import events_pb2 as facts
from okr.v1 import resources_pb2 as resources


@dataclass(frozen=True, slots=True)
class Person:
    """A person as their events make them.

    `display_name` is empty where none was given, and once the person is erased.
    """

    name: str
    display_name: str = ""
    erased: bool = False
    successor: str = ""

    def resource(self) -> resources.Person:
        """The person as the API shows them."""
        return resources.Person(
            name=self.name,
            display_name=self.display_name,
            erased=self.erased,
            successor=self.successor,
        )


def person_after(before: Person | None, name: str, fact: Message) -> Person:
    """The person after one more event.

    Raises:
        TypeError: a fact that is not about people.
    """
    match fact:
        case facts.PersonRegistered():
            shown = fact.display_name.plain
            return Person(name, "" if shown == ERASED else shown)
        case facts.PersonErased():
            known = before or Person(name)
            return replace(known, display_name="", erased=True, successor=fact.successor)
        case other:
            raise TypeError(f"{other.DESCRIPTOR.full_name} is not about a person")
