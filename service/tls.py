"""TLS on the listener: its certificate, and whose client certificates it takes.

gRPC itself speaks TLS 1.2 and 1.3 and nothing older.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, cast

import grpc
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

from service.identity.watching import FileError, Watched

WHAT: Final = "certificate of the listener"


class Tls:
    """The credentials of a listener that follows its files.

    With `client_ca` every client has to show a certificate of one of its authorities; without, no
    client is asked for one: gRPC for Python has nothing between the two.
    """

    def __init__(self, certificate: Path, key: Path, client_ca: Path | None) -> None:
        """Takes the files in, in PEM; the certificate's file holds its chain, leaf first.

        Raises:
            FileError: one cannot be read, or they do not fit each other.
        """
        self._asks = client_ca is not None
        self._files: Watched[grpc.ServerCertificateConfiguration] = Watched(
            [certificate, key, *([client_ca] if client_ca else [])], _configuration, WHAT
        )
        self._given = self._files.value

    def look(self) -> None:
        """Takes in what has changed in the files, for connections that come; reads files."""
        self._files.look()

    def credentials(self) -> grpc.ServerCredentials:
        """What to listen with."""
        # The stubs forget that None is "as before".
        changed = cast("Callable[[], grpc.ServerCertificateConfiguration]", self._changed)
        return grpc.dynamic_ssl_server_credentials(
            self._given, changed, require_client_authentication=self._asks
        )

    def _changed(self) -> grpc.ServerCertificateConfiguration | None:
        """What gRPC asks before each handshake, in a thread of its own: None is "as before"."""
        latest = self._files.value
        if latest is self._given:
            return None
        self._given = latest
        return latest


def _configuration(files: Sequence[bytes]) -> grpc.ServerCertificateConfiguration:
    certificate, key, *authorities = files
    _check_pair(certificate, key)
    for authority in authorities:
        _certificates(authority, "the file of client authorities")
    return grpc.ssl_server_certificate_configuration(
        [(key, certificate)], authorities[0] if authorities else None
    )


def _check_pair(certificate: bytes, key: bytes) -> None:
    """Refuses what gRPC would refuse only when somebody connects."""
    leaf = _certificates(certificate, "the certificate's file")[0]
    try:
        private = load_pem_private_key(key, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise FileError("the key's file holds no private key in PEM without a password") from None
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if private.public_key().public_bytes(*form) != leaf.public_key().public_bytes(*form):
        raise FileError("the certificate is not that of the key")


def _certificates(text: bytes, where: str) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(text)
    except ValueError:
        raise FileError(f"{where} holds no certificates in PEM") from None
