"""An issuer of tokens and an authority of certificates, and the service that knows both."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, Final

import grpc
import trustme
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from jwt import PyJWS
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from tests.support.serving import LoopThread
from tests.support.whole import Caller, serving

ISSUER: Final = "https://issuer.example"
AUDIENCE: Final = "okr-ledger"
HOUR_SECONDS: Final = 3600

SigningKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@cache
def elliptic(name: str) -> ec.EllipticCurvePrivateKey:
    """The key of a name: another one for each, the same in one run of the tests."""
    assert name
    return ec.generate_private_key(ec.SECP256R1())


@cache
def rsa_key() -> rsa.RSAPrivateKey:
    """One key, which takes a while to make."""
    return rsa.generate_private_key(65537, 2048)


def published(key: SigningKey, key_id: str, **more: Any) -> dict[str, Any]:
    """The public half of a key as a key set holds it."""
    public: Any = key.public_key()
    algorithm = RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else ECAlgorithm
    return {**algorithm.to_jwk(public, as_dict=True), "kid": key_id, "use": "sig", **more}


def key_set(**keys: SigningKey) -> bytes:
    """The key set that publishes keys by their ids."""
    return json.dumps({"keys": [published(key, name) for name, key in keys.items()]}).encode()


def public_pem(key: SigningKey) -> bytes:
    """The public half of a key in PEM."""
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def token(
    name: str,
    *roles: str,
    key: SigningKey | None = None,
    key_id: str | None = "first",
    algorithm: str = "ES256",
    headers: dict[str, Any] | None = None,
    **claims: Any,
) -> str:
    """A token for a name or another subject; a claim that is given as None is left out."""
    now = int(time.time())
    stated = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": name,
        "iat": now,
        "exp": now + HOUR_SECONDS,
        "roles": list(roles),
        **claims,
    }
    present = {claim: value for claim, value in stated.items() if value is not None}
    named = {} if key_id is None else {"kid": key_id}
    return PyJWS().encode(
        json.dumps(present).encode(),
        key or elliptic("first"),
        algorithm,
        {**named, **(headers or {})},
    )


def put_together(header: dict[str, Any], claims: dict[str, Any], secret: bytes | None) -> str:
    """A token that no library would make: signed with HMAC-SHA256, or not at all."""
    said = b".".join(_encoded(json.dumps(part).encode()) for part in (header, claims))
    signature = b"" if secret is None else hmac.digest(secret, said, hashlib.sha256)
    return b".".join((said, _encoded(signature))).decode()


def _encoded(part: bytes) -> bytes:
    return base64.urlsafe_b64encode(part).rstrip(b"=")


def bearer(text: str) -> tuple[tuple[str, str], ...]:
    """The metadata that carries a token."""
    return (("authorization", f"Bearer {text}"),)


@dataclass(frozen=True)
class Pair:
    """A certificate with its chain, and its key, in PEM."""

    certificate: bytes
    key: bytes


@dataclass
class Authority:
    """Makes certificates, as `trustme` does, and those of clients, with names of any kind."""

    ca: trustme.CA = field(default_factory=trustme.CA)

    @property
    def pem(self) -> bytes:
        """The authority's own certificate."""
        return self.ca.cert_pem.bytes()

    def server(self) -> Pair:
        """A certificate for a server on loopback."""
        made = self.ca.issue_cert("127.0.0.1", "::1", "localhost")
        chain = b"".join(part.bytes() for part in made.cert_chain_pems)
        return Pair(chain, made.private_key_pem.bytes())

    def client(
        self,
        *uris: str,
        domains: Sequence[str] = (),
        addresses: Sequence[str] = (),
        lasts: timedelta = timedelta(days=1),
    ) -> Pair:
        """A client's certificate with these names; it lasts from an hour ago."""
        key = ec.generate_private_key(ec.SECP256R1())
        issuer = x509.load_pem_x509_certificate(self.pem)
        now = datetime.now(UTC)
        names = [
            *map(x509.UniformResourceIdentifier, uris),
            *map(x509.DNSName, domains),
            *map(x509.RFC822Name, addresses),
        ]
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([]))
            .issuer_name(issuer.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + lasts)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(
                    issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
                ),
                critical=False,
            )
        )
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=True)
        signing: Any = load_pem_private_key(self.ca.private_key_pem.bytes(), None)
        made = builder.sign(signing, SHA256())
        form = (Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return Pair(made.public_bytes(Encoding.PEM), key.private_bytes(*form))


@cache
def authority(name: str = "first") -> Authority:
    """The authority of a name: another one for each, the same in one run of the tests."""
    assert name
    return Authority()


@dataclass(frozen=True)
class Files:
    """The files of a server that knows its callers, in a folder."""

    folder: Path

    @property
    def keys(self) -> Path:
        return self.folder / "keys.json"

    @property
    def certificate(self) -> Path:
        return self.folder / "server.pem"

    @property
    def key(self) -> Path:
        return self.folder / "server.key"

    @property
    def client_authority(self) -> Path:
        return self.folder / "clients.pem"

    @property
    def roles(self) -> Path:
        return self.folder / "roles.toml"

    @property
    def names(self) -> Path:
        return self.folder / "names.toml"

    def write(self) -> None:
        """Writes a key set with the key "first", and the server's certificate."""
        self.keys.write_bytes(key_set(first=elliptic("first")))
        self.certify(authority().server())

    def certify(self, pair: Pair) -> None:
        """Puts another certificate and key into the place of those that are there."""
        self.key.write_bytes(pair.key)
        self.certificate.write_bytes(pair.certificate)

    def settings(self, **others: Any) -> dict[str, Any]:
        """What to set so that a server speaks TLS and takes tokens; what is None is left out."""
        chosen = {
            "tls_cert_file": self.certificate,
            "tls_key_file": self.key,
            "jwt_jwks": str(self.keys),
            "jwt_issuer": ISSUER,
            "jwt_audience": AUDIENCE,
            **others,
        }
        return {name: value for name, value in chosen.items() if value is not None}


class Callers:
    """Callers of one service, each with a credential of their own."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._channels: list[grpc.Channel] = []

    def named(self, name: str, *roles: str, **claims: Any) -> Caller:
        """A caller with a token for the name that states the roles."""
        return self.with_token(token(name, *roles, **claims))

    def with_token(self, text: str) -> Caller:
        """A caller with a token as it is."""
        return Caller(self.channel(), self.address, bearer(text))

    def anonymous(self) -> Caller:
        """A caller without a credential."""
        return Caller(self.channel(), self.address)

    def channel(self, pair: Pair | None = None, trusted: bytes | None = None) -> grpc.Channel:
        """A channel over TLS, with a client's certificate or without one."""
        credentials = grpc.ssl_channel_credentials(
            trusted or authority().pem,
            pair.key if pair else None,
            pair.certificate if pair else None,
        )
        # A channel may share the connection of another one that looks the same.
        opened = grpc.secure_channel(
            self.address, credentials, options=(("grpc.use_local_subchannel_pool", 1),)
        )
        self._channels.append(opened)
        return opened

    def close(self) -> None:
        for channel in self._channels:
            channel.close()


@contextmanager
def authenticated_service(
    loop: LoopThread, folder: Path, *, everyone: Sequence[str] = (), **settings: Any
) -> Iterator[Callers]:
    """The service over TLS that takes tokens, and whoever calls it; `everyone` has these roles.

    With `tls_client_ca_file` it asks for certificates too. Roles are what the token states:
    `with authenticated_service(loop, folder) as callers: callers.named("people/anna").ask(...)`.
    """
    files = Files(folder)
    files.write()
    if everyone:
        files.roles.write_text(f"everyone = {json.dumps(everyone)}\n")
        settings["roles_file"] = files.roles
    with serving(loop, folder, **files.settings(**settings)) as address:
        callers = Callers(address)
        try:
            yield callers
        finally:
            callers.close()
