"""Where an issuer's keys come from: a file, or an address that speaks HTTP."""

from __future__ import annotations

import http.client
import urllib.request
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from okr.loopback import is_loopback
from service.identity.key_set import KeySetError
from service.identity.keys import Fetch

KEY_SET_BYTES: Final = 256 * 1024
FETCH_SECONDS: Final = 5.0
"""What each step of a fetch gets: to connect, and each time that it reads."""

FILE_SECONDS: Final = 2.0
"""How often a file is read."""
ADDRESS_SECONDS: Final = 300.0
"""How often an address is asked, unless a token names a key that is not known."""
AGAIN_SECONDS: Final = 10.0
"""How long it is left alone all the same, and after a fetch that failed."""


class Source(NamedTuple):
    """What reads a key set; the seconds between two times, at most and at least."""

    fetch: Fetch
    every_seconds: float
    again_seconds: float


def is_address(place: str) -> bool:
    """Whether the place of a key set is an address and no file.

    Raises:
        ValueError: it is an address whose answers others could change on their way.
    """
    if "://" not in place:
        return False
    parts = urlsplit(place)
    if parts.scheme != "https" and not (
        parts.scheme == "http" and is_loopback(parts.hostname or "")
    ):
        raise ValueError("is neither a file nor an https:// address (http:// on loopback only)")
    if not parts.hostname or parts.username is not None:
        raise ValueError("is no address of the form https://HOST/PATH")
    return True


def source_of(place: str) -> Source:
    """How the key set at a place is had."""
    if is_address(place):
        return Source(partial(_asked, place), ADDRESS_SECONDS, AGAIN_SECONDS)
    return Source(partial(_read, Path(place)), FILE_SECONDS, FILE_SECONDS)


def _read(file: Path) -> bytes:
    with file.open("rb") as opened:
        return _bounded(opened.read(KEY_SET_BYTES + 1))


def _asked(address: str) -> bytes:
    # Of the library's handlers those that speak HTTP; a redirection is an error, since where it
    # leads nobody has configured.
    asking = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
    ):
        asking.add_handler(handler)
    try:
        with asking.open(address, timeout=FETCH_SECONDS) as answer:
            return _bounded(answer.read(KEY_SET_BYTES + 1))
    except http.client.HTTPException as error:
        raise KeySetError(f"the answer is no HTTP: {type(error).__name__}") from None


def _bounded(text: bytes) -> bytes:
    if len(text) > KEY_SET_BYTES:
        raise KeySetError(f"it has more than {KEY_SET_BYTES} bytes")
    return text
