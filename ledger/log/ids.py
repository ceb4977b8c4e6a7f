"""Ids that the server makes."""

from __future__ import annotations

from base64 import b32encode
from hashlib import blake2b
from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def id_maker(log_id: str, principal: str, source: str) -> Callable[[], str]:
    """A function that gives an id at each call, the same ids for the same arguments.

    `source` is the request's id, or something random. An id is 16 characters of a–z and 2–7.
    """
    numbers = count()

    def new_id() -> str:
        # Made when it is needed: most commands ask for no id.
        seed = f"{log_id}\n{len(principal)}:{principal}{source}".encode()
        digest = blake2b(seed, digest_size=10, salt=next(numbers).to_bytes(8)).digest()
        return b32encode(digest).decode().lower()

    return new_id
