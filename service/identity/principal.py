"""What a call is known by, and the type of what tells it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Literal, NamedTuple

from ledger.call import Caller

Metadata = Iterable[tuple[str, str | bytes]]
"""A call's metadata, keys in lower case; a key may stand several times."""

Peer = Callable[[], Mapping[str, Iterable[bytes]]]
"""What the transport knows of the other end of the connection, by gRPC's names of its properties.

Empty without TLS. Asked only where it matters, since gRPC gathers it anew for each call.
"""

Credential = Literal["token", "certificate", "none"]
"""What a caller has shown for who they are."""


class Principal(NamedTuple):
    """Who calls, and what their credential says of them.

    `roles` are as the credential states them, sorted, each once; none without a credential, and
    then the caller's names are what they say of themselves.
    """

    caller: Caller
    roles: tuple[str, ...] = ()
    credential: Credential = "none"

    @property
    def authenticated(self) -> bool:
        """Whether somebody else vouches for who calls."""
        return self.credential != "none"


Identify = Callable[[Metadata, Peer], Awaitable[Principal]]
"""Tells who calls, or raises a refusal.

May be asked again while a long call lasts, and then tells or refuses by what holds now.
"""
