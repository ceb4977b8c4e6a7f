"""States of streams as bytes, for snapshots: exact, and nothing in them can be run."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from hashlib import blake2b
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, get_args

import msgspec
from google.protobuf.message import DecodeError, Message

from ledger.event import EVENT_TYPES
from ledger.fold import State
from okr.v1 import events_pb2

KINDS: Final[Mapping[str, type[State]]] = {kind.__name__: kind for kind in get_args(State)}
"""Every class of states by its name."""


class Unreadable(ValueError):
    """The bytes are not a state of this version."""


def encoded(state: State) -> bytes:
    """A state as bytes, of which `decoded` makes an equal one."""
    return _ENCODER.encode((type(state).__name__, state))


def decoded(data: bytes) -> State:
    """The state in bytes that the same code encoded.

    Raises:
        Unreadable: they are not such bytes.
    """
    try:
        kind, state = _KIND_AND_STATE.decode(data)
        return msgspec.msgpack.decode(state, type=KINDS[kind], dec_hook=_message)
    except (msgspec.MsgspecError, DecodeError, KeyError, ValueError) as error:
        raise Unreadable(str(error)) from error


@cache
def code() -> bytes:
    """16 bytes that change with whatever may change what a state is, or its bytes.

    A digest of the source of the whole write side, of the generated messages, and of the versions
    of the two libraries beneath. Coarse on purpose: nobody has to remember to count a number up,
    and a release costs each long stream one fold. Reads some hundred small files, once.
    """
    digest = blake2b(digest_size=16)
    own, messages = Path(__file__).parent, Path(events_pb2.__file__).parent
    for file in (*sorted(own.rglob("*.py")), *sorted(messages.glob("*_pb2.py"))):
        digest.update(b"%b\0%d\0" % (file.name.encode(), file.stat().st_size))
        digest.update(file.read_bytes())
    for library in ("msgspec", "protobuf"):
        digest.update(f"{library} {version(library)}\0".encode())
    return digest.digest()


def _bytes_of(value: Any) -> tuple[str, bytes]:
    """A message as its name and bytes: the two things in a state that msgspec does not know."""
    if not isinstance(value, Message):
        raise NotImplementedError(f"a {type(value).__name__} in a state")
    return value.DESCRIPTOR.full_name, value.SerializeToString(deterministic=True)


def _message(declared: type, stored: Any) -> Message:
    """The message in a name and bytes; where any may stand, it is an event."""
    name, data = stored
    kind: type[Message] = EVENT_TYPES[name] if declared is Message else declared
    return kind.FromString(data)


_ENCODER: Final = msgspec.msgpack.Encoder(enc_hook=_bytes_of)
_KIND_AND_STATE: Final = msgspec.msgpack.Decoder(tuple[str, msgspec.Raw])
