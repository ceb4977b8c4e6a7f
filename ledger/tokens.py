"""Opaque text that carries a position to the caller and back: consistency and page tokens.

Each ends in a checksum keyed by the log's identity, so that a damaged token, or one of another
ledger, is told from a good one. That identity is public: a token proves nothing about its bearer
and permits nothing.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from datetime import date
from hashlib import blake2b
from struct import Struct
from typing import TYPE_CHECKING, Final

from ledger.refusals import Refusal

if TYPE_CHECKING:
    from google.protobuf.message import Message

_POSITION_FORMAT: Final = 1
_PAGE_FORMAT: Final = 3
# Format, epoch, position. With the checksum 21 bytes: 28 characters of base64 and no padding.
_POSITION: Final = Struct(">BIQ")
# Format, epoch, position, time, ordinal of the effective day or 0. The cursor follows as JSON.
_PAGE: Final = Struct(">BIQQI")
LATEST_US: Final = 253_402_300_799_999_999
"""The end of the year 9999, in µs since 1970: nothing later can be written as a time."""
LARGEST: Final = 2**63 - 1
_CHECKSUM_BYTES: Final = 8
# What may differ between the pages of one query.
_PAGING_FIELDS: Final = ("page_size", "page_token", "at_least_as_fresh")


@dataclass(eq=False)
class TokenForeign(Refusal):
    """The token, that of the request's `field`, is damaged, or another ledger made it."""

    field: str = "at_least_as_fresh"

    def __str__(self) -> str:
        return "the token is damaged or belongs to another ledger"


@dataclass(eq=False)
class TokenLost(Refusal):
    """The token is of a future that this ledger no longer has."""

    position: int
    head: int

    def __str__(self) -> str:
        return (
            f"the token is of position {self.position}, which a restore has lost; "
            f"the ledger's head is {self.head}"
        )


@dataclass(eq=False)
class PageTokenInvalid(Refusal):
    """The page token is damaged, or another query made it."""

    def __str__(self) -> str:
        return "the page token is damaged or belongs to another query"


@dataclass(frozen=True, slots=True)
class Page:
    """Where a list goes on, and the instants that its first page was read at.

    `us` is the time that it answered for, in µs since 1970 UTC: a list that depends on the day
    goes on with the same one past midnight. `after` is the sort key of the last row returned. As
    text at most some 330 bytes, to stay within the 500 characters that requests allow.
    """

    position: int
    us: int
    effective_day: date | None
    after: tuple[str | int, ...]


class Tokens:
    """Makes and reads the tokens of one log, in one generation of it."""

    def __init__(self, log_id: str, epoch: int) -> None:
        self._epoch = epoch
        self._keyed = blake2b(key=log_id.encode(), digest_size=_CHECKSUM_BYTES)

    def token(self, position: int) -> str:
        """The consistency token of a position: 28 URL-safe characters. About a microsecond."""
        body = _POSITION.pack(_POSITION_FORMAT, self._epoch, position)
        return urlsafe_b64encode(body + self._checksum(body)).decode()

    def position(self, token: str, head: int, field: str = "at_least_as_fresh") -> int:
        """The position that a consistency token carries; 0 for an empty one.

        `field` is where the request has it.

        Raises:
            TokenForeign: damaged, or of another ledger.
            TokenLost: beyond `head`, or of another generation of the log.
        """
        if not token:
            return 0
        body = self._verified(token)
        if body is None or len(body) != _POSITION.size:
            raise TokenForeign(field)
        kind, epoch, position = _POSITION.unpack(body)
        if kind != _POSITION_FORMAT:
            raise TokenForeign(field)
        if epoch != self._epoch or position > head:
            raise TokenLost(position, head)
        return int(position)

    def page_token(self, request: Message, page: Page) -> str:
        """The token of the page after `page`, good for a request like this one only."""
        day = page.effective_day.toordinal() if page.effective_day else 0
        header = _PAGE.pack(_PAGE_FORMAT, self._epoch, page.position, page.us, day)
        body = header + json.dumps(page.after, ensure_ascii=False, separators=(",", ":")).encode()
        sealed = body + self._checksum(body + _query(request))
        return urlsafe_b64encode(sealed).rstrip(b"=").decode()

    def page(self, request: Message, token: str, head: int) -> Page | None:
        """Where the request's list goes on; None for an empty token, that is the first page.

        Raises:
            PageTokenInvalid: damaged, or made for a request whose other fields differ.
            TokenLost: beyond `head`, or of another generation of the log.
        """
        if not token:
            return None
        body = self._verified(token, _query(request))
        if body is None or len(body) < _PAGE.size:
            raise PageTokenInvalid
        kind, epoch, position, us, day = _PAGE.unpack_from(body)
        if kind != _PAGE_FORMAT:
            raise PageTokenInvalid
        if epoch != self._epoch or position > head:
            raise TokenLost(position, head)
        try:
            after = json.loads(body[_PAGE.size :])
            effective_day = date.fromordinal(day) if day else None
        except (ValueError, OverflowError, RecursionError):
            # Nothing is secret about the key: whoever knows the log's id can make tokens.
            raise PageTokenInvalid from None
        if us > LATEST_US or not isinstance(after, list) or not all(map(_is_key, after)):
            raise PageTokenInvalid
        return Page(position, us, effective_day, tuple(after))

    def _checksum(self, body: bytes) -> bytes:
        keyed = self._keyed.copy()
        keyed.update(body)
        return keyed.digest()

    def _verified(self, token: str, context: bytes = b"") -> bytes | None:
        """What the token says, None if it or its context is not as it was when it was made."""
        try:
            sealed = urlsafe_b64decode(token + "=" * (-len(token) % 4))
        except ValueError:
            return None
        # The decoder skips characters that it does not know; a token has one spelling.
        if urlsafe_b64encode(sealed).decode().rstrip("=") != token:
            return None
        body, checksum = sealed[:-_CHECKSUM_BYTES], sealed[-_CHECKSUM_BYTES:]
        return body if checksum == self._checksum(body + context) else None


def _is_key(part: object) -> bool:
    """Whether a list may be ordered by it: a text, or a number that a database can hold."""
    return isinstance(part, str) or (isinstance(part, int) and -LARGEST <= part <= LARGEST)


def _query(request: Message) -> bytes:
    """The method, which its request's type names, and every field but those of paging."""
    query = type(request)()
    query.CopyFrom(request)
    fields = query.DESCRIPTOR.fields_by_name
    for field in _PAGING_FIELDS:
        if field in fields:
            query.ClearField(field)
    return query.DESCRIPTOR.full_name.encode() + query.SerializeToString(deterministic=True)
