"""Client certificates: whose they are by the names that their authority has put into them."""

from __future__ import annotations

import re
import time
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from cryptography import x509

from ledger.call import Caller
from service.identity.metadata import ID, NAME
from service.identity.naming import ROLES, roles_of
from service.identity.principal import Principal
from service.identity.watching import FileError, Watched
from service.refusals import Unauthenticated

if TYPE_CHECKING:
    from service.identity.principal import Peer

CERTIFICATE: Final = "x509_pem_cert"
"""gRPC's name for the peer's certificate, which it has verified, as PEM."""
WHAT: Final = "names of certificates"

_SPIFFE: Final = re.compile(f"spiffe://([a-z0-9._-]{{1,255}})/((?:people|services)/{ID})")

Names = Mapping[str, Principal]
"""Principals by a certificate's name: a URI, a domain or an e-mail address."""


class Shown(NamedTuple):
    """What a certificate says: its alternative names, and until when, in seconds since 1970."""

    names: tuple[str, ...]
    until: float


class Certificates:
    """Tells from a connection's client certificate whose it is.

    `file` gives names to certificates, `trust_domains` are those whose SPIFFE ids name their
    bearers themselves: spiffe://DOMAIN/services/{id} or …/people/{id}. What the file says of a
    name goes before that.
    """

    def __init__(
        self,
        file: Path | None,
        trust_domains: Iterable[str],
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Takes the file in.

        Raises:
            FileError: it is not TOML of the form that docs/how-to/authenticate-callers.md shows.
        """
        self._file = Watched([file], _names, WHAT) if file else None
        self._trust_domains = frozenset(trust_domains)
        self._clock = clock

    def look(self) -> None:
        """Takes in what has changed in the file; reads it."""
        if self._file:
            self._file.look()

    def principal(self, peer: Peer) -> Principal | None:
        """Whose certificate the connection was made with; None if it was made without one.

        Raises:
            Unauthenticated: it is nobody's here, or several principals'.
        """
        (pem,) = peer().get(CERTIFICATE) or (b"",)
        if not pem:
            return None
        shown = _shown(pem)
        if shown is None:
            raise Unauthenticated(
                "certificate.unreadable",
                "the certificate has no alternative names that can be read",
            )
        if self._clock() >= shown.until:
            raise Unauthenticated("certificate.expired", "the certificate has expired")
        found = {found for name in shown.names if (found := self._named(name)) is not None}
        if not found:
            raise Unauthenticated("certificate.unknown", "the certificate has no name known here")
        if len(found) > 1:
            raise Unauthenticated("certificate.ambiguous", "the certificate names several callers")
        return found.pop()

    def _named(self, name: str) -> Principal | None:
        told = self._file.value.get(name) if self._file else None
        if told is not None:
            return told
        spiffe = _SPIFFE.fullmatch(name)
        if spiffe is None or spiffe[1] not in self._trust_domains:
            return None
        return Principal(Caller(spiffe[2]), (), "certificate")


@lru_cache(maxsize=4096)
def _shown(pem: bytes) -> Shown | None:
    """What the certificate says, None if it says nothing; remembered, since each call asks."""
    try:
        certificate = x509.load_pem_x509_certificate(pem)
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, x509.ExtensionNotFound, x509.DuplicateExtension):
        return None
    uris = names.get_values_for_type(x509.UniformResourceIdentifier)
    domains = names.get_values_for_type(x509.DNSName)
    addresses = names.get_values_for_type(x509.RFC822Name)
    # A domain cannot pass for a URI, nor an address for a domain, whatever an authority lets by.
    return Shown(
        (
            *(uri for uri in uris if "://" in uri),
            *(domain.lower() for domain in domains if not {":", "/", "@"} & set(domain)),
            *(address for address in addresses if "@" in address and "/" not in address),
        ),
        certificate.not_valid_after_utc.timestamp(),
    )


def _names(files: Sequence[bytes]) -> Names:
    (text,) = files
    try:
        told = tomllib.loads(text.decode())
    except (ValueError, RecursionError):
        raise FileError("the file of certificates' names is not TOML in UTF-8") from None
    return {name: _principal(name, entry) for name, entry in told.items()}


def _principal(name: str, entry: object) -> Principal:
    match entry:
        case {"name": str(principal), **rest} if NAME.fullmatch(principal):
            stated = rest.pop("roles", [])
            roles = roles_of(stated)
            if not rest and isinstance(stated, list) and len(roles) == len(stated):
                return Principal(Caller(principal), roles, "certificate")
    raise FileError(
        f'{name!r} needs `name = "people/{{id}}"` or "services/{{id}}" and may have'
        f" `roles = [...]`, {ROLES} at most, each once"
    )
