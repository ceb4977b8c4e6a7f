"""Events without what is stored as nobody reads it."""

from __future__ import annotations

from typing import TypeVar

from google.protobuf.message import Message

from ledger.texts.fields import texts

Kind = TypeVar("Kind", bound=Message)


def without_texts(message: Kind) -> Kind:
    """A copy whose personal texts are empty: stored and decoded bytes then say the same."""
    without = type(message)()
    without.CopyFrom(message)
    for held in texts(without):
        held.text.Clear()
    return without
